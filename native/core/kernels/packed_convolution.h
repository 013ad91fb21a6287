// LibTorch's convolution with filters reordered once, bias, sum and ReLU in the same pass; the CPU's, for prediction
// alone.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/kernels/convolution.h"

namespace covidct {

// The filters in the order that oneDNN wants for such an x, or as they are where this LibTorch has no oneDNN.
at::Tensor pack_filters(const at::Tensor& weight, ConvGeometry geometry, const at::Tensor& x);

// weight: packed or not. bias and added may be undefined; the ReLU comes last.
at::Tensor packed_convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                              ConvGeometry geometry, const at::Tensor& added, bool relu);

}  // namespace covidct
