// A network, its optimizer and its device: everything one classifier does with LibTorch. Not thread-safe; it lives
// on its classifier's thread.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/input/augment.h"
#include "core/nn/network.h"
#include "core/runtime/arena.h"
#include "core/runtime/device.h"
#include "core/runtime/precision.h"
#include "core/runtime/transfer.h"
#include "core/runtime/weights.h"
#include "core/training/average.h"
#include "core/training/optimizer.h"

namespace covidct {

struct LearnerOptions {
  std::string architecture;
  int64_t classes;
  std::string device;
  uint64_t seed;
  double dropout;
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
};

struct Outputs {
  std::vector<float> logits;         // n x classes
  std::vector<float> probabilities;  // n x classes
  std::vector<float> losses;         // n, or empty without labels
  double objective = 0;              // what was differentiated; training only
};

struct CamOutputs {
  std::vector<float> maps;  // n x height x width
  int64_t height, width;
  std::vector<float> logits;
  std::vector<float> probabilities;
};

struct TensorInfo {
  std::string name, dtype;
  std::vector<int64_t> shape;
  bool is_parameter;
};

// What the head takes: n x width, row by row.
struct Features {
  std::vector<float> values;
  int64_t width;
  std::vector<int64_t> labels;  // n, or empty
};

class Learner {
 public:
  // `stop` outlives the learner; when it turns true, work ends between two layers with ERR_ABORTED.
  Learner(const LearnerOptions& options, const std::atomic<bool>& stop);

  // A step that fails drops all gathered gradients, for its window is no longer whole.
  Outputs train_step(const Batch& batch, const TrainStepOptions& options) { return now(run_step(batch, options)); }
  // The same without a wait for the device: what came of it is fetched later, in order. From the first loss on that is
  // not finite the optimizer and the average change nothing, until reset_optimizer().
  void start_step(const Batch& batch, const TrainStepOptions& options) { later(run_step(batch, options)); }
  // Of the oldest step that has not been fetched. Throws ERR_NATIVE where there is none.
  Outputs fetch_outputs();
  // Returns the gradients' norm before clipping, 0 where it was not asked for.
  double optimizer_step(const OptimizerOptions& options);
  void zero_grad();
  // Forgets gradients and the optimizer's state, as a new optimizer would start.
  void reset_optimizer();
  Outputs predict(const Batch& batch);
  // Gives back to the system what is only kept for the next call: prepared filters, memory without a tensor in it.
  void release();
  // From now on only these parameters are trained, and these batch norms keep their running statistics.
  void set_trainable(const std::vector<std::string>& parameters, const std::vector<std::string>& frozen_norms);
  // The same in two steps: what the head takes, in evaluation mode, and the head alone.
  // `prediction`: as predict() computes them; otherwise as train_step() does. The two are equal to rounding.
  std::vector<float> features(const Batch& batch, bool prediction);
  Outputs train_features(const Features& features, const TrainStepOptions& options) {
    return now(run_features(features, options));
  }
  void start_features(const Features& features, const TrainStepOptions& options) {
    later(run_features(features, options));
  }
  Outputs predict_features(const Features& features);
  void update_average(double decay) { average_.update(network_->tensors(), decay, halt_); }
  void swap_average() {
    network_->weights_changed();
    average_.swap(network_->tensors());
  }
  void drop_average() { average_.drop(); }

  CamOutputs grad_cam(const Batch& batch, const std::string& layer, const std::vector<int64_t>& classes);
  // The network's input, n x channels x height x width, whatever the memory format it is made in.
  std::vector<float> pixels(const Batch& batch, at::MemoryFormat format = at::MemoryFormat::Contiguous);
  // The same, made and let go: what the input costs. The bytes of it.
  int64_t prepare_input(const Batch& batch);

  // Names are those of tensors(); `grad.` and `momentum.` before a parameter's name reach those, zeros where absent.
  void write(const std::string& path, int64_t offset, const std::vector<std::string>& names);
  // allow_not_finite: NaN and infinite numbers are read like any others.
  void read(const std::string& path, const std::vector<TensorSource>& sources, bool allow_not_finite);

  std::vector<TensorInfo> tensors() const;
  std::vector<std::string> layers() const { return network_->layers(); }
  std::string default_layer() const { return network_->default_layer(); }
  const DeviceChoice& device() const { return device_; }
  std::vector<std::string> norms() const;
  std::string head_prefix() const { return network_->head_prefix(); }
  int64_t feature_width() const;
  int64_t parameter_count() const;
  // Of parameters, buffers, gradients, the optimizer's state, the average and what predictions keep.
  int64_t bytes() const;
  // And of memory that this thread holds for the next step.
  int64_t held_bytes() const;

 private:
  at::Tensor find(const std::string& name) const;
  // Logits in float32, whatever the precision.
  at::Tensor forward(const at::Tensor& x, ForwardPass& pass) const;
  at::Tensor head(const Features& features, ForwardPass& pass) const;
  // int64 on the device; undefined for none.
  at::Tensor to_labels(const std::vector<int64_t>& labels) const;
  // Logits, probabilities, and losses and objective where there are labels and an objective.
  Readback figures(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& objective = {}) const;
  static Outputs to_outputs(Readback figures, bool labeled);
  Readback run_step(const Batch& batch, const TrainStepOptions& options);
  Readback run_features(const Features& features, const TrainStepOptions& options);
  Outputs now(Readback step) { return to_outputs(std::move(step), true); }
  void later(Readback step);
  template <class Step>
  Readback whole_or_nothing(Step step) {
    try {
      return step();
    } catch (...) {
      zero_grad();
      throw;
    }
  }
  // Backward from the loss of these logits.
  Readback learn(const at::Tensor& logits, const std::vector<int64_t>& labels, const TrainStepOptions& options);
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
  std::deque<Readback> coming_;  // of the steps that have not been fetched
  at::Tensor halt_;              // undefined, or 1 on the device once a loss was not finite
};

}  // namespace covidct
