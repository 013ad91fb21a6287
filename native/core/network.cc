#include "network.h"

#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include "failure.h"

namespace covidct {

at::Tensor after_layer(const std::string& name, at::Tensor x, ForwardPass& pass) {
  if (pass.stop != nullptr && pass.stop->load(std::memory_order_relaxed)) {
    throw Failure("ERR_ABORTED", "the classifier was stopped in the middle of a forward pass");
  }
  if (pass.watch.empty() || name != pass.watch) return x;
  // From here on a graph is needed, and only from here on: the caller restores the grad mode.
  c10::GradMode::set_enabled(true);
  pass.watched = x.detach().requires_grad_(true);
  return pass.watched;
}

at::Tensor dropout(const at::Tensor& x, double p, ForwardPass& pass) {
  if (!pass.training || p == 0.0) return x;
  at::Tensor mask;
  {
    c10::AutoGradMode no_grad(false);
    mask = at::empty_like(x).bernoulli_(1.0 - p, pass.dropout).div_(1.0 - p);
  }
  return x.mul(mask);
}

}  // namespace covidct
