// Stochastic gradient descent with momentum, equal to torch.optim.SGD, as one fused call.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace covidct {

struct SgdOptions {
  double learning_rate;
  double momentum;
  double weight_decay;
  double dampening;
  bool nesterov;
};

class Sgd {
 public:
  // One step on every parameter that has a gradient; the gradients are left as they are.
  void step(const std::vector<at::Tensor>& parameters, const SgdOptions& options);
  // The momentum of the parameter at that position; undefined before its first step.
  at::Tensor momentum(size_t position) const;
  // Forgets the momentum: the next step is a first step again.
  void reset() { momenta_.clear(); }
  int64_t bytes() const;

 private:
  std::vector<at::Tensor> momenta_;
};

}  // namespace covidct
