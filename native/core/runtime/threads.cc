#include "core/runtime/threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <ATen/Parallel.h>

namespace covidct {

namespace {

// Both lazy starts of the calling thread, LibTorch's and ours, so that none is left to come.
void take_over() {
  at::get_num_threads();
  at::internal::lazy_init_num_threads();
}

}  // namespace

int default_threads() {
  static const int threads = at::get_num_threads();
  return threads;
}

void use_threads(int threads) {
  take_over();
  at::set_num_threads(threads);
}

void use_one_thread() {
  take_over();
#ifdef _OPENMP
  omp_set_num_threads(1);
#endif
}

}  // namespace covidct
