// The pixels' way to a GPU: one copy of bytes, scaled and normalized there; or, for images that are kept there, none.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>

#include "core/input/augment.h"
#include "core/input/resample.h"
#include "core/runtime/transfer.h"

namespace covidct {

namespace {

// Bytes of one group of images as int32, before or after a pass: a few large images at a time rather than all of a
// batch.
constexpr int64_t kGroupBytes = int64_t{128} << 20;

at::Tensor on_channels(const std::array<double, 3>& values, int64_t channels, c10::Device device) {
  const at::Tensor host = at::tensor({values[0], values[1], values[2]}, at::kDouble).to(at::kFloat);
  return to_device(host.narrow(0, 0, channels).view({1, channels, 1, 1}), device);
}

// x: whole numbers up to 255, float32, channels last. The operations are those of the CPU, one by one; 255 is a tensor
// there, since a GPU divides by a number of the host by multiplying with its reciprocal.
at::Tensor normalize(at::Tensor x, const Batch& batch, c10::Device device) {
  const int64_t channels = x.size(1);
  return x.div_(at::full({}, 255, x.options()))
      .sub_(on_channels(batch.mean, channels, device))
      .div_(on_channels(batch.std, channels, device));
}

// One crop, resize and flip, each of which may change nothing, in this order.
struct Pass {
  int64_t height, width;  // before
  int64_t top, left, box_height, box_width;
  int64_t to_height, to_width;
  bool cut = false, resized = false, mirrored = false;

