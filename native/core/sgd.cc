#include "sgd.h"

#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

namespace covidct {

namespace {

struct Group {
  std::vector<at::Tensor> values, gradients, momenta;

  void update(const SgdOptions& options, bool first) {
    if (values.empty()) return;
    at::_fused_sgd_(values, gradients, momenta, options.weight_decay, options.momentum, options.learning_rate,
                    options.dampening, options.nesterov, /*maximize=*/false, first);
  }
};

}  // namespace

void Sgd::step(const std::vector<at::Tensor>& parameters, const SgdOptions& options) {
  c10::AutoGradMode no_grad(false);
  const bool with_momentum = options.momentum != 0.0;
  momenta_.resize(parameters.size());
  // A parameter's first step takes its gradient as its momentum, without dampening.
  Group first, later;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].grad().defined()) continue;
    const bool fresh = with_momentum && !momenta_[i].defined();
    if (fresh) momenta_[i] = at::zeros_like(parameters[i]);
    Group& group = fresh ? first : later;
    group.values.push_back(parameters[i]);
    group.gradients.push_back(parameters[i].grad());
    if (with_momentum) group.momenta.push_back(momenta_[i]);
  }
  first.update(options, true);
  later.update(options, false);
}

at::Tensor Sgd::momentum(size_t position) const {
  return position < momenta_.size() ? momenta_[position] : at::Tensor();
}

int64_t Sgd::bytes() const {
  int64_t total = 0;
  for (const at::Tensor& each : momenta_) {
    if (each.defined()) total += static_cast<int64_t>(each.nbytes());
  }
  return total;
}

}  // namespace covidct
