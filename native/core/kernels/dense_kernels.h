// Passes over some channels of a tensor that has more of them, for dense blocks: from one pixel to the next are `row`
// numbers. In the calling thread.
#pragma once

#include <cstdint>

#include "core/kernels/norm_kernels.h"

namespace covidct {

// Adds scale g to `total` where relu(scale x + shift) is positive, and to `sums` sum g and sum g (x - mean) of those.
// g has no more channels than these.
void add_norm_relu_gradients(const float* g, const float* x, const NormChannels& norm, int64_t row, int64_t pixels,
                             int64_t channels, float* total, double* sums);
// g = total + beta + gamma (x - mean); g has no more channels than these.
void corrected_gradients(const float* total, const float* x, const float* mean, const NormGradient& factors,
                         int64_t row, int64_t pixels, int64_t channels, float* g);

}  // namespace covidct
