// What every architecture is: named tensors in torchvision's order and a forward pass.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/kernels/bounds.h"
#include "core/kernels/convolution.h"

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
  // LibTorch's layers one after another, whatever convolutions the network was made with.
  bool plain = false;
};

struct NetworkOptions {
  int64_t classes;
  uint64_t seed;
  double dropout;
  int64_t channels = 3;  // of the input: 3 (RGB) or 1 (gray)
  ConvolutionKind convolution = ConvolutionKind::kLibTorch;
  bool random = true;  // false: parameters are undefined until they are read from a file
};

// A batch norm layer: parameters, running statistics, and whether training leaves those as they are.
struct Norm {
  at::Tensor weight, bias, mean, variance, seen;
  bool frozen = false;  // uses its running statistics in training too, and does not update them
};

// torchvision's.
constexpr double kNormMomentum = 0.1, kNormEpsilon = 1e-5;

Norm make_norm(int64_t channels);
// Throws ERR_BAD_BATCH where a batch of one value for each channel has no variance.
void require_variance(const at::Tensor& x);
at::Tensor batch_norm(const at::Tensor& x, Norm& norm, const ForwardPass& pass);
// weight, bias, running_mean, running_var, num_batches_tracked under `name`, in PyTorch's order.
void append_norm(std::vector<NamedTensor>& tensors, const std::string& name, const Norm& norm);

class Network {
 public:
  virtual ~Network() = default;
  // x: float32, n x channels x height x width. Returns logits, n x classes.
  at::Tensor forward(at::Tensor x, ForwardPass& pass) { return head(features(std::move(x), pass), pass); }
  // The same in evaluation mode without a graph, by the shortest way; may keep what it has prepared from the weights.
  at::Tensor predict(at::Tensor x, ForwardPass& pass) { return head(predict_features(std::move(x), pass), pass); }
  at::Tensor predict_features(const at::Tensor& x, ForwardPass& pass);
  // To be called after every change of a parameter or buffer: what was prepared from them is forgotten.
  virtual void weights_changed() {}
  // Of what is kept for predictions.
  virtual int64_t prepared_bytes() const { return 0; }
  // The backbone with its last pooling: n x f, f independent of height and width.
  virtual at::Tensor features(at::Tensor x, ForwardPass& pass) = 0;
  // From features to logits: the layers whose names begin with head_prefix().
  virtual at::Tensor head(at::Tensor features, ForwardPass& pass) = 0;
  // `classifier.` or `fc.`
  virtual std::string head_prefix() const = 0;
  // Batch norm layers by name (`features.1`, `layer1.0.bn1`), in order.
  virtual std::vector<std::pair<std::string, Norm*>> norms() = 0;
  // Parameters and buffers in the order of torchvision's state_dict.
  virtual std::vector<NamedTensor>& tensors() = 0;
  // Layers that can be watched, in order.
  virtual std::vector<std::string> layers() const = 0;
  virtual std::string default_layer() const = 0;

 protected:
  explicit Network(ConvolutionKind convolution) : convolution_(convolution) {}
  ConvolutionKind kind(const ForwardPass& pass) const { return pass.plain ? ConvolutionKind::kLibTorch : convolution_; }
  // features() by the shortest way, as far as its numbers are proven to be finite. x: as to_layout has it and
  // takes_fused takes it.
  virtual Bounded folded_features(const Bounded& x, ForwardPass& pass) = 0;

 private:
  ConvolutionKind convolution_;
};

// To be called after every layer: notices a stop and hands out the watched layer.
at::Tensor after_layer(const std::string& name, at::Tensor x, ForwardPass& pass);

// torch.nn.functional.dropout with a generator of our own, so that a mask depends on its seed alone.
at::Tensor dropout(const at::Tensor& x, double p, ForwardPass& pass);

}  // namespace covidct
