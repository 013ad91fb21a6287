// The pixels' way to a GPU: one copy of bytes, scaled and normalised there; or, from the second epoch on, no pixels at all.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <optional>

#include "augment.h"
#include "resample.h"
#include "transfer.h"

namespace covidct {

namespace {

// Of one group of images in float64: a few large images at a time rather than all of a batch.
constexpr int64_t kGroupBytes = int64_t{256} << 20;

at::Tensor on_channels(const std::array<double, 3>& values, int64_t channels, c10::Device device) {
  const at::Tensor host = at::tensor({values[0], values[1], values[2]}, at::kDouble).to(at::kFloat);
  return to_device(host.narrow(0, 0, channels).view({1, channels, 1, 1}), device);
}

// x: whole numbers up to 255, float32, channels last. The operations are those of the CPU, one by one; 255 is a tensor, since
// a GPU divides by a number of the host by multiplying with its reciprocal.
at::Tensor normalise(at::Tensor x, const Batch& batch, c10::Device device) {
  const int64_t channels = x.size(1);
  return x.div_(on_channels({255, 255, 255}, channels, device)).sub_(on_channels(batch.mean, channels, device)).div_(on_channels(batch.std, channels, device));
}

// One crop, resize and flip, each of which may change nothing, in this order.
struct Pass {
  int64_t height, width;  // before
  int64_t top, left, box_height, box_width;
  int64_t to_height, to_width;
  bool cut = false, resized = false, mirrored = false;

  Pass(int64_t height, int64_t width)
      : height(height), width(width), top(0), left(0), box_height(height), box_width(width), to_height(height), to_width(width) {}
  Resampling resampling() const {
    return {make_axis(height, top, box_height, to_height, false), make_axis(width, left, box_width, to_width, mirrored)};
  }
};

std::vector<Pass> passes_of(const Image& image) {
  std::vector<Pass> passes = {Pass(image.height, image.width)};
  // The last pass, or a new one where the last has already done what comes next or later.
  const auto next = [&](bool too_late) -> Pass& {
    if (too_late) passes.emplace_back(passes.back().to_height, passes.back().to_width);
    return passes.back();
  };
  for (const auto& row : image.program) {
    const Pass& last = passes.back();
    if (row[0] == kCrop) {
      Pass& pass = next(last.cut || last.resized || last.mirrored);
      pass.top = row[1], pass.left = row[2];
      pass.box_height = pass.to_height = row[3], pass.box_width = pass.to_width = row[4];
      pass.cut = true;
    } else if (row[0] == kResize) {
      Pass& pass = next(last.resized || last.mirrored);
      pass.to_height = row[1], pass.to_width = row[2];
      pass.resized = true;
    } else {
      next(last.mirrored).mirrored = true;
    }
  }
  return passes;
}

// uint8, height x width x 3, on the device; kept there for later where there is room.
at::Tensor image_on_device(const Image& image, PixelStore& store, c10::Device device) {
  if (image.kept.defined()) return image.kept;
  const at::Tensor bytes = at::from_blob(const_cast<uint8_t*>(image.rgb), {image.height, image.width, 3}, at::kByte);
  const at::Tensor there = device.is_cpu() ? bytes.clone() : to_device(bytes, device);
  if (image.key != 0) store.keep(image.key, there);
  return there;
}

// ITU-R 601 luma in 16-bit fixed point, as on the CPU. x: n x 3 x h x w, whole numbers.
at::Tensor to_grey(const at::Tensor& x) {
  return x.narrow(1, 0, 1).mul(19595).add_(x.narrow(1, 1, 1), 38470).add_(x.narrow(1, 2, 1), 7471).add_(0x8000).mul_(1.0 / 65536).floor_();
}

// uint8 images as float64, n x channels x height x width of the largest, 0 beyond the others.
at::Tensor stacked(const std::vector<at::Tensor>& images, int64_t channels, c10::Device device) {
  int64_t height = 0, width = 0;
  for (const at::Tensor& each : images) height = std::max(height, each.size(0)), width = std::max(width, each.size(1));
  at::Tensor bytes = at::zeros({static_cast<int64_t>(images.size()), height, width, 3}, at::TensorOptions(at::kByte).device(device));
  for (size_t i = 0; i < images.size(); ++i) bytes.select(0, static_cast<int64_t>(i)).narrow(0, 0, images[i].size(0)).narrow(1, 0, images[i].size(1)).copy_(images[i]);
  const at::Tensor x = bytes.permute({0, 3, 1, 2}).to(at::kDouble).contiguous();
  return channels == 1 ? to_grey(x) : x;
}

at::Tensor group(const Batch& batch, size_t begin, size_t end, int64_t channels, c10::Device device) {
  std::vector<at::Tensor> images;
  std::vector<std::vector<Pass>> passes;
  size_t most = 0;
  for (size_t i = begin; i < end; ++i) {
    images.push_back(image_on_device(batch.images[i], *batch.store, device));
    passes.push_back(passes_of(batch.images[i]));
    most = std::max(most, passes.back().size());
  }
  at::Tensor x = stacked(images, channels, device);
  for (size_t step = 0; step < most; ++step) {
    std::vector<Resampling> each;
    for (const std::vector<Pass>& own : passes) each.push_back((step < own.size() ? own[step] : Pass(batch.height, batch.width)).resampling());
    x = resample(x, each);
  }
  return x.narrow(2, 0, batch.height).narrow(3, 0, batch.width).to(at::kFloat, /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::ChannelsLast);
}

// The first image that does not fit into a group that begins at `begin`.
size_t group_end(const Batch& batch, size_t begin) {
  int64_t height = 0, width = 0;
  size_t end = begin;
  for (; end < batch.images.size(); ++end) {
    height = std::max(height, batch.images[end].height), width = std::max(width, batch.images[end].width);
    const auto count = static_cast<int64_t>(end - begin + 1);
    if (end > begin && count * height * width * 3 * static_cast<int64_t>(sizeof(double)) > kGroupBytes) break;
  }
  return end;
}

}  // namespace

at::Tensor prepare_on_device(const Batch& batch, c10::Device device, int64_t channels) {
  // Resized on the host, whose kernel for bytes rounds between the two passes as Pillow does.
  at::Tensor pixels = at::empty({static_cast<int64_t>(batch.images.size()), channels, batch.height, batch.width},
                                at::TensorOptions(at::kByte).pinned_memory(!device.is_cpu()), at::MemoryFormat::ChannelsLast);
  write_pixels(batch, pixels);
  // A quarter of the bytes of float32.
  return normalise(pixels.to(device, at::kByte, /*non_blocking=*/true).to(at::kFloat), batch, device);
}

at::Tensor prepare_from_store(const Batch& batch, c10::Device device, int64_t channels) {
  const at::AutoDispatchBelowADInplaceOrView below;
  std::vector<at::Tensor> parts;
  for (size_t begin = 0, end; begin < batch.images.size(); begin = end) {
    end = group_end(batch, begin);
    parts.push_back(group(batch, begin, end, channels, device));
  }
  const at::Tensor x = parts.size() == 1 ? parts.front() : at::cat(parts);
  return normalise(x.contiguous(at::MemoryFormat::ChannelsLast), batch, device);
}

}  // namespace covidct
