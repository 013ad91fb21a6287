#include "core/input/pixel_ops.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>

#include <cmath>

#include "core/runtime/transfer.h"

namespace covidct {

namespace {

uint8_t to_level(float value) { return static_cast<uint8_t>(std::min(255.0f, std::max(0.0f, std::nearbyint(value)))); }

// ---- Rotation -------------------------------------------------------------------------------------------------------
// From a place in the output to one in the image, both in pixels from the middle, x first.
using Affine = std::array<std::array<float, 3>, 2>;

// torchvision's `_get_inverse_affine_matrix` for a rotation, divided by half of the image's sides.
Affine inverse_rotation(double degrees, double center_x, double center_y, int64_t width, int64_t height) {
  const double radians = -degrees * M_PI / 180.0, cosine = std::cos(radians), sine = std::sin(radians);
  const double shift_x = center_x - cosine * center_x - sine * center_y;
  const double shift_y = center_y + sine * center_x - cosine * center_y;
  const auto half_width = 0.5f * static_cast<float>(width), half_height = 0.5f * static_cast<float>(height);
  const auto scaled = [](double value, float half) { return static_cast<float>(value) / half; };
  return {{{scaled(cosine, half_width), scaled(sine, half_width), scaled(shift_x, half_width)},
           {scaled(-sine, half_height), scaled(cosine, half_height), scaled(shift_y, half_height)}}};
}

// An image's planes with what lies outside of them.
struct Planes {
  const uint8_t* first;
  int64_t channels, height, width;

  bool holds(int64_t y, int64_t x) const { return y >= 0 && x >= 0 && y < height && x < width; }
  float at(int64_t channel, int64_t y, int64_t x) const {
    return static_cast<float>(first[(channel * height + y) * width + x]);
  }
};

// A place in the image between four pixels, of which `inside` says which exist.
struct Corners {
  int64_t y, x;
  std::array<float, 4> weights;
  std::array<bool, 4> inside;

  Corners(const Planes& from, float at_y, float at_x) {
    const float top = std::floor(at_y), left = std::floor(at_x);
    const float south = at_y - top, north = 1.0f - south, east = at_x - left, west = 1.0f - east;
    y = static_cast<int64_t>(top), x = static_cast<int64_t>(left);
    weights = {north * west, north * east, south * west, south * east};
    inside = {from.holds(y, x), from.holds(y, x + 1), from.holds(y + 1, x), from.holds(y + 1, x + 1)};
  }
  float covered() const {
    float sum = 0;
    for (size_t i = 0; i < 4; ++i) sum += inside[i] ? weights[i] : 0.0f;
    return sum;
  }
  float value(const Planes& from, int64_t channel) const {
    float sum = 0;
    for (size_t i = 0; i < 4; ++i)
      if (inside[i])
        sum += from.at(channel, y + static_cast<int64_t>(i / 2), x + static_cast<int64_t>(i % 2)) * weights[i];
    return sum;
  }
};

// step: [kRotate, height, width, bilinear, 0], then angle, the center from the middle (x, y), and the fill.
at::Tensor rotate(const at::Tensor& image, const PixelStep& step) {
  const at::Tensor x = image.contiguous();
  const Planes from{x.const_data_ptr<uint8_t>(), x.size(1), x.size(2), x.size(3)};
  const int64_t height = step[1], width = step[2];
  const auto [degrees, center_x, center_y, red, green, blue] = step.factors;
  const std::array<float, 3> fill = {static_cast<float>(red), static_cast<float>(green), static_cast<float>(blue)};
  const Affine matrix = inverse_rotation(degrees, center_x, center_y, from.width, from.height);
  at::Tensor rotated = at::empty({1, from.channels, height, width}, x.options());
  uint8_t* to = rotated.mutable_data_ptr<uint8_t>();
  // As grid_sample without aligned corners: -1 and 1 are the outer edges of the image.
  const auto place = [](const std::array<float, 3>& row, float column, float line, int64_t side) {
    return (column * row[0] + line * row[1] + row[2] + 1.0f) * (static_cast<float>(side) / 2) - 0.5f;
  };
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      const float base_x = static_cast<float>(column) - static_cast<float>(width) * 0.5f + 0.5f;
      const float base_y = static_cast<float>(row) - static_cast<float>(height) * 0.5f + 0.5f;
      const float at_x = place(matrix[0], base_x, base_y, from.width);
      const float at_y = place(matrix[1], base_x, base_y, from.height);
      uint8_t* out = to + row * width + column;
      const int64_t plane = height * width;
      if (step[3] == 0) {
        const auto y = static_cast<int64_t>(std::nearbyint(at_y)), nearest = static_cast<int64_t>(std::nearbyint(at_x));
        const bool inside = from.holds(y, nearest);
        for (int64_t c = 0; c < from.channels; ++c)
          out[c * plane] = to_level(inside ? from.at(c, y, nearest) : fill[static_cast<size_t>(c)]);
        continue;
      }
      const Corners corners(from, at_y, at_x);
      const float covered = corners.covered();
      // The sum is 0 beyond the edge and is weighed once more, as torchvision has it.
      for (int64_t c = 0; c < from.channels; ++c)
        out[c * plane] = to_level(corners.value(from, c) * covered + (1.0f - covered) * fill[static_cast<size_t>(c)]);
    }
  }
  return rotated;
}

