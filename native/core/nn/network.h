// A network that computes: a list of nodes, run node by node or with what one pass over the pixels serves together.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/kernels/folded.h"
#include "core/nn/architecture.h"
#include "core/nn/graph.h"
#include "core/nn/schedule.h"

namespace covidct {

// How one forward pass runs, and what it leaves behind.
struct ForwardPass {
  bool training = false;
  // Source of the dropout masks; needed when training.
  std::optional<at::Generator> dropout;
  // When set, the pass stops between two nodes with ERR_ABORTED.
  const std::atomic<bool>* stop = nullptr;
  // Name of the layer to look at. Everything before it runs without a graph; its output becomes a leaf.
  std::string watch;
  at::Tensor watched;
  // LibTorch's layers one after another, whatever convolutions the network was made with.
  bool plain = false;
};

// Throws ERR_ABORTED where the pass is to stop.
void require_not_stopped(const ForwardPass& pass);

class Network {
 public:
  Network(const Architecture& architecture, const NetworkOptions& options);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // x: float32 [n, channels, h, w]. Returns logits, [n, classes].
  at::Tensor forward(at::Tensor x, ForwardPass& pass) { return head(features(std::move(x), pass), pass); }
  // Computes the same in evaluation mode without a graph, by the shortest way; may keep what it has prepared from the
  // weights.
  at::Tensor predict(at::Tensor x, ForwardPass& pass) { return head(predict_features(std::move(x), pass), pass); }
  // The backbone with its last pooling.
  at::Tensor features(at::Tensor x, ForwardPass& pass);
  at::Tensor predict_features(at::Tensor x, ForwardPass& pass);
  // From features to logits.
  at::Tensor head(at::Tensor features, ForwardPass& pass);
  // Must be called after every change of a parameter or buffer: what was prepared from them is dropped.
  void weights_changed() { folded_.forget(); }
  // Bytes of what is kept for predictions.
  int64_t prepared_bytes() const { return folded_.bytes(); }

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }
  std::vector<NamedTensor>& tensors() { return tensors_; }

 private:
  ConvolutionKind kind(const ForwardPass& pass) const { return pass.plain ? ConvolutionKind::kLibTorch : convolution_; }
  // Runs the steps from the output of node `from` on to that of node `to`.
  at::Tensor run(const Schedule& schedule, size_t from, size_t to, at::Tensor x, ForwardPass& pass);
  at::Tensor compute(const Step& step, const std::vector<at::Tensor>& values, ForwardPass& pass);
  at::Tensor compute(Node& node, const std::vector<at::Tensor>& inputs, ForwardPass& pass);
  at::Tensor dense(const Step& step, const at::Tensor& x, ForwardPass& pass);
  at::Tensor linear(const Node& node, const at::Tensor& x, bool relu, const ForwardPass& pass) const;
  // Computes the features as far as their numbers are proven to be finite. x: as supports_fused wants it.
  Bounded folded_features(const Bounded& x, ForwardPass& pass);
  Bounded compute_folded(const Step& step, std::vector<Bounded>& values, ForwardPass& pass);
  Bounded dense_concat(const Step& step, std::vector<Bounded>& values) const;

  Graph graph_;
  ConvolutionKind convolution_;
  std::vector<NamedTensor> tensors_;
  Schedule fused_, watched_, predicted_;
  std::vector<bool> overwritable_;  // whether what takes the output of a node may write over it
  bool has_hidden_layers_;          // in the head
  Folded folded_;                   // refers to graph_
};

}  // namespace covidct
