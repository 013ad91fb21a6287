#include "core/nn/network.h"

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/silu.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "core/kernels/dense_block.h"
#include "core/kernels/fused.h"
#include "core/kernels/small_batch_linear.h"
#include "core/nn/dense_block.h"
#include "core/runtime/failure.h"

namespace covidct {

namespace {

// Hands out the watched layer.
at::Tensor after_step(const std::string& layer, at::Tensor x, ForwardPass& pass) {
  require_not_stopped(pass);
  if (pass.watch.empty() || layer != pass.watch) return x;
  // From here on a graph is needed, and only from here on: the caller restores the grad mode.
  c10::GradMode::set_enabled(true);
  pass.watched = x.detach().requires_grad_(true);
  return pass.watched;
}

// Multiplies by a mask of so many draws with a generator of our own, so that a mask depends on its seed alone.
at::Tensor drop(const at::Tensor& x, at::Tensor mask, double p, ForwardPass& pass) {
  {
    c10::AutoGradMode no_grad(false);
    mask.bernoulli_(1.0 - p, pass.dropout).div_(1.0 - p);
  }
  return x.mul(mask);
}

// In float32 whatever x is: in bfloat16 1 / (1 - p) would be off by up to a part in 500.
at::Tensor dropout(const at::Tensor& x, double p, ForwardPass& pass) {
  return !pass.training || p == 0.0 ? x : drop(x, at::empty_like(x, at::kFloat), p, pass);
}

at::Tensor stochastic_depth(const at::Tensor& x, double p, ForwardPass& pass) {
  if (!pass.training || p == 0.0) return x;
  return drop(x, at::empty({x.size(0), 1, 1, 1}, x.options().dtype(at::kFloat)), p, pass);
}

at::Tensor pooled(const at::Tensor& x, const Node& node) {
  const auto [kernel, stride, padding, ceil_mode] = node.pool;
  if (node.op == Op::kAvgPool)
    return at::avg_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding}, ceil_mode);
  return at::max_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding}, {1, 1}, ceil_mode);
}

// Whether the backward pass of the node does without its output.
bool forgets_output(Op op) { return op == Op::kConv || op == Op::kNorm || op == Op::kLinear || op == Op::kAdd; }

Graph drawn(const Architecture& architecture, const NetworkOptions& options) {
  Graph graph = architecture.describe(options);
  Initializer draw = options.random ? Initializer(options.seed) : Initializer();
  for (const size_t i : graph.draw_order()) draw.weight_and_bias(graph[i].weight, graph[i].bias);
  architecture.initialize(graph, draw);
  return graph;
}

}  // namespace

void require_not_stopped(const ForwardPass& pass) {
  if (pass.stop != nullptr && pass.stop->load(std::memory_order_relaxed)) {
    throw Failure("ERR_ABORTED", "the classifier was stopped in the middle of a forward pass");
  }
}

Network::Network(const Architecture& architecture, const NetworkOptions& options)
    : graph_(drawn(architecture, options)),
      convolution_(options.convolution),
      tensors_(graph_.tensors()),
      fused_(fused_schedule(graph_, /*watchable=*/false)),
      watched_(fused_schedule(graph_, /*watchable=*/true)),
      predicted_(folded_schedule(graph_)),
      folded_(options.convolution) {
  int64_t linear = 0;
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    overwritable_.push_back(forgets_output(graph_[i].op) && graph_.consumers(i).size() == 1);
    linear += graph_[i].op == Op::kLinear ? 1 : 0;
  }
  has_hidden_layers_ = linear > 1;
  for (Step& step : predicted_) {
    if (step.fusion != Fusion::kFoldedConv) continue;
    Node& conv = graph_[step.first()];
    Node& next = graph_[step.nodes.size() > 1 ? step.nodes[1] : step.first()];
    step.folded = folded_.add(
        {conv.weight, conv.bias, next.op == Op::kNorm ? &next.norm : nullptr, conv.geometry, step.relu, step.pool});
  }
}

at::Tensor Network::features(at::Tensor x, ForwardPass& pass) {
  x = to_layout(x, kind(pass));
  return run(pass.watch.empty() ? fused_ : watched_, 0, graph_.features(), std::move(x), pass);
}

at::Tensor Network::head(at::Tensor x, ForwardPass& pass) {
  return run(pass.watch.empty() ? fused_ : watched_, graph_.features(), graph_.nodes().size() - 1, std::move(x), pass);
}

