#include "core/training/optimizer.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

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

double Optimizer::step(const std::vector<at::Tensor>& parameters, const OptimizerOptions& options,
                       const at::Tensor& halt) {
  c10::AutoGradMode no_grad(false);
  const std::vector<Positions> positions = assign(options.groups);
  const double norm = options.max_gradient_norm > 0 ? clip(parameters, options.max_gradient_norm) : 0;
  if (options.kind != kind_) reset();
  kind_ = options.kind;
  const Halt flag = halt.defined() ? Halt(halt) : std::nullopt;
  for (size_t i = 0; i < positions.size(); ++i) {
    const OptimizerGroup rest{{}, options.learning_rate, options.weight_decay};
    const OptimizerGroup& group = i < options.groups.size() ? options.groups[i] : rest;
    Positions due;
    std::copy_if(positions[i].begin(), positions[i].end(), std::back_inserter(due),
                 [&](size_t p) { return parameters[p].grad().defined(); });
    if (due.empty()) continue;
    if (options.kind == OptimizerKind::kSgd)
      sgd(parameters, due, group, options, flag);
    else
      adam(parameters, due, group, options, flag);
  }
  return norm;
}

void Optimizer::sgd(const std::vector<at::Tensor>& parameters, const Positions& positions, const OptimizerGroup& group,
                    const OptimizerOptions& options, const Halt& halt) {
  const bool with_momentum = options.momentum != 0.0;
  // A parameter's first step takes its gradient as its momentum, without dampening.
  struct Part {
    std::vector<at::Tensor> values, gradients, momenta;
  } first, later;
  for (const size_t i : positions) {
    const bool fresh = with_momentum && !states_[i].first.defined();
    if (fresh) states_[i].first = kept_zeros_like(parameters[i]);
    Part& part = fresh ? first : later;
    part.values.push_back(parameters[i]);
    part.gradients.push_back(parameters[i].grad());
    if (with_momentum) part.momenta.push_back(states_[i].first);
  }
  for (const Part* part : {&first, &later}) {
    if (part->values.empty()) continue;
    at::_fused_sgd_(part->values, part->gradients, part->momenta, group.weight_decay, options.momentum,
                    group.learning_rate, options.dampening, options.nesterov, /*maximize=*/false, part == &first,
                    /*grad_scale=*/{}, halt);
  }
}

void Optimizer::adam(const std::vector<at::Tensor>& parameters, const Positions& positions, const OptimizerGroup& group,
                     const OptimizerOptions& options, const Halt& halt) {
  std::vector<at::Tensor> values, gradients, firsts, seconds, steps;
  for (const size_t i : positions) {
    State& state = states_[i];
    if (!state.steps.defined()) {
      state = {kept_zeros_like(parameters[i]), kept_zeros_like(parameters[i]),
               at::zeros({}, parameters[i].options().requires_grad(false))};
    }
    values.push_back(parameters[i]);
    gradients.push_back(parameters[i].grad());
    firsts.push_back(state.first);
    seconds.push_back(state.second);
    steps.push_back(state.steps);
  }
  at::_foreach_add_(steps, 1);  // also where the device leaves the step out: none follows then
  const auto step = [&](auto fused) {
    fused(values, gradients, firsts, seconds, /*max_exp_avg_sqs=*/at::TensorList{}, steps, group.learning_rate,
          options.beta1, options.beta2, group.weight_decay, options.epsilon, /*amsgrad=*/false, /*maximize=*/false,
          /*grad_scale=*/std::optional<at::Tensor>(), halt);
  };
  if (options.kind == OptimizerKind::kAdam)
    step([](auto&&... arguments) { at::_fused_adam_(arguments...); });
  else
    step([](auto&&... arguments) { at::_fused_adamw_(arguments...); });
}

at::Tensor Optimizer::momentum(size_t position) const {
  return kind_ == OptimizerKind::kSgd ? states_[position].first : at::Tensor();
}

int64_t Optimizer::bytes() const {
  int64_t total = 0;
  for (const State& state : states_) {
    for (const at::Tensor& each : {state.first, state.second, state.steps}) {
      if (each.defined()) total += static_cast<int64_t>(each.nbytes());
    }
  }
  return total;
}

}  // namespace covidct
