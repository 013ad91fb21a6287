// SGD, Adam and AdamW, equal to torch.optim's, each as one fused call for every group of parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace covidct {

enum class OptimizerKind { kSgd, kAdam, kAdamW };

struct OptimizerGroup {
  std::vector<std::string> names;
  double learning_rate;
  double weight_decay;
};

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kSgd;
  // Of the parameters that stand in no group.
  double learning_rate = 0;
  double weight_decay = 0;
  std::vector<OptimizerGroup> groups;
  double max_gradient_norm = 0;  // 0: gradients are not clipped
  // SGD
  double momentum = 0;
  double dampening = 0;
  bool nesterov = false;
  // Adam and AdamW
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

class Optimizer {
 public:
  // Names of the parameters, by position.
  explicit Optimizer(std::vector<std::string> names) : names_(std::move(names)), states_(names_.size()) {}

  // One step on every parameter that has a gradient. Gradients are clipped in place where that is asked for, otherwise
  // left as they are. Another kind than at the last step forgets the state first.
  // Returns the Euclidean norm of all gradients before clipping, or 0 where it was not needed.
  // Throws ERR_INVALID_OPTION for a wrong group and ERR_DIVERGED for a norm that is not finite; nothing has changed
  // then. `halt`: undefined, or float32 on the parameters' device; where it is 1 nothing is changed, without the host
  // knowing.
  double step(const std::vector<at::Tensor>& parameters, const OptimizerOptions& options, const at::Tensor& halt = {});
  // SGD's momentum of the parameter at that position; undefined before its first step.
  at::Tensor momentum(size_t position) const;
  // Forgets what it knows of one parameter, or of all: the next step is a first step again.
  void forget(size_t position) { states_[position] = {}; }
  void reset() { states_.assign(names_.size(), {}); }
  int64_t bytes() const;

 private:
  struct State {
    at::Tensor first;   // SGD's momentum, or Adam's average of gradients
    at::Tensor second;  // Adam's average of squared gradients
    at::Tensor steps;   // Adam's, float32
  };
  using Positions = std::vector<size_t>;

  // The groups' positions, the last of them of the parameters in no group.
  std::vector<Positions> assign(const std::vector<OptimizerGroup>& groups) const;
  using Halt = std::optional<at::Tensor>;
  void sgd(const std::vector<at::Tensor>& parameters, const Positions& positions, const OptimizerGroup& group,
           const OptimizerOptions& options, const Halt& halt);
  void adam(const std::vector<at::Tensor>& parameters, const Positions& positions, const OptimizerGroup& group,
            const OptimizerOptions& options, const Halt& halt);

  std::vector<std::string> names_;
  std::vector<State> states_;
  OptimizerKind kind_ = OptimizerKind::kSgd;
};

}  // namespace covidct
