// How many threads share the computations that a thread starts.
//
// OpenMP and MKL keep that number for each thread, and LibTorch besides one for the process: the number of the last
// call in any thread. A thread takes the process's over when it first computes, lazily, and does so once in LibTorch's
// library and once more in ours, since at::parallel_for is a template whose "once" is compiled into both. So a number
// that is set too early, or in one of the two alone, is overruled by somebody else's.
#pragma once

namespace covidct {

// LibTorch's own choice, as it was before any thread of this process was given a number of its own. To be called once
// when the addon is loaded; later calls return the same number.
int default_threads();

// To be called at the top of a thread, once: a later call would clear oneDNN's primitives. Whatever other threads set
// before or after, this thread's computations are shared by `threads`.
void use_threads(int threads);

// The same for 1, for a thread that runs none of MKL's or oneDNN's products; leaves the process's number as it is.
void use_one_thread();

}  // namespace covidct
