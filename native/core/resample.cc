#include "resample.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "transfer.h"

namespace covidct {

namespace {

// LibTorch's kernel keeps its taps in int16, with as many bits after the point as the largest of them allows.
constexpr int kMostPrecision = 22;
constexpr double kTapLimit = 1 << 15;

// The float64 taps of a triangle as wide as the scale, as LibTorch has them.
void triangle(Axis& axis, int64_t size) {
  const double scale = static_cast<double>(size) / static_cast<double>(axis.out), support = std::max(scale, 1.0), inverse = scale >= 1 ? 1 / scale : 1.0;
  axis.width = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  axis.where.assign(axis.out * axis.width, 0);
  axis.taps.assign(axis.out * axis.width, 0);
  for (int64_t i = 0; i < axis.out; ++i) {
    const double center = scale * (static_cast<double>(i) + 0.5);
    const int64_t begin = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t count = std::clamp<int64_t>(std::min<int64_t>(static_cast<int64_t>(center + support + 0.5), size) - begin, 0, axis.width);
    double* const taps = axis.taps.data() + i * axis.width;
    double total = 0;
    for (int64_t j = 0; j < count; ++j) {
      const double distance = std::abs((static_cast<double>(j + begin) - center + 0.5) * inverse);
      taps[j] = distance < 1 ? 1 - distance : 0;
      total += taps[j];
      axis.where[i * axis.width + j] = begin + j;
    }
    if (total == 0) continue;
    for (int64_t j = 0; j < count; ++j) taps[j] /= total;
  }
}

void to_whole_numbers(Axis& axis) {
  const double largest = *std::max_element(axis.taps.begin(), axis.taps.end());
  while (axis.precision < kMostPrecision && std::floor(0.5 + largest * (1 << (axis.precision + 1))) < kTapLimit) ++axis.precision;
  for (double& tap : axis.taps) tap = std::floor(0.5 + tap * (1 << axis.precision));
}

// The same direction of all images, as one matrix each and what rounds its products.
struct Matrices {
  at::Tensor matrices;       // n x out x in
  at::Tensor half, inverse;  // n x 1 x 1
};

Matrices to_matrices(const std::vector<const Axis*>& axes, int64_t in, int64_t out, c10::Device device) {
  int64_t width = 1;
  for (const Axis* axis : axes) width = std::max(width, axis->width);
  const auto count = static_cast<int64_t>(axes.size());
  at::Tensor where = at::zeros({count, out, width}, at::kLong), taps = at::zeros({count, out, width}, at::kDouble);
  at::Tensor rounding = at::empty({2, count, 1, 1}, at::kDouble);
  for (int64_t n = 0; n < count; ++n) {
    const Axis& axis = *axes[n];
    for (int64_t i = 0; i < axis.out; ++i) {
      const int64_t to = (n * out + i) * width;
      std::copy_n(axis.where.data() + i * axis.width, axis.width, where.mutable_data_ptr<int64_t>() + to);
      std::copy_n(axis.taps.data() + i * axis.width, axis.width, taps.mutable_data_ptr<double>() + to);
    }
    rounding.mutable_data_ptr<double>()[n] = axis.precision == 0 ? 0 : static_cast<double>(1 << (axis.precision - 1));
    rounding.mutable_data_ptr<double>()[count + n] = 1.0 / (1 << axis.precision);
  }
  at::Tensor matrices = at::zeros({count, out, in}, at::TensorOptions(at::kDouble).device(device));
  // A tap of 0 may stand anywhere, so they are added.
  matrices.scatter_add_(2, to_device(where, device), to_device(taps, device));
  const at::Tensor there = to_device(rounding, device);
  return {matrices, there.select(0, 0), there.select(0, 1)};
}

at::Tensor round(at::Tensor products, const Matrices& by) { return products.add_(by.half).mul_(by.inverse).floor_().clamp_max_(255); }

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
  Axis axis{in, out};
  axis.unchanged = first == 0 && size == in && out == in && !mirrored;
  if (size == out) {
    axis.where.resize(out);
    axis.taps.assign(out, 1);
    for (int64_t i = 0; i < out; ++i) axis.where[i] = i;
  } else {
    triangle(axis, size);
    to_whole_numbers(axis);
  }
  for (size_t i = 0; i < axis.where.size(); ++i) {
    axis.where[i] += first;
    if (axis.where[i] >= 0 && axis.where[i] < in) continue;
    axis.where[i] = 0;
    axis.taps[i] = 0;
  }
  if (!mirrored) return axis;
  for (int64_t i = 0; i < out / 2; ++i) {
    const int64_t other = (out - 1 - i) * axis.width;
    std::swap_ranges(axis.where.begin() + i * axis.width, axis.where.begin() + (i + 1) * axis.width, axis.where.begin() + other);
    std::swap_ranges(axis.taps.begin() + i * axis.width, axis.taps.begin() + (i + 1) * axis.width, axis.taps.begin() + other);
  }
  return axis;
}

at::Tensor resample(const at::Tensor& images, const std::vector<Resampling>& each) {
  std::vector<const Axis*> rows, columns;
  for (const Resampling& one : each) {
    rows.push_back(&one.rows);
    columns.push_back(&one.columns);
  }
  const int64_t count = images.size(0), channels = images.size(1), height = images.size(2);
  at::Tensor x = images;
  if (!unchanged(columns)) {
    const Matrices by = to_matrices(columns, x.size(3), longest(columns), x.device());
    x = round(at::bmm(x.reshape({count, channels * height, x.size(3)}), by.matrices.transpose(1, 2)), by).view({count, channels, height, -1});
  }
  if (!unchanged(rows)) {
    const Matrices by = to_matrices(rows, height, longest(rows), x.device());
    const int64_t width = x.size(3);
    x = round(at::bmm(by.matrices, x.permute({0, 2, 1, 3}).reshape({count, height, channels * width})), by).view({count, -1, channels, width}).permute({0, 2, 1, 3});
  }
  return x;
}

}  // namespace covidct
