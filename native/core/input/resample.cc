#include "core/input/resample.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/runtime/transfer.h"

namespace covidct {

namespace {

// LibTorch's kernel keeps its taps in int16, with as many bits after the point as the largest of them allows.
constexpr int kMostPrecision = 22;
constexpr double kTapLimit = 1 << 15;

// The taps of a triangle as wide as the scale, as LibTorch computes and rounds them.
void triangle(Axis& axis, int64_t size) {
  const double scale = static_cast<double>(size) / static_cast<double>(axis.out), support = std::max(scale, 1.0),
               inverse = scale >= 1 ? 1 / scale : 1.0;
  axis.width = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  axis.where.assign(axis.out * axis.width, 0);
  std::vector<double> all(axis.out * axis.width, 0);
  for (int64_t i = 0; i < axis.out; ++i) {
    const double center = scale * (static_cast<double>(i) + 0.5);
    const int64_t begin = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t count = std::clamp<int64_t>(
        std::min<int64_t>(static_cast<int64_t>(center + support + 0.5), size) - begin, 0, axis.width);
    double* const taps = all.data() + i * axis.width;
    double total = 0;
    for (int64_t j = 0; j < count; ++j) {
      const double distance = std::abs((static_cast<double>(j + begin) - center + 0.5) * inverse);
      taps[j] = distance < 1 ? 1 - distance : 0;
      total += taps[j];
      axis.where[i * axis.width + j] = begin + j;
    }
    for (int64_t j = 0; j < count && total != 0; ++j) taps[j] /= total;
  }
  const double largest = *std::max_element(all.begin(), all.end());
  while (axis.precision < kMostPrecision && std::floor(0.5 + largest * (1 << (axis.precision + 1))) < kTapLimit)
    ++axis.precision;
  for (const double tap : all) axis.taps.push_back(static_cast<int32_t>(std::floor(0.5 + tap * (1 << axis.precision))));
}

// The same direction of all images on the device.
struct Sums {
  at::Tensor where, taps;      // [width, n, out]
  at::Tensor half, precision;  // n
};

Sums to_sums(const std::vector<const Axis*>& axes, int64_t out, c10::Device device) {
  int64_t width = 1;
  for (const Axis* axis : axes) width = std::max(width, axis->width);
  const auto count = static_cast<int64_t>(axes.size());
  const at::Tensor where = at::zeros({width, count, out}, at::kLong), taps = at::zeros({width, count, out}, at::kInt),
                   rounding = at::empty({2, count}, at::kInt);
  for (int64_t n = 0; n < count; ++n) {
    const Axis& axis = *axes[n];
    for (int64_t i = 0; i < axis.out; ++i) {
      for (int64_t j = 0; j < axis.width; ++j) {
        where.mutable_data_ptr<int64_t>()[(j * count + n) * out + i] = axis.where[i * axis.width + j];
        taps.mutable_data_ptr<int32_t>()[(j * count + n) * out + i] = axis.taps[i * axis.width + j];
      }
    }
    rounding.mutable_data_ptr<int32_t>()[n] = axis.precision == 0 ? 0 : 1 << (axis.precision - 1);
    rounding.mutable_data_ptr<int32_t>()[count + n] = axis.precision;
  }
  const at::Tensor there = to_device(rounding, device);
  return {to_device(where, device), to_device(taps, device), there.select(0, 0), there.select(0, 1)};
}

// x: [n, channels, height, width], of which the dimension (2 or 3) becomes `out` long.
at::Tensor add_up(const at::Tensor& x, const std::vector<const Axis*>& axes, int64_t dimension, int64_t out) {
  const Sums sums = to_sums(axes, out, x.device());
  std::vector<int64_t> shape = x.sizes().vec(), own = {x.size(0), 1, 1, 1};
  shape[dimension] = own[dimension] = out;
  at::Tensor y = sums.half.view({-1, 1, 1, 1}).expand(shape).clone();
  for (int64_t j = 0; j < sums.where.size(0); ++j) {
    const at::Tensor pixels = x.gather(dimension, sums.where.select(0, j).view(own).expand(shape));
    y.addcmul_(pixels, sums.taps.select(0, j).view(own));
  }
  return y.bitwise_right_shift_(sums.precision.view({-1, 1, 1, 1})).clamp_max_(255);
}

bool unchanged(const std::vector<const Axis*>& axes) {
  return std::all_of(axes.begin(), axes.end(), [](const Axis* axis) { return axis->unchanged; });
}

int64_t longest(const std::vector<const Axis*>& axes) {
  int64_t most = 0;
  for (const Axis* axis : axes) most = std::max(most, axis->out);
  return most;
}

}  // namespace

Axis make_axis(int64_t in, int64_t first, int64_t size, int64_t out, bool mirrored) {
  Axis axis;
  axis.out = out;
  axis.unchanged = first == 0 && size == in && out == in && !mirrored;
  if (size == out) {
    axis.where.resize(out);
    axis.taps.assign(out, 1);
    std::iota(axis.where.begin(), axis.where.end(), 0);
  } else {
    triangle(axis, size);
  }
  for (size_t i = 0; i < axis.where.size(); ++i) {
    axis.where[i] += first;
    if (axis.where[i] >= 0 && axis.where[i] < in && axis.taps[i] != 0) continue;
    axis.where[i] = 0;
    axis.taps[i] = 0;
  }
  if (!mirrored) return axis;
  for (int64_t i = 0; i < out / 2; ++i) {
    const int64_t other = (out - 1 - i) * axis.width;
    std::swap_ranges(axis.where.begin() + i * axis.width, axis.where.begin() + (i + 1) * axis.width,
                     axis.where.begin() + other);
    std::swap_ranges(axis.taps.begin() + i * axis.width, axis.taps.begin() + (i + 1) * axis.width,
                     axis.taps.begin() + other);
  }
  return axis;
}

at::Tensor resample(const at::Tensor& images, const std::vector<Resampling>& each, bool rows_first) {
  std::vector<const Axis*> rows, columns;
  for (const Resampling& one : each) {
    rows.push_back(&one.rows);
    columns.push_back(&one.columns);
  }
  at::Tensor x = images;
  if (rows_first && !unchanged(rows)) x = add_up(x, rows, 2, longest(rows));
  if (!unchanged(columns)) x = add_up(x, columns, 3, longest(columns));
  if (!rows_first && !unchanged(rows)) x = add_up(x, rows, 2, longest(rows));
  return x;
}

}  // namespace covidct
