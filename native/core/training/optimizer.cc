#include "core/training/optimizer.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "core/runtime/arena.h"
#include "core/runtime/failure.h"

namespace covidct {

namespace {

at::Tensor kept_zeros_like(const at::Tensor& tensor) {
  const Arena::Pause pause;
  return at::zeros_like(tensor);
}

// torch.nn.utils.clip_grad_norm_ with the Euclidean norm.
double clip(const std::vector<at::Tensor>& parameters, double max_norm) {
  std::vector<at::Tensor> gradients, norms;
  for (const at::Tensor& each : parameters) {
    if (!each.grad().defined()) continue;
    gradients.push_back(each.grad());
    norms.push_back(at::linalg_vector_norm(each.grad()));
  }
  if (gradients.empty()) return 0;
  const at::Tensor total = at::linalg_vector_norm(at::stack(norms));
  const double norm = total.item<double>();
  if (!std::isfinite(norm)) {
    throw Failure("ERR_DIVERGED",
                  "the norm of the gradients is not finite; the weights are as they were; try a lower learning rate");
  }
  const at::Tensor coefficient = total.add(1e-6).reciprocal().mul(max_norm).clamp_max(1.0);
  for (at::Tensor& each : gradients) each.mul_(coefficient);
  return norm;
}

}  // namespace

std::vector<Optimizer::Positions> Optimizer::assign(const std::vector<OptimizerGroup>& groups) const {
  std::vector<Positions> positions(groups.size() + 1);
  std::unordered_map<std::string, size_t> where;
  for (size_t i = 0; i < names_.size(); ++i) where.emplace(names_[i], i);
  std::vector<bool> taken(names_.size(), false);
  for (size_t group = 0; group < groups.size(); ++group) {
    for (const std::string& name : groups[group].names) {
      const auto found = where.find(name);
      if (found == where.end())
        throw Failure("ERR_INVALID_OPTION", "the network has no parameter '" + name + "' for a group of the optimizer");
      if (taken[found->second])
        throw Failure("ERR_INVALID_OPTION", "the parameter '" + name + "' stands in two groups of the optimizer");
      taken[found->second] = true;
      positions[group].push_back(found->second);
    }
  }
  for (size_t i = 0; i < names_.size(); ++i) {
    if (!taken[i]) positions.back().push_back(i);
  }
  return positions;
}

void Optimizer::configure(OptimizerOptions options) {
  positions_ = assign(options.groups);
  options_ = std::move(options);
  states_.assign(names_.size(), {});
}

void Optimizer::clear() {
  options_.reset();
  positions_.clear();
  states_.assign(names_.size(), {});
}

bool Optimizer::keeps(OptimizerStateField field) const {
  if (!options_) return false;
  switch (options_->kind) {
    case OptimizerKind::kSgd:
      return field == &OptimizerState::momentum && options_->momentum != 0;
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
      return field != &OptimizerState::momentum;
    case OptimizerKind::kRmsprop:
      return field == &OptimizerState::square || (field == &OptimizerState::momentum && options_->momentum > 0) ||
             (field == &OptimizerState::mean && options_->centered);
  }
  return false;
}

double Optimizer::step(const std::vector<at::Tensor>& parameters, double learning_rate, const at::Tensor& found_inf) {
  if (!options_) throw Failure("ERR_NATIVE", "there is no optimizer: call configureOptimizer() before optimizerStep()");
  c10::AutoGradMode no_grad(false);
  const double norm = clips() ? clip(parameters, options_->max_gradient_norm) : 0;
  const double scale = learning_rate / options_->learning_rate;
  for (size_t i = 0; i < positions_.size(); ++i) {
    const bool grouped = i < options_->groups.size();
    Due due{parameters,
            {},
            grouped ? options_->groups[i].learning_rate * scale : learning_rate,
            grouped ? options_->groups[i].weight_decay : options_->weight_decay,
            found_inf.defined() ? FoundInf(found_inf) : std::nullopt};
    std::copy_if(positions_[i].begin(), positions_[i].end(), std::back_inserter(due.positions),
                 [&](size_t p) { return parameters[p].grad().defined(); });
    if (due.positions.empty()) continue;
    switch (options_->kind) {
      case OptimizerKind::kSgd:
        sgd(due);
        break;
      case OptimizerKind::kAdam:
      case OptimizerKind::kAdamW:
        adam(due);
        break;
      case OptimizerKind::kRmsprop:
        rmsprop(due);
        break;
    }
  }
  return norm;
}

void Optimizer::sgd(const Due& due) {
  const bool with_momentum = options_->momentum != 0.0;
  // The first step of a parameter takes its gradient as its momentum, without dampening.
  struct Part {
    std::vector<at::Tensor> values, gradients, momenta;
  } first, later;
  for (const size_t i : due.positions) {
    const at::Tensor& parameter = due.parameters[i];
    const bool fresh = with_momentum && !states_[i].momentum.defined();
    if (fresh) states_[i].momentum = kept_zeros_like(parameter);
    Part& part = fresh ? first : later;
    part.values.push_back(parameter);
    part.gradients.push_back(parameter.grad());
    if (with_momentum) part.momenta.push_back(states_[i].momentum);
  }
  for (const Part* part : {&first, &later}) {
    if (part->values.empty()) continue;
    at::_fused_sgd_(part->values, part->gradients, part->momenta, due.weight_decay, options_->momentum,
                    due.learning_rate, options_->dampening, options_->nesterov, /*maximize=*/false, part == &first,
                    /*grad_scale=*/{}, due.found_inf);
  }
}

void Optimizer::adam(const Due& due) {
  std::vector<at::Tensor> values, gradients, means, squares, steps;
  for (const size_t i : due.positions) {
    const at::Tensor& parameter = due.parameters[i];
    OptimizerState& state = states_[i];
    if (!state.steps.defined()) {
      state.mean = kept_zeros_like(parameter);
      state.square = kept_zeros_like(parameter);
      state.steps = at::zeros({}, parameter.options().requires_grad(false));
    }
    values.push_back(parameter);
    gradients.push_back(parameter.grad());
    means.push_back(state.mean);
    squares.push_back(state.square);
    steps.push_back(state.steps);
  }
  at::_foreach_add_(steps, 1);  // This also counts a step that the device leaves out, but no step follows one.
  const auto step = [&](auto fused) {
    fused(values, gradients, means, squares, /*max_exp_avg_sqs=*/at::TensorList{}, steps, due.learning_rate,
          options_->beta1, options_->beta2, due.weight_decay, options_->epsilon, /*amsgrad=*/false, /*maximize=*/false,
          /*grad_scale=*/std::optional<at::Tensor>(), due.found_inf);
  };
  if (options_->kind == OptimizerKind::kAdam)
    step([](auto&&... arguments) { at::_fused_adam_(arguments...); });
  else
    step([](auto&&... arguments) { at::_fused_adamw_(arguments...); });
}

// In the order of torch.optim.rmsprop._single_tensor_rmsprop.
void Optimizer::rmsprop(const Due& due) {
  const OptimizerOptions& options = *options_;
  for (const size_t i : due.positions) {
    at::Tensor value = due.parameters[i];
    OptimizerState& state = states_[i];
    if (!state.square.defined()) {
      state.square = kept_zeros_like(value);
      if (options.momentum > 0) state.momentum = kept_zeros_like(value);
      if (options.centered) state.mean = kept_zeros_like(value);
    }
    // What is put back where the device has found a number that is not finite.
    std::vector<std::pair<at::Tensor, at::Tensor>> before;
    if (due.found_inf) {
      for (const at::Tensor& each : {value, state.square, state.momentum, state.mean}) {
        if (each.defined()) before.emplace_back(each, each.clone());
      }
    }
    at::Tensor gradient = value.grad();
    if (due.weight_decay != 0) gradient = gradient.add(value, due.weight_decay);
    state.square.mul_(options.alpha).addcmul_(gradient, gradient, 1 - options.alpha);
    at::Tensor divisor;
    if (options.centered) {
      state.mean.lerp_(gradient, 1 - options.alpha);
      divisor = state.square.addcmul(state.mean, state.mean, -1).sqrt_();
    } else {
      divisor = state.square.sqrt();
    }
    divisor.add_(options.epsilon);
    if (options.momentum > 0) {
      state.momentum.mul_(options.momentum).addcdiv_(gradient, divisor);
      value.add_(state.momentum, -due.learning_rate);
    } else {
      value.addcdiv_(gradient, divisor, -due.learning_rate);
    }
    for (auto& [tensor, old] : before) tensor.copy_(at::where(due.found_inf->gt(0), old, tensor));
  }
}

int64_t Optimizer::bytes() const {
  int64_t total = 0;
  for (const OptimizerState& state : states_) {
    for (const auto& [name, field] : kOptimizerState) {
      if ((state.*field).defined()) total += static_cast<int64_t>((state.*field).nbytes());
    }
  }
  return total;
}

}  // namespace covidct
