// The linear layers of a prediction of few rows: every weight is read once, as fast as memory gives it.
#pragma once

#include <ATen/core/Tensor.h>

namespace covidct {

// Whether few_rows_linear is to be used: float32 on the CPU, contiguous, no gradient wanted, few rows of whole vectors.
bool takes_few_rows(const at::Tensor& x, const at::Tensor& weight);

// x: [n, in], weight: [out, in], bias: [out]. Returns [n, out], behind a ReLU where `relu` is set,
// equal to at::linear to rounding; a row's bits do not depend on the rows beside it.
at::Tensor few_rows_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool relu);

}  // namespace covidct
