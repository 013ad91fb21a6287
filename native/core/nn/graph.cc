#include "core/nn/graph.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace covidct {

Graph::Graph(int64_t channels) { append({Op::kInput, "", {}, channels}); }

size_t Graph::append(Node node) {
  for (const size_t input : node.inputs) consumers_[input].push_back(nodes_.size());
  consumers_.emplace_back();
  nodes_.push_back(std::move(node));
  return nodes_.size() - 1;
}

size_t Graph::unary(Op op, const std::string& name, size_t x) { return append({op, name, {x}, nodes_[x].channels}); }

size_t Graph::conv(const std::string& name, size_t x, const Conv& conv) {
  Node node{Op::kConv, name, {x}, conv.out};
  node.weight = at::empty({conv.out, nodes_[x].channels / conv.groups, conv.kernel, conv.kernel}, at::kFloat);
  if (conv.bias) node.bias = at::empty({conv.out}, at::kFloat);
  node.geometry = {conv.stride, conv.padding, conv.groups};
  draw_order_.push_back(nodes_.size());
  return append(std::move(node));
}

size_t Graph::norm(const std::string& name, size_t x) {
  const size_t node = unary(Op::kNorm, name, x);
  nodes_[node].norm = make_norm(nodes_[x].channels);
  return node;
}

size_t Graph::pooling(Op op, const std::string& name, size_t x, const Pool& pool) {
  const size_t node = unary(op, name, x);
  nodes_[node].pool = pool;
  return node;
}

size_t Graph::dropping(Op op, const std::string& name, size_t x, double p) {
  const size_t node = unary(op, name, x);
  nodes_[node].p = p;
  return node;
}

size_t Graph::adaptive_avg_pool(const std::string& name, size_t x, int64_t side) {
  const size_t node = unary(Op::kAdaptiveAvgPool, name, x);
  nodes_[node].side = side;
  return node;
}

size_t Graph::add(size_t x, size_t y) { return append({Op::kAdd, "", {x, y}, nodes_[x].channels}); }

size_t Graph::multiply(size_t x, size_t y) { return append({Op::kMultiply, "", {x, y}, nodes_[x].channels}); }

size_t Graph::concat(const std::vector<size_t>& all) {
  int64_t channels = 0;
  for (const size_t x : all) channels += nodes_[x].channels;
  return append({Op::kConcat, "", all, channels});
}

size_t Graph::flatten(size_t x) {
  const int64_t side = nodes_[x].side;  // Only behind an adaptive pool is the width known, and the same for all images.
  return append({Op::kFlatten, "", {x}, nodes_[x].channels * side * side});
}

size_t Graph::linear(const std::string& name, size_t x, int64_t out) {
  Node node{Op::kLinear, name, {x}, out};
  node.weight = at::empty({out, nodes_[x].channels}, at::kFloat);
  node.bias = at::empty({out}, at::kFloat);
  draw_order_.push_back(nodes_.size());
  return append(std::move(node));
}

size_t Graph::layer(const std::string& name, size_t x) {
  nodes_[x].layer = name;
  return x;
}

size_t Graph::head_after(size_t x, std::string prefix) {
  head_prefix_ = std::move(prefix);
  return features_ = x;
}

void Graph::drawn_before(size_t node, size_t other) {
  draw_order_.erase(std::find(draw_order_.begin(), draw_order_.end(), node));
  draw_order_.insert(std::find(draw_order_.begin(), draw_order_.end(), other), node);
}

int64_t Graph::feature_width() const {
  const Node& node = nodes_[features_];
  return node.op == Op::kFlatten ? node.channels : 0;
}

std::vector<std::string> Graph::layers() const {
  std::vector<std::string> names;
  for (const Node& node : nodes_) {
    if (!node.layer.empty()) names.push_back(node.layer);
  }
  return names;
}

std::vector<NamedTensor> Graph::tensors() const {
  std::vector<NamedTensor> all;
  for (const Node& node : nodes_) {
    if (node.op == Op::kNorm) {
      all.push_back({node.name + ".weight", node.norm.weight, true});
      all.push_back({node.name + ".bias", node.norm.bias, true});
      all.push_back({node.name + ".running_mean", node.norm.mean, false});
      all.push_back({node.name + ".running_var", node.norm.variance, false});
      all.push_back({node.name + ".num_batches_tracked", node.norm.num_batches_tracked, false});
    }
    if (node.weight.defined()) all.push_back({node.name + ".weight", node.weight, true});
    if (node.bias.defined()) all.push_back({node.name + ".bias", node.bias, true});
  }
  return all;
}

std::vector<std::pair<std::string, Norm*>> Graph::norms() {
  std::vector<std::pair<std::string, Norm*>> all;
  for (Node& node : nodes_) {
    if (node.op == Op::kNorm) all.emplace_back(node.name, &node.norm);
  }
  return all;
}

const char* op_name(Op op) {
  switch (op) {
    case Op::kInput:
      return "input";
    case Op::kConv:
      return "conv";
    case Op::kNorm:
      return "norm";
    case Op::kReLU:
      return "relu";
    case Op::kSiLU:
      return "silu";
    case Op::kSigmoid:
      return "sigmoid";
    case Op::kMaxPool:
      return "maxPool";
    case Op::kAvgPool:
      return "avgPool";
    case Op::kAdaptiveAvgPool:
      return "adaptiveAvgPool";
    case Op::kAdd:
      return "add";
    case Op::kMultiply:
      return "multiply";
    case Op::kConcat:
      return "concat";
    case Op::kFlatten:
      return "flatten";
    case Op::kLinear:
      return "linear";
    case Op::kDropout:
      return "dropout";
    case Op::kStochasticDepth:
      return "stochasticDepth";
  }
  return "";
}

}  // namespace covidct
