#include "core/kernels/norm_state.h"

#include <c10/core/GradMode.h>

namespace covidct {

NormState state_by(Norm& norm, const Moments* moments) {
  c10::AutoGradMode no_grad(false);
  const at::Tensor weight = norm.weight.detach(), bias = norm.bias.detach();
  if (moments == nullptr) return norm_state(weight, bias, norm.mean, norm.variance, false);
  const auto count = static_cast<double>(moments->pixels);
  norm.num_batches_tracked.add_(1);
  norm.mean.mul_(1 - kNormMomentum).add_(moments->mean, kNormMomentum);
  norm.variance.mul_(1 - kNormMomentum).add_(moments->variance, kNormMomentum * count / (count - 1));
  return norm_state(weight, bias, moments->mean, moments->variance, true);
}

NormState state_of(const at::Tensor& x, Norm& norm, bool training) {
  if (!norm.takes_batch_statistics(training)) return state_by(norm, nullptr);
  require_variance(x);
  const auto [mean, variance] = channel_moments(x.detach());
  const Moments moments{mean, variance, x.numel() / x.size(1)};
  return state_by(norm, &moments);
}

}  // namespace covidct
