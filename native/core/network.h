// What every architecture is: named tensors in torchvision's order and a forward pass.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace covidct {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  bool is_parameter;  // otherwise a buffer
};

// How one forward pass runs, and what it leaves behind.
struct ForwardPass {
  bool training = false;
  // Source of the dropout masks; needed when training.
  std::optional<at::Generator> dropout;
  // When set, the pass stops between two layers with ERR_ABORTED.
  const std::atomic<bool>* stop = nullptr;
  // Name of the layer to look at. Everything before it runs without a graph; its output becomes a leaf.
  std::string watch;
  at::Tensor watched;
};

class Network {
 public:
  virtual ~Network() = default;
  // x: float32, n x 3 x height x width. Returns logits, n x classes.
  virtual at::Tensor forward(at::Tensor x, ForwardPass& pass) = 0;
  // Parameters and buffers in the order of torchvision's state_dict.
  virtual std::vector<NamedTensor>& tensors() = 0;
  // Layers that can be watched, in order.
  virtual std::vector<std::string> layers() const = 0;
  virtual std::string default_layer() const = 0;
};

// To be called after every layer: notices a stop and hands out the watched layer.
at::Tensor after_layer(const std::string& name, at::Tensor x, ForwardPass& pass);

// torch.nn.functional.dropout with a generator of our own, so that a mask depends on its seed alone.
at::Tensor dropout(const at::Tensor& x, double p, ForwardPass& pass);

}  // namespace covidct
