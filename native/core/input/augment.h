// From raw bytes to the network's input: the operations on its pixels, scale, normalize, erase.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/MemoryFormat.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/input/pixel_buffer.h"
#include "core/input/pixel_program.h"
#include "core/input/pixel_store.h"

namespace covidct {

// No intermediate image may have more pixels than this.
constexpr int64_t kMaxPixels = int64_t{1} << 28;
// A resize goes over the columns first, as Pillow's does, as long as the image between its two passes has at most so
// many pixels; a larger one goes over that side first which leaves fewer. Each pass rounds to bytes, so that the other
// order may differ from Pillow's by a level or two. Both numbers are those of src/data/transforms/limits.ts.
constexpr int64_t kPillowOrderPixels = int64_t{1} << 24;
// More than that is refused.
constexpr int64_t kMaxPixelsBetween = int64_t{1} << 26;

struct Image {
  const uint8_t* rgb;  // height x width x 3, in the batch's pixels; null where `kept` has them
  int64_t height;
  int64_t width;
  Program program;
  int64_t key = 0;  // not 0: it is whole, and in the batch's store or to be put there
  at::Tensor kept;  // by the store
};

struct Batch {
  PixelBuffer pixels;
  std::vector<Image> images;
  int64_t height;
  int64_t width;
  std::array<double, 3> mean;
  std::array<double, 3> std;
  std::optional<std::vector<int64_t>> labels;
  std::shared_ptr<PixelStore> store;  // set where an image has a key
};

// Whether a resize goes over the rows first, and the pixels of the image between its passes.
bool rows_first(int64_t height, int64_t width, int64_t to_height, int64_t to_width);
int64_t pixels_between(int64_t height, int64_t width, int64_t to_height, int64_t to_width);

// Follows every program without touching a pixel; throws ERR_BAD_BATCH when one is impossible or ends elsewhere.
void check_programs(const Batch& batch);

// float32, [n, channels, height, width], on the device; on the CPU in the memory format (contiguous or channels_last;
// the values are the same), elsewhere in channels_last. One channel: each image is first made gray as PIL's
// convert('L') does, and normalized with the first mean and std. Equal to torchvision on PIL images: each resize rounds
// to uint8 as Pillow does, ToTensor divides by 255, Normalize subtracts and divides. The images are shared among
// LibTorch's threads.
at::Tensor prepare(const Batch& batch, c10::Device device, int64_t channels = 3,
                   at::MemoryFormat format = at::MemoryFormat::Contiguous);
// The same numbers for a GPU, without a wait for it, channels_last: images of the store are cropped, resized and
// flipped there; of the others the bytes go there in one copy from pinned memory. (augment_device.cc)
at::Tensor prepare_on_device(const Batch& batch, c10::Device device, int64_t channels);
// Does what the programs erase, in x: float32, [n, channels, height, width], normalized, on any device.
void erase_boxes(const std::vector<Image>& images, const at::Tensor& x);
// Images after their operations, not yet scaled, into `to`: uint8, [n, channels, height, width], contiguous or
// channels_last.
void write_pixels(const std::vector<const Image*>& images, at::Tensor& to);

// One image, resized as a program resizes it. Both are height x width x 3.
void resize_image(const uint8_t* rgb, int64_t height, int64_t width, uint8_t* to, int64_t to_height, int64_t to_width);

}  // namespace covidct
