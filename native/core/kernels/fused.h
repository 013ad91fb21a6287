// Layers that one pass over the pixels serves together: batch norm, ReLU and what follows them.
//
// Each is equal to its parts to rounding. Where our own kernels do not apply (another device or type, one of LibTorch's
// convolutions asked for) the parts run one after another. Differentiable once.
#pragma once

#include "core/kernels/convolution.h"
#include "core/kernels/norm.h"

namespace covidct {

// Whether x is what the kernels take: float32, on the CPU, of four dimensions, at least one number, channels last.
bool supports_fused(const at::Tensor& x, ConvolutionKind kind);

at::Tensor norm_relu(const at::Tensor& x, Norm& norm, bool training, ConvolutionKind kind);
// And a 2 x 2 max pool.
at::Tensor norm_relu_pool(const at::Tensor& x, Norm& norm, bool training, ConvolutionKind kind);
// And a convolution, whose backward pass makes the activations anew instead of keeping them; bias may be undefined.
at::Tensor norm_relu_convolve(const at::Tensor& x, Norm& norm, const at::Tensor& weight, const at::Tensor& bias,
                              ConvGeometry geometry, bool training, ConvolutionKind kind);

}  // namespace covidct
