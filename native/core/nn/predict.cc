// Predictions by the shortest way: batch norms folded into the convolutions before them.
#include <algorithm>

#include "core/kernels/dense_maps.h"
#include "core/kernels/fused.h"
#include "core/nn/network.h"

namespace covidct {

namespace {

// Bounds of what is concatenated are measured where they are beyond this: all that follows starts from them.
constexpr double kLooseInConcat = 1e6;

// Infinity times zero is no bound, and would not be seen in a maximum.
double proven_or_none(double most) { return most <= kSafe ? most : kUnproven; }

// What no output of a node exceeds when its inputs do not exceed these.
double bound(const Node& node, const std::vector<double>& inputs) {
  const double most = *std::max_element(inputs.begin(), inputs.end());
  switch (node.op) {
    case Op::kSigmoid:
      return most <= kSafe ? 1 : kUnproven;
    case Op::kAdd:
      return proven_or_none(inputs.front() + inputs.back());
    case Op::kMultiply:
      return proven_or_none(inputs.front() * inputs.back());
    case Op::kConv:
    case Op::kNorm:
    case Op::kLinear:
      return kUnproven;  // Only as parts of a step are their bounds known.
    default:
      return most;
  }
}

}  // namespace

at::Tensor Network::predict_features(at::Tensor x, ForwardPass& pass) {
  const at::Tensor pixels = to_layout(x, convolution_);
  if (supports_fused(pixels, convolution_)) {
    const Bounded features = folded_features(measured(pixels), pass);
    if (features.proven()) return features.x;
    pass.plain = true;  // Something may not be finite: LibTorch's layers tell what and where.
  }
  return features(std::move(x), pass);
}

Bounded Network::folded_features(const Bounded& pixels, ForwardPass& pass) {
  folded_.begin();
  std::vector<Bounded> values(graph_.nodes().size());
  values[0] = pixels;
  for (const Step& step : predicted_) {
    Bounded y = compute_folded(step, values, pass);
    require_not_stopped(pass);
    values[step.last()] = std::move(y);
    for (const size_t each : step.release) values[each] = {};
  }
  return values[graph_.features()];
}

// The maps of a whole block have one tensor, in the place of its last concatenation. The first one copies all of its
// inputs there, every later one only what is new.
Bounded Network::dense_concat(const Step& step, std::vector<Bounded>& values) const {
  const Node& node = graph_[step.first()];
  at::Tensor& whole = values[step.whole].x;
  const bool is_first = !whole.defined();
  if (is_first) whole = empty_maps(values[node.inputs.front()].x, graph_[step.whole].channels);
  double most = 0;
  int64_t at = 0;
  for (const size_t each : node.inputs) {
    const Bounded& part = values[each];
    if (is_first || each == node.inputs.back()) copy_maps(part.x, whole, at);
    at += graph_[each].channels;
    most = std::max(most, part.most);
  }
  return {whole.narrow(1, 0, at), most};
}

Bounded Network::compute_folded(const Step& step, std::vector<Bounded>& values, ForwardPass& pass) {
  Node& node = graph_[step.first()];
  const Bounded& x = values[node.inputs.front()];
  if (step.fusion == Fusion::kFoldedConv) {
    const Bounded y = folded_.run(step.folded, x, step.added == 0 ? nullptr : &values[step.added]);
    return step.concatenated ? tightened(y, kLooseInConcat) : y;
  }
  if (step.fusion == Fusion::kDenseConcat) return dense_concat(step, values);
  if (step.fusion == Fusion::kNormReLU) return folded_.norm_relu(x, node.norm);
  std::vector<at::Tensor> inputs;
  std::vector<double> bounds;
  for (const size_t each : node.inputs) {
    inputs.push_back(values[each].x);
    bounds.push_back(values[each].most);
  }
  return {compute(node, inputs, pass), bound(node, bounds)};
}

}  // namespace covidct
