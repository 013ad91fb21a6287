// Memory for intermediate numbers: kept by each thread from call to call, so that no page is touched for the first time
// in every step, and given back when the thread ends.
#pragma once

#include <cstdint>

namespace covidct {

// kMatrices: transformed filters, or sums that become a filter gradient; no convolution needs both at once.
enum class Scratch { kTiles, kMatrices };

// At least so many floats, at a multiple of 64 bytes, of undefined content; good until the thread asks for the same
// again. Throws std::bad_alloc.
float* scratch(Scratch which, int64_t floats);

// What this thread keeps.
int64_t scratch_bytes();

}  // namespace covidct
