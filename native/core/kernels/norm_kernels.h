// Sums over pixels and maps of pixels, channels last, for batch norm with the ReLU and the pooling behind it. In the
// calling thread.
#pragma once

#include <cstdint>

namespace covidct {

// One number for each channel.
struct NormChannels {
  const float* scale;  // y = relu(scale x + shift)
  const float* shift;
  const float* mean;
};

// d x = alpha g + beta + gamma (x - mean), where g is the gradient behind the ReLU.
struct NormGradient {
  const float* alpha;
  const float* beta;
  const float* gamma;
};

// All add to `sums`, one or two for each channel.
// Sum of x; where `active` is not null, of x where that is positive.
void sum_pixels(const float* x, const float* active, int64_t pixels, int64_t channels, double* sums);
// Sum of (x - mean) squared.
void sum_squares(const float* x, const float* mean, int64_t pixels, int64_t channels, double* sums);
// Sum of g, then sum of g (x - mean), where relu(scale x + shift) is positive.
void sum_gradients(const float* g, const float* x, const NormChannels& norm, int64_t pixels, int64_t channels,
                   double* sums);

// From one pixel of x to the next are `row` numbers, as many as channels or more.
void norm_relu_pixels(const float* x, int64_t row, const NormChannels& norm, int64_t pixels, int64_t channels,
                      float* y);
// dx may be g.
void norm_relu_gradient_pixels(const float* g, const float* x, const NormChannels& norm, const NormGradient& factors,
                               int64_t pixels, int64_t channels, float* dx);

// The largest of every 2 x 2 of relu(scale x + shift): one row of pixels of y, `columns` of them, from two rows of x.
void norm_relu_pool_row(const float* x, int64_t width, const NormChannels& norm, int64_t channels, int64_t columns,
                        float* y);
void sum_pool_gradients_row(const float* g, const float* x, int64_t width, const NormChannels& norm, int64_t channels,
                            int64_t columns, double* sums);
// Writes d x of the two rows, of the pixels that a window covers.
void norm_relu_pool_gradient_row(const float* g, const float* x, int64_t width, const NormChannels& norm,
                                 const NormGradient& factors, int64_t channels, int64_t columns, float* dx);
// d x where no window reaches: g is zero.
void norm_gradient_elsewhere(const float* x, const NormChannels& norm, const NormGradient& factors, int64_t pixels,
                             int64_t channels, float* dx);

}  // namespace covidct
