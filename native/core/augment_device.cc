// The pixels' way to a GPU: one copy of bytes, scaled and normalised there.
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include "augment.h"
#include "transfer.h"

namespace covidct {

namespace {

at::Tensor on_channels(const std::array<double, 3>& values, int64_t channels, c10::Device device) {
  const at::Tensor host = at::tensor({values[0], values[1], values[2]}, at::kDouble).to(at::kFloat);
  return to_device(host.narrow(0, 0, channels).view({1, channels, 1, 1}), device);
}

}  // namespace

at::Tensor prepare_on_device(const Batch& batch, c10::Device device, int64_t channels) {
  // Resized on the host, whose kernel for bytes rounds between the two passes as Pillow does.
  at::Tensor pixels = at::empty({static_cast<int64_t>(batch.images.size()), channels, batch.height, batch.width},
                                at::TensorOptions(at::kByte).pinned_memory(!device.is_cpu()), at::MemoryFormat::ChannelsLast);
  write_pixels(batch, pixels);
  // A quarter of the bytes of float32. The operations are those of the CPU, one by one.
  const at::Tensor x = pixels.to(device, at::kByte, /*non_blocking=*/true).to(at::kFloat).div_(255);
  return x.sub_(on_channels(batch.mean, channels, device)).div_(on_channels(batch.std, channels, device));
}

}  // namespace covidct
