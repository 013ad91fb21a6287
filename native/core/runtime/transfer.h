// Between the host and a GPU with as few waits as can be; on the CPU, nothing but the tensors themselves.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <optional>
#include <vector>

namespace covidct {

// The elements as float32, row by row. Waits for the device.
std::vector<float> to_vector(const at::Tensor& tensor);

// The host's tensor on the device. A GPU copies it from pinned memory when it gets there, and the host does not wait.
at::Tensor to_device(const at::Tensor& host, c10::Device device);

// A parameter or buffer where it will live: filters on a GPU in channels_last, which its convolutions want. Shape and
// values stay, and so does what is written to a file, which is contiguous always.
at::Tensor place(const at::Tensor& tensor, c10::Device device);

// Outputs of one step on their way to the host. From a GPU they come packed, in one copy into pinned memory, queued
// behind what the step has queued so far and nothing that follows: wait() for the outputs of a forward pass does not
// wait for a backward pass that was queued after the construction.
class Readback {
 public:
  // float32, all on one device.
  explicit Readback(std::vector<at::Tensor> tensors);
  // On the device, as it was given.
  const at::Tensor& tensor(size_t position) const { return tensors_[position]; }
  // The elements of each, in order. To be called once.
  std::vector<std::vector<float>> wait();

 private:
  std::vector<at::Tensor> tensors_;
  at::Tensor packed_;  // pinned; undefined on the CPU
  std::optional<c10::Event> arrived_;
};

}  // namespace covidct
