// A network, its optimizer and its device: everything one classifier does with LibTorch. Not thread-safe; it lives
// on its classifier's thread.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/input/augment.h"
#include "core/nn/network.h"
#include "core/runtime/arena.h"
#include "core/runtime/device.h"
#include "core/runtime/precision.h"
#include "core/runtime/transfer.h"
#include "core/training/average.h"
#include "core/training/background_write.h"
#include "core/training/optimizer.h"
#include "core/training/weights.h"

namespace covidct {

struct LearnerOptions {
  std::string architecture;
  int64_t classes;
  std::string device;
  uint64_t seed;
  std::optional<double> dropout;
  int64_t channels;  // of the network's input: 3 (RGB) or 1 (gray)
  std::string convolution = "libtorch";
  bool random = true;  // initial weights; otherwise undefined until read() has all of them
  std::string precision = "float32";
};

struct TrainStepOptions {
  double divisor;
  uint64_t dropout_seed;
  std::vector<float> class_weights;  // empty for none
  double label_smoothing = 0;
  bool deferred = false;  // the step does not wait for the device; read_outputs() has its outputs
};

struct Outputs {
  std::vector<float> logits;         // [n, classes]
  std::vector<float> probabilities;  // [n, classes]
  std::vector<float> losses;         // [n], or empty without labels
  double objective = 0;              // what was differentiated; training only
};

struct CamOutputs {
  std::vector<float> maps;  // [n, height, width]
  int64_t height, width;
  std::vector<float> logits;
  std::vector<float> probabilities;
};

struct TensorInfo {
  std::string name, dtype;
  std::vector<int64_t> shape;
  const char* kind;  // parameter, buffer or state
};

// A node of the network: what it computes, from which earlier nodes.
struct NodeInfo {
  std::string op, name, layer;
  std::vector<size_t> inputs;
  std::vector<std::pair<std::string, double>> attributes;
  bool ceil_mode;
};

// Everything about a network that never changes.
struct Facts {
  DeviceChoice device;
  int64_t parameters;  // trainable numbers
  std::vector<TensorInfo> tensors;
  std::vector<std::string> layers;
  std::string default_layer;
  std::vector<std::string> norms;
  std::string head_prefix;
  int64_t feature_width;  // 0 where the features are maps
  std::vector<NodeInfo> nodes;
};

// The input of the head: [n, width], row by row.
struct Features {
  std::vector<float> values;
  int64_t width;
  std::vector<int64_t> labels;  // [n], or empty
};

// What a step or a prediction starts from: images, or features of a frozen backbone that were kept.
using Input = std::variant<Batch, Features>;

struct InputOptions {
  bool channels_last = false;  // the memory format it is made in; the values are the same
  bool discard = false;        // the input is made and freed without a copy to the host, to measure what it costs
};

enum class AverageOp { kUpdate, kSwap, kDrop };

struct ReadOptions {
  bool allow_not_finite = false;  // NaN and infinite numbers are read like any others
  bool restore = false;           // the state of a training too, which is afterward what was named and nothing else
};

// What a training has beside the network's own tensors. Undefined tensors are absent.
struct TrainingState {
  std::vector<at::Tensor> gradients;      // by position of the parameter
  std::vector<OptimizerState> optimizer;  // the same
  std::vector<at::Tensor> average;        // by position of the network's tensor
};

// Where one tensor of that state stands.
struct StateSlot {
  std::string name;
  at::Tensor* tensor;
  at::Tensor like;  // has its shape, dtype and device
  bool possible;    // whether the training as it is configured can have it
  // What stands in one group is there as a whole or not at all: an optimizer's state of one parameter, the average.
  int64_t group;
};

class Learner {
 public:
  // `stop` outlives the learner; when it turns true, work ends between two layers with ERR_ABORTED.
  Learner(const LearnerOptions& options, const std::atomic<bool>& stop);

  // Runs forward in training mode and backward. A step from features runs the head alone. A step that fails drops all
  // gathered gradients, for its window is no longer whole. A deferred step returns nothing; from its first loss on that
  // is not finite, optimizer and average change nothing until configure_optimizer().
  std::optional<Outputs> train_step(const Input& input, const TrainStepOptions& options);
  // Returns the outputs of the oldest deferred step that has not been read. Throws ERR_NATIVE where there is none.
  Outputs read_outputs();
  // Resets: drops gradients, optimizer state and pending outputs. Without options there is no optimizer after it.
  void configure_optimizer(std::optional<OptimizerOptions> options);
  // Makes one step at that learning rate and drops the gradients. Returns their norm before clipping where they are
  // clipped.
  std::optional<double> optimizer_step(double learning_rate);
  Outputs predict(const Input& input);
  // Returns to the system what is only kept for the next call: packed filters, and memory that holds no tensor.
  void release();
  // From now on only these parameters are trained, and these batch norms keep their running statistics.
  void set_trainable(const std::vector<std::string>& parameters, const std::vector<std::string>& frozen_norms);
  // Returns the input of the head in evaluation mode, [n, feature width], computed as predict() does with
  // `prediction` and as train_step() does otherwise. The two are equal to rounding.
  std::vector<float> features(const Batch& batch, bool prediction);
  // `decay` is that of an update.
  void average(AverageOp op, double decay);

