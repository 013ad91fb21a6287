// Every convolution of the networks: LibTorch's, or our own where it is faster.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/kernels/winograd.h"
#include "core/runtime/precision.h"

namespace covidct {

enum class ConvolutionKind {
  kAuto,      // our own where it is known to win
  kLibTorch,  // always LibTorch's: PyTorch's numbers bit for bit
  kWinograd,  // our own for every 3 x 3 of stride 1 and padding 1 in float32 on the CPU
};

// `auto`, `libtorch` or `winograd`. Our own computes in float32 alone: with bf16 `auto` is LibTorch's and `winograd` is
// refused. Throws ERR_INVALID_OPTION.
ConvolutionKind to_convolution_kind(const std::string& name, Precision precision);

// The memory format that makes the convolutions of this kind fast on the device of x.
at::Tensor to_layout(const at::Tensor& x, ConvolutionKind kind);

// x itself where it is that already.
at::Tensor channels_last(const at::Tensor& x);

struct ConvGeometry {
  int64_t stride = 1, padding = 0, groups = 1;
};

// Whether a convolution of these is our own.
bool is_own_convolution(const at::Tensor& x, const at::Tensor& weight, ConvGeometry geometry, ConvolutionKind kind);

// x: [n, in, h, w]; weight: [out, in / groups, k, k]; bias: [out] or undefined. Differentiable once.
at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, ConvGeometry geometry,
                    ConvolutionKind kind);
// And a ReLU.
at::Tensor convolve_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, ConvGeometry geometry,
                         ConvolutionKind kind);

// For the backward pass of our own convolution: the gradient of its filters, [out, in, 3, 3], contiguous, of its input
// and the gradient of its output; by LibTorch where there are so few tiles that ours would be less exact.
at::Tensor filter_gradient(const WinogradInput& input, const WinogradInput& gradient, const at::Tensor& weight,
                           ConvolutionKind kind);

}  // namespace covidct