at::Tensor Network::run(const Schedule& schedule, size_t from, size_t to, at::Tensor x, ForwardPass& pass) {
  std::vector<at::Tensor> values(graph_.nodes().size());
  values[from] = std::move(x);
  for (const Step& step : schedule) {
    if (step.last() <= from || step.last() > to) continue;
    values[step.last()] = after_step(graph_[step.last()].layer, compute(step, values, pass), pass);
    for (const size_t each : step.release) values[each] = at::Tensor();
  }
  return values[to];
}

at::Tensor Network::compute(const Step& step, const std::vector<at::Tensor>& values, ForwardPass& pass) {
  Node &node = graph_[step.first()], &last = graph_[step.last()];
  const at::Tensor& x = values[node.inputs.front()];
  switch (step.fusion) {
    case Fusion::kConvReLU:
      return convolve_relu(x, node.weight, node.bias, node.geometry, kind(pass));
    case Fusion::kNormReLU:
      return norm_relu(x, node.norm, pass.training, kind(pass));
    case Fusion::kNormReLUPool:
      return norm_relu_pool(x, node.norm, pass.training, kind(pass));
    case Fusion::kNormReLUConv:
      return norm_relu_convolve(x, node.norm, last.weight, last.bias, last.geometry, pass.training, kind(pass));
    case Fusion::kDenseBlock:
      return dense(step, x, pass);
    case Fusion::kLinearReLU:
      return linear(node, x, /*relu=*/true, pass);
    default: {
      std::vector<at::Tensor> inputs;
      for (const size_t each : node.inputs) inputs.push_back(values[each]);
      return compute(node, inputs, pass);
    }
  }
}

at::Tensor Network::dense(const Step& step, const at::Tensor& x, ForwardPass& pass) {
  std::vector<DenseLayer> layers;
  for (size_t at = 0; at < step.nodes.size(); at += kDenseLayerNodes) {
    const auto node = [&](size_t which) -> Node& { return graph_[step.nodes[at + which]]; };
    layers.push_back({&node(0).norm, node(2).weight, &node(3).norm, node(5).weight, node(5).geometry});
  }
  return dense_block(x, layers, pass.training, kind(pass), [&] { require_not_stopped(pass); });
}

at::Tensor Network::linear(const Node& node, const at::Tensor& x, bool relu, const ForwardPass& pass) const {
  // A single linear layer is too small a part of a prediction to be worth it.
  if (has_hidden_layers_ && !pass.training && kind(pass) != ConvolutionKind::kLibTorch &&
      takes_few_rows(x, node.weight)) {
    return few_rows_linear(x, node.weight, node.bias, relu);
  }
  at::Tensor y = at::linear(x, node.weight, node.bias);
  return relu ? y.relu_() : y;
}

at::Tensor Network::compute(Node& node, const std::vector<at::Tensor>& inputs, ForwardPass& pass) {
  const size_t input = node.inputs.front();
  at::Tensor x = inputs.front();
  // What was watched is a leaf, and stays as it is.
  const bool in_place = overwritable_[input] && (pass.watch.empty() || graph_[input].layer != pass.watch);
  switch (node.op) {
    case Op::kConv:
      return convolve(x, node.weight, node.bias, node.geometry, kind(pass));
    case Op::kNorm:
      return batch_norm(x, node.norm, pass.training);
    case Op::kReLU:
      return in_place ? x.relu_() : x.relu();
    case Op::kSiLU:
      return in_place && !c10::GradMode::is_enabled() ? at::silu_(x) : at::silu(x);
    case Op::kSigmoid:
      return x.sigmoid();
    case Op::kMaxPool:
    case Op::kAvgPool:
      return pooled(x, node);
    case Op::kAdaptiveAvgPool:
      return at::adaptive_avg_pool2d(x, {node.side, node.side});
    case Op::kAdd:
      return in_place ? x.add_(inputs.back()) : x.add(inputs.back());
    case Op::kMultiply:
      return x.mul(inputs.back());
    case Op::kConcat:
      return at::cat(inputs, 1);
    case Op::kFlatten:
      return x.flatten(1);
    case Op::kLinear:
      return linear(node, x, /*relu=*/false, pass);
    case Op::kDropout:
      return dropout(x, node.p, pass);
    case Op::kStochasticDepth:
      return stochastic_depth(x, node.p, pass);
    case Op::kInput:
      break;
  }
  return x;
}

}  // namespace covidct