// ---- Brightness and contrast ----------------------------------------------------------------------------------------
// Every level blended with one gray: factor * level + (1 - factor) * gray, cut to [0, 255], the fraction dropped.
at::Tensor blend(const at::Tensor& image, double factor, float gray) {
  const auto own = static_cast<float>(factor), rest = static_cast<float>(1.0 - factor) * gray;
  std::array<uint8_t, 256> table{};
  for (size_t level = 0; level < table.size(); ++level)
    table[level] = static_cast<uint8_t>(std::min(255.0f, std::max(0.0f, own * static_cast<float>(level) + rest)));
  at::Tensor blended = at::empty(image.sizes(), image.options(), at::MemoryFormat::Contiguous);
  const at::Tensor x = image.contiguous();
  const uint8_t* from = x.const_data_ptr<uint8_t>();
  uint8_t* to = blended.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < x.numel(); ++i) to[i] = table[from[i]];
  return blended;
}

// The mean of the gray levels, each with its fraction dropped, as torchvision's adjust_contrast takes it.
float mean_gray(const at::Tensor& image) {
  const at::Tensor x = image.contiguous();
  const uint8_t* levels = x.const_data_ptr<uint8_t>();
  const int64_t pixels = x.size(2) * x.size(3);
  int64_t sum = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    if (x.size(1) == 1) {
      sum += levels[i];
      continue;
    }
    const auto red = static_cast<float>(levels[i]), green = static_cast<float>(levels[pixels + i]);
    const auto blue = static_cast<float>(levels[2 * pixels + i]);
    sum += static_cast<int64_t>(0.2989f * red + 0.587f * green + 0.114f * blue);
  }
  return static_cast<float>(static_cast<double>(sum) / static_cast<double>(pixels));
}

// ---- Gaussian blur --------------------------------------------------------------------------------------------------
std::vector<float> gaussian(int64_t size, double sigma) {
  std::vector<float> kernel(static_cast<size_t>(size));
  float sum = 0;
  for (int64_t i = 0; i < size; ++i) {
    const float x = (static_cast<float>(i) - static_cast<float>(size - 1) * 0.5f) / static_cast<float>(sigma);
    sum += kernel[static_cast<size_t>(i)] = std::exp(-0.5f * x * x);
  }
  for (float& each : kernel) each /= sum;
  return kernel;
}

// Mirrors a place outside of [0, size) without repeating the edge; it lies less than `size` outside.
int64_t reflected(int64_t at, int64_t size) {
  if (at < 0) return -at;
  return at < size ? at : 2 * (size - 1) - at;
}

// One plane, a row at a time: over the rows into `between`, which has `half` more on either side, then over the
// columns.
void blur_plane(const uint8_t* from, uint8_t* to, int64_t height, int64_t width, const std::vector<float>& columns,
                const std::vector<float>& rows) {
  const auto half_width = static_cast<int64_t>(columns.size() / 2), half_height = static_cast<int64_t>(rows.size() / 2);
  std::vector<float> between(static_cast<size_t>(width + 2 * half_width));
  float* middle = between.data() + half_width;
  for (int64_t y = 0; y < height; ++y) {
    std::fill(between.begin(), between.end(), 0.0f);
    for (int64_t k = 0; k < static_cast<int64_t>(rows.size()); ++k) {
      const uint8_t* line = from + reflected(y + k - half_height, height) * width;
      const float weight = rows[static_cast<size_t>(k)];
      for (int64_t x = 0; x < width; ++x) middle[x] += weight * static_cast<float>(line[x]);
    }
    for (int64_t x = 1; x <= half_width; ++x) {
      middle[-x] = middle[x];
      middle[width - 1 + x] = middle[width - 1 - x];
    }
    for (int64_t x = 0; x < width; ++x) {
      float sum = 0;
      for (size_t k = 0; k < columns.size(); ++k) sum += columns[k] * between[static_cast<size_t>(x) + k];
      to[y * width + x] = to_level(sum);
    }
  }
}

// step: [kBlur, kernel's width, kernel's height, 0, 0], then sigma.
at::Tensor gaussian_blur(const at::Tensor& image, const PixelStep& step) {
  const at::Tensor x = image.contiguous();
  const int64_t height = x.size(2), width = x.size(3);
  const std::vector<float> columns = gaussian(step[1], step.factors[0]), rows = gaussian(step[2], step.factors[0]);
  at::Tensor blurred = at::empty(x.sizes(), x.options());
  for (int64_t c = 0; c < x.size(1); ++c) {
    const int64_t plane = c * height * width;
    blur_plane(x.const_data_ptr<uint8_t>() + plane, blurred.mutable_data_ptr<uint8_t>() + plane, height, width, columns,
               rows);
  }
  return blurred;
}

}  // namespace

at::Tensor apply_pixel_op(const at::Tensor& image, const PixelStep& step) {
  const double factor = step.factors[0];
  if (step.op() == kRotate) return rotate(image, step);
  if (step.op() == kBrightness) return blend(image, factor, 0);
  if (step.op() == kContrast) return blend(image, factor, mean_gray(image));
  return gaussian_blur(image, step);
}

// step: [kErase, top, left, height, width], then a value for each channel, whether it is random instead, and its seed.
void erase(const at::Tensor& image, const PixelStep& step) {
  const at::Tensor box = image.narrow(1, step[1], step[3]).narrow(2, step[2], step[4]);
  if (step.factors[3] != 0) {
    const at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(step.factors[4]));
    const at::Tensor values = at::empty(box.sizes(), at::TensorOptions(at::kFloat)).normal_(0, 1, generator);
    box.copy_(box.is_cpu() ? values : to_device(values, box.device()));
    return;
  }
  for (int64_t c = 0; c < box.size(0); ++c) box.select(0, c).fill_(step.factors[static_cast<size_t>(c)]);
}

}  // namespace covidct
