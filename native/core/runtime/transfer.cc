#include "core/runtime/transfer.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace covidct {

std::vector<float> to_vector(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = flat.const_data_ptr<float>();
  return {data, data + flat.numel()};
}

at::Tensor to_device(const at::Tensor& host, c10::Device device) {
  if (device.is_cpu()) return host;
  // The pinned copy may go at once: its memory is not used again before the device has read it.
  return host.pin_memory().to(device, host.scalar_type(), /*non_blocking=*/true);
}

at::Tensor place(const at::Tensor& tensor, c10::Device device) {
  if (device.is_cpu()) return tensor;
  const at::Tensor there = tensor.to(device);
  return there.dim() == 4 ? there.contiguous(at::MemoryFormat::ChannelsLast) : there;
}

Readback::Readback(std::vector<at::Tensor> tensors) : tensors_(std::move(tensors)) {
  const c10::Device device = tensors_.front().device();
  if (device.is_cpu()) return;
  std::vector<at::Tensor> flat;
  for (const at::Tensor& each : tensors_) flat.push_back(each.reshape({-1}));
  const at::Tensor all = at::cat(flat);
  packed_ = at::empty(all.sizes(), at::TensorOptions(at::kFloat).pinned_memory(true));
  packed_.copy_(all, /*non_blocking=*/true);
  arrived_.emplace(device.type());
  arrived_->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

std::vector<std::vector<float>> Readback::wait() {
  std::vector<std::vector<float>> values;
  if (!arrived_) {
    for (const at::Tensor& each : tensors_) values.push_back(to_vector(each));
    return values;
  }
  arrived_->synchronize();
  const float* data = packed_.const_data_ptr<float>();
  for (const at::Tensor& each : tensors_) {
    values.emplace_back(data, data + each.numel());
    data += each.numel();
  }
  return values;
}

}  // namespace covidct