  Pass(int64_t h, int64_t w)
      : height(h), width(w), top(0), left(0), box_height(h), box_width(w), to_height(h), to_width(w) {}
  bool resizes_rows_first() const { return rows_first(box_height, box_width, to_height, to_width); }
  Resampling resampling() const {
    return {make_axis(height, top, box_height, to_height, false),
            make_axis(width, left, box_width, to_width, mirrored)};
  }
};

std::vector<Pass> passes_of(const Image& image) {
  std::vector<Pass> passes = {Pass(image.height, image.width)};
  // The last pass, or a new one where the last has already done what comes next or later.
  const auto next = [&](bool too_late) -> Pass& {
    if (too_late) passes.emplace_back(passes.back().to_height, passes.back().to_width);
    return passes.back();
  };
  for (auto step = image.program.begin(); step != end_of_pixels(image.program); ++step) {
    const PixelStep& row = *step;
    const Pass& last = passes.back();
    if (row.op() == kCrop) {
      Pass& pass = next(last.cut || last.resized || last.mirrored);
      pass.top = row[1], pass.left = row[2];
      pass.box_height = pass.to_height = row[3], pass.box_width = pass.to_width = row[4];
      pass.cut = true;
    } else if (row.op() == kResize) {
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
  store.keep(image.key, there);
  return there;
}

// ITU-R 601 luma in 16-bit fixed point, as on the CPU. x: [n, 3, h, w], int32.
at::Tensor to_gray(const at::Tensor& x) {
  return x.narrow(1, 0, 1)
      .mul(19595)
      .add_(x.narrow(1, 1, 1), 38470)
      .add_(x.narrow(1, 2, 1), 7471)
      .add_(0x8000)
      .bitwise_right_shift_(16);
}

// uint8 images as int32, [n, channels, height, width] of the largest, 0 beyond the others.
at::Tensor stacked(const std::vector<at::Tensor>& images, int64_t channels, c10::Device device) {
  int64_t height = 0, width = 0;
  for (const at::Tensor& each : images) height = std::max(height, each.size(0)), width = std::max(width, each.size(1));
  at::Tensor bytes =
      at::zeros({static_cast<int64_t>(images.size()), height, width, 3}, at::TensorOptions(at::kByte).device(device));
  for (size_t i = 0; i < images.size(); ++i)
    bytes.select(0, static_cast<int64_t>(i))
        .narrow(0, 0, images[i].size(0))
        .narrow(1, 0, images[i].size(1))
        .copy_(images[i]);
  const at::Tensor x =
      bytes.permute({0, 3, 1, 2}).to(at::kInt, /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::Contiguous);
  return channels == 1 ? to_gray(x) : x;
}

// Images on the device with what is to be done to them.
struct Group {
  std::vector<at::Tensor> images;
  std::vector<std::vector<Pass>> passes;
  int64_t height = 0, width = 0;  // the largest before or after any pass

  // Whether one more image would make it too large.
  bool full(const std::vector<Pass>& next) const {
    if (!images.empty() && (alone(next) || alone(passes.back()))) return true;
    const auto [high, wide] = largest(next);
    const auto count = static_cast<int64_t>(images.size() + 1);
    return !images.empty() &&
           count * std::max(height, high) * std::max(width, wide) * 3 * static_cast<int64_t>(sizeof(int32_t)) >
               kGroupBytes;
  }
  void add(at::Tensor image, std::vector<Pass> own) {
    const auto [high, wide] = largest(own);
    height = std::max(height, high), width = std::max(width, wide);
    images.push_back(std::move(image));
    passes.push_back(std::move(own));
  }

 private:
  static bool alone(const std::vector<Pass>& passes) {
    return std::any_of(passes.begin(), passes.end(), [](const Pass& each) { return each.resizes_rows_first(); });
  }
  static std::pair<int64_t, int64_t> largest(const std::vector<Pass>& passes) {
    int64_t height = 0, width = 0;
    for (const Pass& each : passes)
      height = std::max({height, each.height, each.to_height}), width = std::max({width, each.width, each.to_width});
    return {height, width};
  }
};

// float32, [n, channels, height, width], not yet scaled.
at::Tensor resampled(const Group& group, int64_t height, int64_t width, int64_t channels, c10::Device device) {
  size_t most = 0;
  for (const std::vector<Pass>& own : group.passes) most = std::max(most, own.size());
  at::Tensor x = stacked(group.images, channels, device);
  for (size_t step = 0; step < most; ++step) {
    std::vector<Resampling> each;
    for (const std::vector<Pass>& own : group.passes)
      each.push_back((step < own.size() ? own[step] : Pass(height, width)).resampling());
    // Such an image is alone in its group.
    const std::vector<Pass>& first = group.passes.front();
    x = resample(x, each, step < first.size() && first[step].resizes_rows_first());
  }
  return x.narrow(2, 0, height)
      .narrow(3, 0, width)
      .to(at::kFloat, /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::ChannelsLast);
}

// Those that are not for the store: cropped and resized on the host, whose kernel for bytes rounds between the two
// passes as Pillow does, and sent as a quarter of the bytes of float32.
at::Tensor sent(const std::vector<const Image*>& images, int64_t height, int64_t width, int64_t channels,
                c10::Device device) {
  at::Tensor pixels =
      at::empty({static_cast<int64_t>(images.size()), channels, height, width},
                at::TensorOptions(at::kByte).pinned_memory(!device.is_cpu()), at::MemoryFormat::ChannelsLast);
  write_pixels(images, pixels);
  return pixels.to(device, at::kByte, /*non_blocking=*/true).to(at::kFloat);
}

}  // namespace

at::Tensor prepare_on_device(const Batch& batch, c10::Device device, int64_t channels) {
  const at::AutoDispatchBelowADInplaceOrView below;
  std::vector<const Image*> others;
  std::vector<int64_t> order;  // where each of the batch's images stands among the parts
  std::vector<at::Tensor> parts;
  for (const Image& image : batch.images) {
    if (image.key == 0) others.push_back(&image);
  }
  if (!others.empty()) parts.push_back(sent(others, batch.height, batch.width, channels, device));
  Group group;
  const auto flush = [&] {
    if (!group.images.empty()) parts.push_back(resampled(group, batch.height, batch.width, channels, device));
    group = Group();
  };
  auto other = int64_t{0}, kept = static_cast<int64_t>(others.size());
  for (const Image& image : batch.images) {
    order.push_back(image.key == 0 ? other++ : kept++);
    if (image.key == 0) continue;
    std::vector<Pass> passes = passes_of(image);
    if (group.full(passes)) flush();
    group.add(image_on_device(image, *batch.store, device), std::move(passes));
  }
  flush();
  at::Tensor x = parts.size() == 1 ? parts.front() : at::cat(parts);
  if (!std::is_sorted(order.begin(), order.end()))
    x = x.index_select(0, to_device(at::tensor(order, at::kLong), device));
  x = normalize(x.contiguous(at::MemoryFormat::ChannelsLast), batch, device);
  erase_boxes(batch.images, x);
  return x;
}

}  // namespace covidct
