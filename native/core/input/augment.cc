#include "core/input/augment.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>

#include "core/input/pixel_ops.h"
#include "core/runtime/failure.h"

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

// Whether half of a kernel's side can be mirrored at the edges of an image.
bool blurs(int32_t kernel, int64_t side) { return kernel >= 1 && kernel % 2 == 1 && kernel / 2 < side; }

Size size_after(Size size, const PixelStep& row, size_t image) {
  switch (row.op()) {
    case kResize: {
      const int64_t between = pixels_between(size.height, size.width, row[1], row[2]);
      if (between > kMaxPixelsBetween)
        refuse(image, "a resize makes an image of " + std::to_string(between) + " pixels on its way");
      size = {row[1], row[2]};
      break;
    }
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
    case kRotate:
      size = {row[1], row[2]};
      break;
    case kBrightness:
    case kContrast:
      if (!(row.factors[0] >= 0)) refuse(image, "a factor of brightness or contrast is less than 0");
      break;
    case kBlur:
      if (!blurs(row[1], size.width) || !blurs(row[2], size.height) || !(row.factors[0] > 0))
        refuse(image, "a blur's kernel is even or too large for the image, or its sigma is not above 0");
      break;
    case kErase:
      if (row[1] < 0 || row[2] < 0 || row[3] < 1 || row[4] < 1 || int64_t{row[1]} + row[3] > size.height ||
          int64_t{row[2]} + row[4] > size.width || !(row.factors[4] >= 0 && row.factors[4] < 0x1p53))
        refuse(image, "a box to erase lies outside the image");
      break;
    default:
      refuse(image, "unknown pixel operation " + std::to_string(row.op()));
  }
  if (!drawable(size.height, size.width)) {
    refuse(image, "an operation makes an image of " + std::to_string(size.height) + " x " + std::to_string(size.width) +
                      " pixels");
  }
  return size;
}

// x: uint8, [1, 3, h, w]. Columns first.
at::Tensor resize_at_once(const at::Tensor& x, int64_t height, int64_t width) {
  if (x.size(2) == height && x.size(3) == width) return x;
  const at::Tensor packed = x.contiguous(at::MemoryFormat::ChannelsLast);
  return at::_upsample_bilinear2d_aa(packed, {height, width}, /*align_corners=*/false);
}

at::Tensor resize(const at::Tensor& x, int64_t height, int64_t width) {
  if (!rows_first(x.size(2), x.size(3), height, width)) return resize_at_once(x, height, width);
  return resize_at_once(resize_at_once(x, height, x.size(3)), height, width);
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
std::unique_ptr<uint8_t[]> to_gray(const uint8_t* rgb, int64_t pixels) {
  auto gray = std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(pixels));
  for (int64_t i = 0; i < pixels; ++i) {
    const uint32_t red = rgb[3 * i], green = rgb[3 * i + 1], blue = rgb[3 * i + 2];
    gray[i] = static_cast<uint8_t>((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
  }
  return gray;
}

// What becomes of each of the 256 values of a channel. A byte has no more of them, so that looking them up gives the
// very numbers of the division, subtraction and division of a whole tensor.
template <typename T>
using Tables = std::array<std::array<T, 256>, 3>;

Tables<float> normalized(const Batch& batch) {
  Tables<float> tables;
  for (size_t c = 0; c < 3; ++c) {
    const float mean = static_cast<float>(batch.mean[c]), std = static_cast<float>(batch.std[c]);
    for (int v = 0; v < 256; ++v) tables[c][v] = (static_cast<float>(v) / 255.0f - mean) / std;
  }
  return tables;
}

Tables<uint8_t> unchanged() {
  Tables<uint8_t> tables;
  for (auto& table : tables) {
    for (int v = 0; v < 256; ++v) table[v] = static_cast<uint8_t>(v);
  }
  return tables;
}

// Where a value of an image's channel, row and column lies in the output, from its own first value on.
struct Strides {
  int64_t channel, row, column;
};

// x: uint8, [1, c, h, w] in any layout; to: the place of the image.
template <typename T>
void write(const at::Tensor& x, bool mirrored, const Tables<T>& tables, T* to, Strides strides) {
  const int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
  const int64_t step = mirrored ? -x.stride(3) : x.stride(3);
  const uint8_t* first = x.const_data_ptr<uint8_t>() + (mirrored ? (width - 1) * x.stride(3) : 0);
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      const T* table = tables[channel].data();
      const uint8_t* from = first + row * x.stride(2) + channel * x.stride(1);
      T* out = to + row * strides.row + channel * strides.channel;
      for (int64_t column = 0; column < width; ++column) out[column * strides.column] = table[from[column * step]];
    }
  }
}

