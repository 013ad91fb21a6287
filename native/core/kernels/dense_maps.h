// The maps of a dense block in one tensor, and their gradients in another: every layer reads the channels that are
// there, and writes its own behind them. On the CPU in float32, channels last.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <vector>

#include "core/kernels/norm_state.h"

namespace covidct {

// [n, channels, h, w], channels last, otherwise like a tensor, [n, c, h, w].
at::Tensor empty_maps(const at::Tensor& like, int64_t channels);
// Copies x, [n, c, h, w], to c channels of `to`, [n, more, h, w], channels last, from `first` on.
void copy_maps(const at::Tensor& x, at::Tensor& to, int64_t first);

class DenseMaps : public torch::CustomClassHolder {
 public:
  // Of the size of x, but with room for so many channels. `measured`: mean and variance of each are wanted.
  DenseMaps(const at::Tensor& x, int64_t channels, bool measured);

  // Copies x, [n, some channels, h, w], channels last, behind the channels that are there.
  void append(const at::Tensor& x);
  // Another tensor of the same memory.
  at::Tensor alias() const { return maps_.detach(); }
  // Those of the first channels; they must be measured.
  Moments moments(int64_t channels) const;
  // relu(scale x + shift) of as many channels as the norm has.
  at::Tensor norm_relu(const NormState& norm) const;

  // The gradient of all maps; it may be written over.
  void begin_backward(const at::Tensor& gradient) { gradient_ = gradient; }
  // Adds that of the maps behind a norm_relu(), given g, the gradient of its output.
  NormParameterGradients add_gradient(const at::Tensor& g, const NormState& norm);
  // The gradient of some channels, to which all layers that read them must have added theirs.
  at::Tensor gradient(int64_t first, int64_t channels) const;
  // Frees everything.
  void release() { maps_ = gradient_ = at::Tensor(); }

 private:
  at::Tensor maps_, gradient_, mean_, variance_;
  int64_t channels_, pixels_, filled_ = 0;
  bool measured_;
  // Through mean and variance a batch norm adds beta + gamma (x - mean) to the gradient of each channel. Mean and x are
  // the same for all layers, so these sums of their factors do for all of them at once, when the gradient is taken.
  std::vector<double> beta_, gamma_;
};

}  // namespace covidct
