// Batch norm: its parameters, its running statistics, and LibTorch's own pass.
#pragma once

#include <ATen/core/Tensor.h>

namespace covidct {

// torchvision's.
constexpr double kNormMomentum = 0.1, kNormEpsilon = 1e-5;

struct Norm {
  at::Tensor weight, bias, mean, variance;  // [c], float32; mean and variance are the running statistics
  at::Tensor num_batches_tracked;           // [], int64
  bool frozen = false;                      // Uses its running statistics in training too, and does not update them.

  bool takes_batch_statistics(bool training) const { return training && !frozen; }
};

// Returns a norm of weight 1, bias 0, mean 0 and variance 1.
Norm make_norm(int64_t channels);
// Throws ERR_BAD_BATCH where a batch of one value for each channel has no variance.
void require_variance(const at::Tensor& x);
// x: [n, c, h, w]. Updates the running statistics in training.
at::Tensor batch_norm(const at::Tensor& x, Norm& norm, bool training);

}  // namespace covidct
