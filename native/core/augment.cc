#include "augment.h"

#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <string>

#include "failure.h"

namespace covidct {

namespace {

struct Size {
  int64_t height, width;
};

[[noreturn]] void refuse(size_t image, const std::string& what) {
  throw Failure("ERR_BAD_BATCH", "image " + std::to_string(image) + " of the batch: " + what);
}

bool drawable(int64_t height, int64_t width) {
  return height >= 1 && width >= 1 && height <= kMaxPixels && width <= kMaxPixels && height * width <= kMaxPixels;
}

Size size_after(Size size, const std::array<int32_t, kPixelOpStride>& row, size_t image) {
  switch (row[0]) {
    case kResize:
      size = {row[1], row[2]};
      break;
    case kCrop: {
      // What lies outside is padded first: the union of image and box is an intermediate image too.
      const int64_t top = row[1], left = row[2];
      const int64_t height = std::max<int64_t>(size.height, top + row[3]) - std::min<int64_t>(0, top);
      const int64_t width = std::max<int64_t>(size.width, left + row[4]) - std::min<int64_t>(0, left);
      if (!drawable(height, width)) refuse(image, "a crop reaches too far outside the image");
      size = {row[3], row[4]};
      break;
    }
    case kFlip:
      break;
    default:
      refuse(image, "unknown pixel operation " + std::to_string(row[0]));
  }
  if (!drawable(size.height, size.width)) {
    refuse(image, "an operation makes an image of " + std::to_string(size.height) + " x " + std::to_string(size.width) + " pixels");
  }
  return size;
}

// x: uint8, 1 x 3 x h x w.
at::Tensor resize(const at::Tensor& x, int64_t height, int64_t width) {
  if (x.size(2) == height && x.size(3) == width) return x;
  return at::_upsample_bilinear2d_aa(x.contiguous(at::MemoryFormat::ChannelsLast), {height, width}, /*align_corners=*/false);
}

// What lies outside the image is 0, as PIL's crop has it.
at::Tensor crop(at::Tensor x, int64_t top, int64_t left, int64_t height, int64_t width) {
  const int64_t above = std::max<int64_t>(0, -top), before = std::max<int64_t>(0, -left);
  const int64_t below = std::max<int64_t>(0, top + height - x.size(2));
  const int64_t after = std::max<int64_t>(0, left + width - x.size(3));
  if (above + before + below + after > 0) x = at::constant_pad_nd(x, {before, after, above, below}, 0);
  return x.narrow(2, top + above, height).narrow(3, left + before, width);
}

// ITU-R 601 luma in 16-bit fixed point, rounded as PIL rounds it.
std::vector<uint8_t> to_grey(const std::vector<uint8_t>& rgb) {
  std::vector<uint8_t> grey(rgb.size() / 3);
  for (size_t i = 0; i < grey.size(); ++i) {
    const uint32_t red = rgb[3 * i], green = rgb[3 * i + 1], blue = rgb[3 * i + 2];
    grey[i] = static_cast<uint8_t>((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
  }
  return grey;
}

}  // namespace

at::Tensor run_program(const Image& image, int64_t channels) {
  const std::vector<uint8_t> grey = channels == 1 ? to_grey(image.rgb) : std::vector<uint8_t>{};
  const std::vector<uint8_t>& pixels = channels == 1 ? grey : image.rgb;
  at::Tensor x = at::from_blob(const_cast<uint8_t*>(pixels.data()), {1, image.height, image.width, channels}, at::kByte)
                     .permute({0, 3, 1, 2});
  for (const auto& row : image.program) {
    if (row[0] == kResize) x = resize(x, row[1], row[2]);
    else if (row[0] == kCrop) x = crop(x, row[1], row[2], row[3], row[4]);
    else x = x.flip({3});
  }
  return x.clone(at::MemoryFormat::Contiguous);  // the pixels do not outlive this function
}

namespace {

at::Tensor per_channel(const std::array<double, 3>& values, int64_t channels, c10::Device device) {
  return at::tensor({values[0], values[1], values[2]}, at::kDouble).to(at::kFloat).narrow(0, 0, channels).view({1, channels, 1, 1}).to(device);
}

}  // namespace

void check_programs(const Batch& batch) {
  for (size_t i = 0; i < batch.images.size(); ++i) {
    const Image& image = batch.images[i];
    Size size{image.height, image.width};
    for (const auto& row : image.program) size = size_after(size, row, i);
    if (size.height != batch.height || size.width != batch.width) {
      refuse(i, "its operations end at " + std::to_string(size.height) + " x " + std::to_string(size.width) +
                    " pixels, expected " + std::to_string(batch.height) + " x " + std::to_string(batch.width));
    }
  }
}

at::Tensor prepare(const Batch& batch, c10::Device device, int64_t channels) {
  if (!device.is_cpu()) return prepare_on_device(batch, device, channels);
  std::vector<at::Tensor> images;
  images.reserve(batch.images.size());
  for (const Image& image : batch.images) images.push_back(run_program(image, channels));
  at::Tensor x = at::cat(images).to(device).to(at::kFloat).div_(255);
  return x.sub_(per_channel(batch.mean, channels, device)).div_(per_channel(batch.std, channels, device));
}

}  // namespace covidct
