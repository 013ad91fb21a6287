#include "core/training/average.h"

#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>

#include "core/runtime/arena.h"
#include "core/runtime/failure.h"

namespace covidct {

void Average::update(const std::vector<NamedTensor>& tensors, double decay, const at::Tensor& found_inf) {
  if (swapped_)
    throw Failure("ERR_INVALID_OPTION", "the averaged weights are in place; swap them back before the next update");
  c10::AutoGradMode no_grad(false);
  if (values_.empty()) {
    const Arena::Pause pause;
    for (const NamedTensor& each : tensors) values_.push_back(each.tensor.detach().clone());
    return;
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const at::Tensor& value = tensors[i].tensor;
    if (found_inf.defined())
      values_[i].copy_(at::where(found_inf.gt(0), values_[i],
                                 values_[i].is_floating_point() ? values_[i].lerp(value, 1 - decay) : value));
    else if (values_[i].is_floating_point())
      values_[i].lerp_(value, 1 - decay);
    else
      values_[i].copy_(value);
  }
}

void Average::swap(const std::vector<NamedTensor>& tensors) {
  if (values_.empty())
    throw Failure("ERR_INVALID_OPTION", "there is no average to exchange the weights with; update it first");
  c10::AutoGradMode no_grad(false);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const at::Tensor own = tensors[i].tensor.detach().clone();
    tensors[i].tensor.copy_(values_[i]);
    values_[i].copy_(own);
  }
  swapped_ = !swapped_;
}

void Average::drop() {
  values_.clear();
  swapped_ = false;
}

void Average::restore(std::vector<at::Tensor> values) {
  values_ = std::move(values);
  swapped_ = false;
}

int64_t Average::bytes() const {
  int64_t total = 0;
  for (const at::Tensor& each : values_) total += static_cast<int64_t>(each.nbytes());
  return total;
}

}  // namespace covidct
