#include "core/kernels/fused.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/max_pool2d.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/kernels/norm_relu.h"
#include "core/kernels/norm_state.h"
#include "core/kernels/winograd.h"

namespace covidct {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

void keep(AutogradContext* context, variable_list tensors, const NormState& norm) {
  tensors.insert(tensors.end(), {norm.mean, norm.inverse, norm.scale, norm.shift});
  context->save_for_backward(std::move(tensors));
  context->saved_data["batch"] = norm.batch;
}

// The state among the saved tensors, from `first` on.
NormState kept_state(AutogradContext* context, const variable_list& saved, size_t first) {
  return {saved[first], saved[first + 1], saved[first + 2], saved[first + 3], context->saved_data["batch"].toBool()};
}

bool norm_needs(AutogradContext* context) {
  return context->needs_input_grad(0) || context->needs_input_grad(1) || context->needs_input_grad(2);
}

class NormRelu : public torch::autograd::Function<NormRelu> {
 public:
  // weight and bias of the norm stand in `norm` already; as arguments they get their gradients.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor&, const at::Tensor&,
                            const NormState& norm) {
    keep(context, {x}, norm);
    return norm_relu_forward(x, norm.scale, norm.shift);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Variable of_x = at::empty_like(saved[0]);
    const NormParameterGradients of =
        norm_relu_backward(channels_last(gradients[0]), saved[0], kept_state(context, saved, 1), of_x);
    return {of_x, of.weight, of.bias, Variable()};
  }
};

class NormReluPool : public torch::autograd::Function<NormReluPool> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor&, const at::Tensor&,
                            const NormState& norm) {
    keep(context, {x}, norm);
    return norm_relu_pool_forward(x, norm);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    Variable of_x;
    const NormParameterGradients of =
        norm_relu_pool_backward(channels_last(gradients[0]), saved[0], kept_state(context, saved, 1), of_x);
    return {of_x, of.weight, of.bias, Variable()};
  }
};

class NormReluConvolve : public torch::autograd::Function<NormReluConvolve> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor&, const at::Tensor&,
                            const at::Tensor& weight, const std::optional<at::Tensor>& bias, const NormState& norm,
                            ConvolutionKind kind) {
    keep(context, {x, weight}, norm);
    context->saved_data["biased"] = bias.has_value();
    context->saved_data["kind"] = static_cast<int64_t>(kind);
    const WinogradPlan plan = winograd_plan(grid_of(x), weight.size(1), weight.size(0));
    return winograd_convolve({x, norm.scale, norm.shift, {}}, winograd_filters(weight, /*flipped=*/false),
                             {bias.value_or(at::Tensor())}, plan);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], g = channels_last(gradients[0]);
    const NormState norm = kept_state(context, saved, 2);
    const TileGrid grid = grid_of(x);
    const int64_t in = weight.size(1), out = weight.size(0);
    Variable of_x, of_weight, of_bias;
    NormParameterGradients of;
    if (context->needs_input_grad(3)) {
      of_weight = filter_gradient({x, norm.scale, norm.shift, {}}, {g, {}, {}, {}}, weight,
                                  static_cast<ConvolutionKind>(context->saved_data["kind"].toInt()));
    }
    if (context->saved_data["biased"].toBool() && context->needs_input_grad(4)) of_bias = channel_sums(g, {});
    if (norm_needs(context)) {
      of_x = winograd_convolve({g, {}, {}, {}}, winograd_filters(weight, /*flipped=*/true), {},
                               winograd_plan(grid, out, in));
      of = norm_relu_backward(of_x, x, norm, of_x);
    }
    return {of_x, of.weight, of.bias, of_weight, of_bias, Variable(), Variable()};
  }
};

}  // namespace

bool supports_fused(const at::Tensor& x, ConvolutionKind kind) {
  return kind != ConvolutionKind::kLibTorch && x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 4 &&
         x.numel() > 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor norm_relu(const at::Tensor& x, Norm& norm, bool training, ConvolutionKind kind) {
  if (!supports_fused(x, kind)) return batch_norm(x, norm, training).relu_();
  return NormRelu::apply(x, norm.weight, norm.bias, state_of(x, norm, training));
}

at::Tensor norm_relu_pool(const at::Tensor& x, Norm& norm, bool training, ConvolutionKind kind) {
  if (!supports_fused(x, kind) || x.size(2) < 2 || x.size(3) < 2)
    return at::max_pool2d(norm_relu(x, norm, training, kind), {2, 2}, {2, 2});
  return NormReluPool::apply(x, norm.weight, norm.bias, state_of(x, norm, training));
}

at::Tensor norm_relu_convolve(const at::Tensor& x, Norm& norm, const at::Tensor& weight, const at::Tensor& bias,
                              ConvGeometry geometry, bool training, ConvolutionKind kind) {
  if (!supports_fused(x, kind) || !is_own_convolution(x, weight, geometry, kind))
    return convolve(norm_relu(x, norm, training, kind), weight, bias, geometry, kind);
  const auto optional = bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  return NormReluConvolve::apply(x, norm.weight, norm.bias, weight, optional, state_of(x, norm, training), kind);
}

}  // namespace covidct
