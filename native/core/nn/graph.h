// A network as a list of nodes under torchvision's names: what it computes, in the order in which it computes it. All
// else follows from the list: tensors and their order, layers to look at, the head, what can be frozen.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "core/kernels/convolution.h"
#include "core/kernels/norm.h"

namespace covidct {

enum class Op {
  kInput,
  kConv,
  kNorm,
  kReLU,
  kSiLU,
  kSigmoid,
  kMaxPool,
  kAvgPool,
  kAdaptiveAvgPool,
  kAdd,
  kMultiply,
  kConcat,
  kFlatten,
  kLinear,
  kDropout,
  kStochasticDepth,
};

// A parameter or buffer under torchvision's name.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  bool is_parameter;  // otherwise a buffer
};

struct Pool {
  int64_t kernel, stride, padding = 0;
  bool ceil_mode = false;
};

struct Node {
  Op op;
  std::string name;                   // torchvision's name of the module; empty where it has none
  std::vector<size_t> inputs;         // earlier nodes
  int64_t channels = 0;               // of the output: [n, channels, h, w], or [n, channels] behind a flatten
  at::Tensor weight = {}, bias = {};  // convolution and linear; bias may be undefined
  Norm norm = {};
  ConvGeometry geometry = {};
  Pool pool = {};
  int64_t side = 0;        // height and width of an adaptive pool's output
  double p = 0;            // probability of a dropout or of a stochastic depth
  std::string layer = {};  // name under which its output can be looked at; empty where it cannot
};

// Parameters of Graph::conv.
struct Conv {
  int64_t out, kernel, stride = 1, padding = 0, groups = 1;
  bool bias = false;
};

class Graph {
 public:
  // Node 0 is the input, [n, channels, h, w].
  explicit Graph(int64_t channels);

  // Each appends a node and returns its number. `x` and the like are numbers of earlier nodes.
  size_t conv(const std::string& name, size_t x, const Conv& conv);
  size_t norm(const std::string& name, size_t x);
  size_t relu(const std::string& name, size_t x) { return unary(Op::kReLU, name, x); }
  size_t silu(const std::string& name, size_t x) { return unary(Op::kSiLU, name, x); }
  size_t sigmoid(const std::string& name, size_t x) { return unary(Op::kSigmoid, name, x); }
  size_t max_pool(const std::string& name, size_t x, const Pool& pool) { return pooling(Op::kMaxPool, name, x, pool); }
  size_t avg_pool(const std::string& name, size_t x, const Pool& pool) { return pooling(Op::kAvgPool, name, x, pool); }
  size_t adaptive_avg_pool(const std::string& name, size_t x, int64_t side);
  size_t add(size_t x, size_t y);
  // y is [n, c, h, w] or [n, c, 1, 1].
  size_t multiply(size_t x, size_t y);
  size_t concat(const std::vector<size_t>& all);
  size_t flatten(size_t x);
  size_t linear(const std::string& name, size_t x, int64_t out);
  size_t dropout(const std::string& name, size_t x, double p) { return dropping(Op::kDropout, name, x, p); }
  // Drops whole images of a branch.
  size_t stochastic_depth(const std::string& name, size_t x, double p) {
    return dropping(Op::kStochasticDepth, name, x, p);
  }

  // Gives the output of x a name under which it can be looked at. Returns x.
  size_t layer(const std::string& name, size_t x);
  // Grad-CAM looks at x unless another layer is named. Returns x.
  size_t default_layer(size_t x) { return default_layer_ = x; }
  // The backbone ends with x: what follows is the head, whose names begin with `prefix`. Returns x.
  size_t head_after(size_t x, std::string prefix);
  // PyTorch makes, and so draws, the weight of `node` before that of `other`, though the order of names is another.
  void drawn_before(size_t node, size_t other);

  std::vector<Node>& nodes() { return nodes_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& operator[](size_t i) const { return nodes_[i]; }
  Node& operator[](size_t i) { return nodes_[i]; }
  // Nodes that take the output of node i.
  const std::vector<size_t>& consumers(size_t i) const { return consumers_[i]; }
  // The last node of the backbone.
  size_t features() const { return features_; }
  const std::string& head_prefix() const { return head_prefix_; }
  // Width of the features, [n, width]; 0 where they are maps whose size depends on the image's.
  int64_t feature_width() const;
  const std::string& default_layer() const { return nodes_[default_layer_].layer; }
  std::vector<std::string> layers() const;
  // Parameters and buffers in the order of torchvision's state_dict.
  std::vector<NamedTensor> tensors() const;
  // Batch norm layers by name, in order.
  std::vector<std::pair<std::string, Norm*>> norms();
  // Convolutions and linear layers in the order in which PyTorch makes them.
  const std::vector<size_t>& draw_order() const { return draw_order_; }

 private:
  size_t append(Node node);
  size_t unary(Op op, const std::string& name, size_t x);
  size_t pooling(Op op, const std::string& name, size_t x, const Pool& pool);
  size_t dropping(Op op, const std::string& name, size_t x, double p);

  std::vector<Node> nodes_;
  std::vector<std::vector<size_t>> consumers_;
  std::vector<size_t> draw_order_;
  std::string head_prefix_;
  size_t features_ = 0, default_layer_ = 0;
};

// The field's name of an operation: `conv`, `norm`, `relu` and so on.
const char* op_name(Op op);

}  // namespace covidct
