// An exponential moving average of a network's tensors, as torch.optim.swa_utils.AveragedModel with buffers keeps it.
#pragma once

#include <vector>

#include "core/nn/network.h"

namespace covidct {

class Average {
 public:
  // The first time a copy, later average = decay * average + (1 - decay) * value; integers are copied.
  // Throws ERR_INVALID_OPTION while the averaged values stand in the network: they are not what was trained.
  // `found_inf`: undefined, or float32 on the device: where it is 1 the average stays as it is.
  void update(const std::vector<NamedTensor>& tensors, double decay, const at::Tensor& found_inf = {});
  // Exchanges the network's values with the averaged ones. Throws ERR_INVALID_OPTION before the first update.
  void swap(const std::vector<NamedTensor>& tensors);
  // Forgets what swap() has put aside; what stands in the network stays.
  void drop();
  // Whether the averaged values stand in the network, and what was trained is put aside.
  bool swapped() const { return swapped_; }
  // What is put aside, by position of the tensor: the average unless it is swapped; empty before the first update.
  const std::vector<at::Tensor>& values() const { return values_; }
  // Goes on from these: one for each tensor, or none.
  void restore(std::vector<at::Tensor> values);
  int64_t bytes() const;

 private:
  std::vector<at::Tensor> values_;
  bool swapped_ = false;
};

}  // namespace covidct
