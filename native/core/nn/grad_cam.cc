#include "core/nn/grad_cam.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "core/runtime/failure.h"

namespace covidct {

namespace {

void check_layer(const Network& network, const std::string& layer) {
  const std::vector<std::string> names = network.graph().layers();
  if (std::find(names.begin(), names.end(), layer) != names.end()) return;
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  throw Failure("ERR_LAYER", "no layer '" + layer + "' to explain; there are " + known);
}

}  // namespace

GradCamResult grad_cam(Network& network, const at::Tensor& x, const std::string& layer,
                       const std::vector<int64_t>& classes, Precision precision, const std::atomic<bool>* stop) {
  check_layer(network, layer);
  // Off until the watched layer, which turns it on; put back on the way out.
  c10::AutoGradMode grad_mode(false);
  ForwardPass pass;
  pass.watch = layer;
  pass.stop = stop;
  const at::Tensor logits = [&] {
    const Autocast autocast(precision, x.device().type());
    return network.forward(x, pass).to(at::kFloat);
  }();
  at::Tensor chosen = at::tensor(classes, at::kLong).to(x.device());
  chosen = at::where(chosen.lt(0), logits.argmax(1), chosen);
  // Images do not influence one another in evaluation mode, so one backward pass serves them all.
  const at::Tensor score = logits.gather(1, chosen.unsqueeze(1)).sum();
  const at::Tensor gradient = torch::autograd::grad({score}, {pass.watched})[0].to(at::kFloat);
  c10::GradMode::set_enabled(false);
  const at::Tensor weights = gradient.mean({2, 3}, /*keepdim=*/true);
  return {weights.mul(pass.watched.detach().to(at::kFloat)).sum(1).relu_(), logits.detach()};
}

}  // namespace covidct