  CamOutputs grad_cam(const Batch& batch, const std::string& layer, const std::vector<int64_t>& classes);
  // Returns the network's input, [n, channels, height, width], empty where it is discarded.
  std::vector<float> input(const Batch& batch, const InputOptions& options);

  // What is present of the training's state, under the names that write() and read() have for it: gradients, optimizer
  // state, average. Throws ERR_INVALID_OPTION while the average stands in the network.
  std::vector<TensorInfo> training_state() const;
  // Names are those of the network's tensors and of the training's state; what a parameter does not have is zeros.
  void write(const std::string& path, int64_t offset, const std::vector<std::string>& names);
  // The same on a thread of its own; returns once that has begun, and lets go of `hold` when it ends. Until then
  // parameters, optimizer state and average must not change. What train_step() changes is copied first: buffers and
  // gradients.
  void begin_write(const std::string& path, int64_t offset, const std::vector<std::string>& names,
                   std::shared_ptr<void> hold);
  // Waits for the end of the latest of these, and throws what it failed with. Nothing where there was none.
  void finish_write() { writer_.finish(); }
  void read(const std::string& path, const std::vector<TensorSource>& sources, const ReadOptions& options);

  Facts facts() const;
  const DeviceChoice& device() const { return device_; }
  // Returns the bytes of parameters, buffers, gradients, optimizer state, average and prepared filters.
  int64_t bytes() const;
  // Returns bytes() and the memory that this thread holds for the next step.
  int64_t held_bytes() const;

 private:
  std::vector<TensorInfo> tensors() const;
  std::vector<std::string> norms() const;
  std::vector<NodeInfo> nodes() const;
  // The state that is there; its tensors are those in use, not copies.
  TrainingState state() const;
  // All slots, in the order in which they are told; they point into `state`.
  std::vector<StateSlot> slots(TrainingState& state) const;
  // A tensor by its name; `steady`: train_step() leaves it as it is.
  struct Found {
    at::Tensor tensor;
    bool steady;
  };
  std::vector<Found> find(const std::vector<std::string>& names) const;
  // Returns where the sources go: into the network, or into slots of `next`.
  std::vector<Destination> destinations(const std::vector<TensorSource>& sources, const ReadOptions& options,
                                        TrainingState& next) const;
  void require_not_swapped() const;
  void restore(TrainingState next);
  // Logits in float32, whatever the precision.
  at::Tensor forward(const at::Tensor& x, ForwardPass& pass) const;
  at::Tensor head(const Features& features, ForwardPass& pass) const;
  // int64 on the device; undefined for none.
  at::Tensor to_labels(const std::vector<int64_t>& labels) const;
  // Queues the copy of logits, probabilities, and losses and objective where there are labels and an objective.
  Readback to_readback(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& objective = {}) const;
  static Outputs to_outputs(Readback readback, bool labeled);
  Readback run_step(const Input& input, const TrainStepOptions& options);
  // Runs backward from the loss of these logits.
  Readback backward(const at::Tensor& logits, const std::vector<int64_t>& labels, const TrainStepOptions& options);
  static Outputs read(Readback step) { return to_outputs(std::move(step), true); }
  void enqueue(Readback step);
  void zero_grad();
  ForwardPass training_pass(const TrainStepOptions& options) const;
  at::Tensor to_tensor(const Features& features) const;

  Arena arena_;  // before every tensor
  const std::atomic<bool>& stop_;
  DeviceChoice device_;
  int64_t channels_;
  Precision precision_;
  bool undefined_;                  // no weights have been drawn or read yet
  std::unique_ptr<Tf32Hold> tf32_;  // before the network, which computes as long as it lives
  std::unique_ptr<Network> network_;
  std::vector<at::Tensor> parameters_;
  std::vector<std::string> parameter_names_;
  std::unique_ptr<Optimizer> optimizer_;
  Average average_;
  BackgroundWrite writer_{stop_};
  std::deque<Readback> pending_outputs_;  // of the deferred steps that have not been read
  at::Tensor found_inf_;                  // undefined, or 1 on the device once a loss was not finite
};

}  // namespace covidct
