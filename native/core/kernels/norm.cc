#include "core/kernels/norm.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "core/runtime/failure.h"

namespace covidct {

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

at::Tensor batch_norm(const at::Tensor& x, Norm& norm, bool training) {
  const bool batch_statistics = norm.takes_batch_statistics(training);
  if (batch_statistics) {
    require_variance(x);
    norm.num_batches_tracked.add_(1);
  }
  return at::batch_norm(x, norm.weight, norm.bias, norm.mean, norm.variance, batch_statistics, kNormMomentum,
                        kNormEpsilon, true);
}

}  // namespace covidct