template <typename T>
void write_image(const Image& image, int64_t channels, const Tables<T>& tables, T* to, Strides strides) {
  const auto gray = channels == 1 ? to_gray(image.rgb, image.height * image.width) : nullptr;
  const uint8_t* pixels = gray ? gray.get() : image.rgb;
  at::Tensor x = at::from_blob(const_cast<uint8_t*>(pixels), {1, image.height, image.width, channels}, at::kByte)
                     .permute({0, 3, 1, 2});
  // A flip at the end costs nothing: the last pass writes from right to left.
  auto end = end_of_pixels(image.program);
  const bool mirrored = end != image.program.begin() && std::prev(end)->op() == kFlip;
  if (mirrored) --end;
  for (auto row = image.program.begin(); row != end; ++row) {
    if (row->op() == kResize)
      x = resize(x, (*row)[1], (*row)[2]);
    else if (row->op() == kCrop)
      x = crop(x, (*row)[1], (*row)[2], (*row)[3], (*row)[4]);
    else
      x = row->op() == kFlip ? x.flip({3}) : apply_pixel_op(x, *row);
  }
  write(x, mirrored, tables, to, strides);
}

// to: [n, channels, height, width], contiguous or channels_last.
template <typename T>
void write_images(const std::vector<const Image*>& images, const Tables<T>& tables, at::Tensor& to) {
  const int64_t channels = to.size(1), step = to.stride(0);
  const Strides strides{to.stride(1), to.stride(2), to.stride(3)};
  T* const first = to.mutable_data_ptr<T>();
  at::parallel_for(0, to.size(0), 1, [&](int64_t begin, int64_t end) {
    // A thread of LibTorch's pool does not know that nothing is recorded here.
    at::AutoDispatchBelowADInplaceOrView below;
    for (int64_t i = begin; i < end; ++i) write_image(*images[i], channels, tables, first + i * step, strides);
  });
}

}  // namespace

bool rows_first(int64_t height, int64_t width, int64_t to_height, int64_t to_width) {
  const int64_t columns_then_rows = height * to_width, rows_then_columns = to_height * width;
  return columns_then_rows > kPillowOrderPixels && rows_then_columns < columns_then_rows;
}

int64_t pixels_between(int64_t height, int64_t width, int64_t to_height, int64_t to_width) {
  return rows_first(height, width, to_height, to_width) ? to_height * width : height * to_width;
}

void check_programs(const Batch& batch) {
  for (size_t i = 0; i < batch.images.size(); ++i) {
    const Image& image = batch.images[i];
    Size size{image.height, image.width};
    for (const PixelStep& row : image.program) size = size_after(size, row, i);
    if (!std::all_of(end_of_pixels(image.program), image.program.end(),
                     [](const PixelStep& row) { return row.op() == kErase; }))
      refuse(i, "an operation on pixels comes after a box was erased");
    if (size.height != batch.height || size.width != batch.width) {
      refuse(i, "its operations end at " + std::to_string(size.height) + " x " + std::to_string(size.width) +
                    " pixels, expected " + std::to_string(batch.height) + " x " + std::to_string(batch.width));
    }
  }
}

void resize_image(const uint8_t* rgb, int64_t height, int64_t width, uint8_t* to, int64_t to_height, int64_t to_width) {
  at::AutoDispatchBelowADInplaceOrView below;
  const at::Tensor x = at::from_blob(const_cast<uint8_t*>(rgb), {1, height, width, 3}, at::kByte).permute({0, 3, 1, 2});
  write(resize(x, to_height, to_width), false, unchanged(), to, Strides{1, to_width * 3, 3});
}

void erase_boxes(const std::vector<Image>& images, const at::Tensor& x) {
  for (size_t i = 0; i < images.size(); ++i) {
    const Program& program = images[i].program;
    for (auto row = end_of_pixels(program); row != program.end(); ++row)
      erase(x.select(0, static_cast<int64_t>(i)), *row);
  }
}

void write_pixels(const std::vector<const Image*>& images, at::Tensor& to) { write_images(images, unchanged(), to); }

at::Tensor prepare(const Batch& batch, c10::Device device, int64_t channels, at::MemoryFormat format) {
  if (!device.is_cpu()) return prepare_on_device(batch, device, channels);
  if (batch.store) return prepare_on_device(batch, device, channels).contiguous(format);
  const auto count = static_cast<int64_t>(batch.images.size());
  at::Tensor x = at::empty({count, channels, batch.height, batch.width}, at::TensorOptions(at::kFloat), format);
  std::vector<const Image*> images;
  for (const Image& each : batch.images) images.push_back(&each);
  write_images(images, normalized(batch), x);
  erase_boxes(batch.images, x);
  return x;
}

}  // namespace covidct
