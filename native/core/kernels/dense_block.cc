#include "core/kernels/dense_block.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/kernels/dense_maps.h"
#include "core/kernels/fused.h"

namespace covidct {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;
using Maps = c10::intrusive_ptr<DenseMaps>;

// The nodes of a block share its maps, beside the tensors that they pass on. Each passes on all maps, so that its
// backward pass comes after those of all that read what it wrote; but these return no gradient: they add theirs to the
// shared one.
void keep(AutogradContext* context, const Maps& maps) {
  context->saved_data["maps"] = c10::IValue::make_capsule(maps);
  context->set_materialize_grads(false);
}

Maps kept(AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<DenseMaps>(context->saved_data["maps"].toCapsule());
}

// The gradient from behind the block becomes the shared one; a copy of it where somebody else may hold it.
void begin_backward(DenseMaps& maps, const Variable& g) {
  if (!g.defined()) return;
  const bool ours = g.use_count() == 1 && g.storage().use_count() == 1 && channels_last(g).is_same(g);
  maps.begin_backward(ours ? g : g.clone(at::MemoryFormat::ChannelsLast));
}

// Copies the block's input, x, to the maps.
class DenseBegin : public torch::autograd::Function<DenseBegin> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Maps& maps) {
    context->saved_data["channels"] = x.size(1);
    keep(context, maps);
    return maps->alias();
  }

  static variable_list backward(AutogradContext* context, const variable_list&) {
    const Maps maps = kept(context);
    const Variable of_x = maps->gradient(0, context->saved_data["channels"].toInt());
    maps->release();
    return {of_x, Variable()};
  }
};

// The first half of a layer: batch norm, ReLU and the narrow convolution of all maps so far. The activations are made
// anew in the backward pass.
class DenseNarrow : public torch::autograd::Function<DenseNarrow> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                            const at::Tensor& weight, const NormState& norm, const Maps& maps) {
    context->save_for_backward({weight, norm.mean, norm.inverse, norm.scale, norm.shift});
    context->saved_data["batch"] = norm.batch;
    keep(context, maps);
    return at::conv2d(maps->norm_relu(norm), weight);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const NormState norm{saved[1], saved[2], saved[3], saved[4], context->saved_data["batch"].toBool()};
    const Maps maps = kept(context);
    const bool norm_needs =
        context->needs_input_grad(0) || context->needs_input_grad(1) || context->needs_input_grad(2);
    const auto [of_y, of_weight, of_bias] =
        at::convolution_backward(gradients[0], maps->norm_relu(norm), saved[0], c10::nullopt, {1, 1}, {0, 0}, {1, 1},
                                 false, {0, 0}, 1, {norm_needs, context->needs_input_grad(3), false});
    NormParameterGradients of;
    if (norm_needs) of = maps->add_gradient(channels_last(of_y), norm);
    return {Variable(), of.weight, of.bias, of_weight, Variable(), Variable()};
  }
};

// Copies what a layer adds, y, to the maps.
class DenseJoin : public torch::autograd::Function<DenseJoin> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor&, const at::Tensor& y, int64_t first,
                            const Maps& maps) {
    context->saved_data["first"] = first;
    context->saved_data["channels"] = y.size(1);
    keep(context, maps);
    maps->append(y);
    return maps->alias();
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Maps maps = kept(context);
    begin_backward(*maps, gradients[0]);
    Variable of_y;
    if (context->needs_input_grad(1))
      of_y = maps->gradient(context->saved_data["first"].toInt(), context->saved_data["channels"].toInt());
    return {Variable(), of_y, Variable(), Variable()};
  }
};

// The layers one after another.
at::Tensor copying_block(const at::Tensor& x, const std::vector<DenseLayer>& layers, bool training,
                         ConvolutionKind kind, const std::function<void()>& after_layer) {
  std::vector<at::Tensor> all = {x};
  for (const DenseLayer& layer : layers) {
    const at::Tensor joined = all.size() == 1 ? x : at::cat(all, 1);
    const at::Tensor narrow = norm_relu_convolve(joined, *layer.norm, layer.narrow, {}, {}, training, kind);
    all.push_back(norm_relu_convolve(narrow, *layer.narrow_norm, layer.weight, {}, layer.geometry, training, kind));
    after_layer();
  }
  return at::cat(all, 1);
}

}  // namespace

at::Tensor dense_block(const at::Tensor& x, const std::vector<DenseLayer>& layers, bool training, ConvolutionKind kind,
                       const std::function<void()>& after_layer) {
  if (!supports_fused(x, kind)) return copying_block(x, layers, training, kind, after_layer);
  int64_t channels = x.size(1);
  bool measured = false;
  for (const DenseLayer& layer : layers) {
    channels += layer.weight.size(0);
    measured |= layer.norm->takes_batch_statistics(training);
  }
  if (measured) require_variance(x);
  const auto maps = c10::make_intrusive<DenseMaps>(x.detach(), channels, measured);
  at::Tensor all = DenseBegin::apply(x, maps);
  for (int64_t filled = x.size(1); const DenseLayer& layer : layers) {
    const bool by_batch = layer.norm->takes_batch_statistics(training);
    const Moments moments = maps->moments(filled);
    const NormState state = state_by(*layer.norm, by_batch ? &moments : nullptr);
    const at::Tensor narrow = DenseNarrow::apply(all, layer.norm->weight, layer.norm->bias, layer.narrow, state, maps);
    const at::Tensor y =
        norm_relu_convolve(narrow, *layer.narrow_norm, layer.weight, {}, layer.geometry, training, kind);
    all = DenseJoin::apply(all, channels_last(y), filled, maps);
    filled += layer.weight.size(0);
    after_layer();
  }
  return all;
}

}  // namespace covidct
