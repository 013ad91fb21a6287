#include "core/kernels/packed_convolution.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/conv2d.h>

namespace covidct {

namespace {

using Operator = std::optional<c10::OperatorHandle>;

// The operator that torch.compile calls too; no function of LibTorch's C++ API leads to it.
Operator find(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchema({name, overload});
}

std::vector<int64_t> twice(int64_t value) { return {value, value}; }

at::Tensor call(const c10::OperatorHandle& op, torch::jit::Stack stack) {
  op.callBoxed(&stack);
  return stack.front().toTensor();
}

}  // namespace

at::Tensor pack_filters(const at::Tensor& weight, ConvGeometry geometry, const at::Tensor& x) {
  static const Operator reorder = find("mkldnn::_reorder_convolution_weight", ""),
                        convolve = find("mkldnn::_convolution_pointwise", "");
  if (!reorder || !convolve) return weight;
  torch::jit::Stack arguments = {weight,   twice(geometry.padding), twice(geometry.stride),
                                 twice(1), geometry.groups,         x.sizes().vec()};
  return call(*reorder, std::move(arguments));
}

at::Tensor packed_convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                              ConvGeometry geometry, const at::Tensor& added, bool relu) {
  const c10::IValue shift = bias.defined() ? c10::IValue(bias) : c10::IValue();
  if (!weight.is_mkldnn()) {
    at::Tensor y = at::conv2d(x, weight, bias, {geometry.stride, geometry.stride}, {geometry.padding, geometry.padding},
                              {1, 1}, geometry.groups);
    if (added.defined()) y.add_(added);
    return relu ? y.relu_() : y;
  }
  const c10::List<std::optional<at::Scalar>> none;
  if (!added.defined()) {
    static const Operator plain = find("mkldnn::_convolution_pointwise", "");
    return call(*plain, {x, weight, shift, twice(geometry.padding), twice(geometry.stride), twice(1), geometry.groups,
                         relu ? "relu" : "none", none, c10::IValue()});
  }
  static const Operator binary = find("mkldnn::_convolution_pointwise", "binary");
  return call(*binary,
              {x, added, weight, shift, twice(geometry.padding), twice(geometry.stride), twice(1), geometry.groups,
               "add", c10::IValue(), relu ? c10::IValue("relu") : c10::IValue(), none, c10::IValue()});
}

}  // namespace covidct
