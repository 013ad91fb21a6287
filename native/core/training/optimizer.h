// SGD, Adam, AdamW and RMSprop, equal to those of torch.optim. LibTorch has fused steps of all but RMSprop.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace covidct {

enum class OptimizerKind { kSgd, kAdam, kAdamW, kRmsprop };

struct OptimizerGroup {
  std::vector<std::string> names;
  double learning_rate;
  double weight_decay;
};

// What an optimizer is built with; every field keeps its value for all steps.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kSgd;
  // The base learning rate and the weight decay of the parameters that stand in no group.
  double learning_rate = 0;
  double weight_decay = 0;
  std::vector<OptimizerGroup> groups;
  double max_gradient_norm = 0;  // 0: gradients are not clipped
  // SGD and RMSprop
  double momentum = 0;
  // SGD
  double dampening = 0;
  bool nesterov = false;
  // RMSprop
  double alpha = 0.99;
  bool centered = false;
  // Adam and AdamW
  double beta1 = 0.9;
  double beta2 = 0.999;
  // Every optimizer but SGD
  double epsilon = 1e-8;
};

// What an optimizer remembers of one parameter from step to step; undefined before the first and where it has none.
struct OptimizerState {
  at::Tensor momentum;  // SGD and RMSprop
  at::Tensor mean;      // running mean of the gradients: Adam and centered RMSprop
  at::Tensor square;    // running mean of the squared gradients: Adam and RMSprop
  at::Tensor steps;     // number of steps, a float32 scalar: Adam
};

using OptimizerStateField = at::Tensor OptimizerState::*;

// The fields under the names that they have in files, in the order in which they are told.
struct NamedStateField {
  const char* name;
  OptimizerStateField field;
};
constexpr NamedStateField kOptimizerState[] = {{"momentum", &OptimizerState::momentum},
                                               {"mean", &OptimizerState::mean},
                                               {"square", &OptimizerState::square},
                                               {"steps", &OptimizerState::steps}};

class Optimizer {
 public:
  // `names` holds the names of the parameters by position.
  explicit Optimizer(std::vector<std::string> names) : names_(std::move(names)), states_(names_.size()) {}

  // Resolves the names of the groups and starts without any state.
  // Throws ERR_INVALID_OPTION for an unknown name and for a parameter in two groups; nothing has changed then.
  void configure(OptimizerOptions options);
  // Drops options and state; step() fails until the next configure().
  void clear();
  // Makes one step on every parameter that has a gradient. The rate of a group follows the common learning rate: it is
  // scaled by learning_rate / options.learning_rate. Gradients are clipped in place where that was configured,
  // otherwise left as they are. Returns the Euclidean norm of all gradients before clipping, or 0 without clipping.
  // Throws ERR_NATIVE before configure() and ERR_DIVERGED for a norm that is not finite; nothing has changed then.
  // `found_inf` is undefined, or a float32 scalar on the parameters' device: where it is 1, nothing is changed, without
  // the host knowing.
  double step(const std::vector<at::Tensor>& parameters, double learning_rate, const at::Tensor& found_inf = {});
  bool clips() const { return options_ && options_->max_gradient_norm > 0; }
  bool configured() const { return options_.has_value(); }
  // Whether its steps keep that field. A parameter has all fields that are kept, or none before its first step.
  bool keeps(OptimizerStateField field) const;
  // By position of the parameter.
  const std::vector<OptimizerState>& states() const { return states_; }
  // The next step goes on from these: one for each parameter, whole or empty.
  void restore(std::vector<OptimizerState> states) { states_ = std::move(states); }
  // Forgets the state of one parameter: its next step is a first step again.
  void forget(size_t position) { states_[position] = {}; }
  int64_t bytes() const;

 private:
  using Positions = std::vector<size_t>;
  using FoundInf = std::optional<at::Tensor>;
  // The parameters of one group that have a gradient, with what their step needs.
  struct Due {
    const std::vector<at::Tensor>& parameters;
    Positions positions;
    double learning_rate;
    double weight_decay;
    FoundInf found_inf;
  };

  // Returns the positions of each group, and last those of the parameters in no group.
  std::vector<Positions> assign(const std::vector<OptimizerGroup>& groups) const;
  void sgd(const Due& due);
  void adam(const Due& due);
  void rmsprop(const Due& due);

  std::vector<std::string> names_;
  std::vector<OptimizerState> states_;
  std::optional<OptimizerOptions> options_;
  std::vector<Positions> positions_;
};

}  // namespace covidct
