#include "core/nn/network.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "core/kernels/fused.h"
#include "core/runtime/failure.h"

namespace covidct {

at::Tensor Network::predict_features(const at::Tensor& x, ForwardPass& pass) {
  const at::Tensor pixels = to_layout(x, convolution_);
  if (takes_fused(pixels, convolution_)) {
    const Bounded features = folded_features(measured(pixels), pass);
    if (features.proven()) return features.x;
    pass.plain = true;  // something may not be finite: LibTorch's layers tell what and where
  }
  return features(x, pass);
}

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

Norm make_norm(int64_t channels) {
  return {at::ones({channels}, at::kFloat), at::zeros({channels}, at::kFloat), at::zeros({channels}, at::kFloat),
          at::ones({channels}, at::kFloat), at::zeros({}, at::kLong)};
}

void require_variance(const at::Tensor& x) {
  if (x.numel() != x.size(1)) return;
  throw Failure("ERR_BAD_BATCH",
                "batch norm in training needs more than one value for each channel, and this batch of one image leaves "
                "a map of " +
                    std::to_string(x.size(2)) + " x " + std::to_string(x.size(3)) +
                    "; use larger images or larger batches");
}

at::Tensor batch_norm(const at::Tensor& x, Norm& norm, const ForwardPass& pass) {
  const bool batch_statistics = pass.training && !norm.frozen;
  if (batch_statistics) {
    require_variance(x);
    norm.seen.add_(1);
  }
  return at::batch_norm(x, norm.weight, norm.bias, norm.mean, norm.variance, batch_statistics, kNormMomentum,
                        kNormEpsilon, true);
}

void append_norm(std::vector<NamedTensor>& tensors, const std::string& name, const Norm& norm) {
  tensors.push_back({name + ".weight", norm.weight, true});
  tensors.push_back({name + ".bias", norm.bias, true});
  tensors.push_back({name + ".running_mean", norm.mean, false});
  tensors.push_back({name + ".running_var", norm.variance, false});
  tensors.push_back({name + ".num_batches_tracked", norm.seen, false});
}

at::Tensor dropout(const at::Tensor& x, double p, ForwardPass& pass) {
  if (!pass.training || p == 0.0) return x;
  at::Tensor mask;
  {
    c10::AutoGradMode no_grad(false);
    // In float32 whatever x is: in bfloat16 1 / (1 - p) would be off by up to a part in 500.
    mask = at::empty_like(x, at::kFloat).bernoulli_(1.0 - p, pass.dropout).div_(1.0 - p);
  }
  return x.mul(mask);
}

}  // namespace covidct
