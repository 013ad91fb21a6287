// Batch norm with the ReLU, and the 2 x 2 max pool, behind it: one pass over the pixels each, on the CPU in float32,
// channels last.
#pragma once

#include <ATen/core/Tensor.h>

namespace covidct {

// Batch norm as y = scale x + shift, one number for each channel, float32.
struct NormState {
  at::Tensor mean, inverse;  // what is subtracted, and 1 / standard deviation
  at::Tensor scale, shift;
  bool batch;  // mean and deviation are those of x, so that its gradient flows through them
};

struct NormParameterGradients {
  at::Tensor weight, bias;
};

// Mean and biased variance of every channel of x, [n, c, h, w]; runs of 64 pixels are added up in float32, the runs in
// float64.
std::pair<at::Tensor, at::Tensor> channel_moments(const at::Tensor& x);
// Sum over all pixels of every channel; where `active` is defined, of those where it is positive. float32.
at::Tensor channel_sums(const at::Tensor& x, const at::Tensor& active);

NormState norm_state(const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
                     const at::Tensor& variance, bool batch);

// Numbers from one pixel of x, [n, c, h, w], to the next: c where it is channels last, more where it is some channels
// of such a tensor, 0 where its pixels do not follow each other so.
int64_t pixel_row(const at::Tensor& x);

// scale and shift as in NormState; x may be some channels of a larger tensor.
at::Tensor norm_relu_forward(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift);
// g is the gradient of the output. Writes that of x to of_x, channels last, which may be g itself.
NormParameterGradients norm_relu_backward(const at::Tensor& g, const at::Tensor& x, const NormState& norm,
                                          const at::Tensor& of_x);

// [n, c, h / 2, w / 2].
at::Tensor norm_relu_pool_forward(const at::Tensor& x, const NormState& norm);
NormParameterGradients norm_relu_pool_backward(const at::Tensor& g, const at::Tensor& x, const NormState& norm,
                                               at::Tensor& of_x);

}  // namespace covidct
