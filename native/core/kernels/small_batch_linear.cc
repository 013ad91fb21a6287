#include "core/kernels/small_batch_linear.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "core/kernels/simd.h"

namespace covidct {

namespace {

// LibTorch's products rearrange the weights first, which pays for more rows than these (0.86 of its time at 32,
// measured).
constexpr int64_t kMostRows = 32;
// Inputs that are worked on at a time: theirs of all rows stay in the nearest cache while the weights go by.
constexpr int64_t kInputs = 1024;
constexpr int kOutputs = 2;

struct Layer {
  const float *x, *weight, *bias;
  float* y;
  int64_t rows, inputs, outputs;
  bool relu;
};

template <typename V>
COVIDCT_INLINE float sum(const V& lanes) {
  float each[kLanes<V>];
  store<V>(each, lanes);
  for (int64_t half = kLanes<V> / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) each[i] += each[i + half];
  }
  return each[0];
}

// y[r][o] += the products of `count` inputs, a multiple of the widest vector, for kRows rows and kOuts outputs.
template <typename V, int kRows, int kOuts>
COVIDCT_INLINE void tile(const Layer& layer, const float* x, const float* weight, float* y, int64_t count) {
  V sums[kRows][kOuts];
  for (int r = 0; r < kRows; ++r) {
    for (int o = 0; o < kOuts; ++o) sums[r][o] = V{};
  }
  const int64_t inputs = layer.inputs;
  for (int64_t k = 0; k < count; k += kLanes<V>) {
    V right[kOuts];
    for (int o = 0; o < kOuts; ++o) right[o] = load<V>(weight + o * inputs + k);
    // The same inputs of the next outputs stand far away, where no hardware looks ahead.
    for (int o = 0; o < kOuts; ++o) __builtin_prefetch(weight + (o + kOuts) * inputs + k);
    for (int r = 0; r < kRows; ++r) {
      const V left = load<V>(x + r * inputs + k);
      for (int o = 0; o < kOuts; ++o) sums[r][o] += left * right[o];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int o = 0; o < kOuts; ++o) y[r * layer.outputs + o] += sum(sums[r][o]);
  }
}

template <typename V, int kOuts>
COVIDCT_INLINE void all_rows(const Layer& layer, int64_t k, int64_t count, int64_t output) {
  constexpr int kRows = kLanes<V> == 16 ? 8 : 4;  // as many as the registers hold
  const float* const weight = layer.weight + output * layer.inputs + k;
  const float* x = layer.x + k;
  float* y = layer.y + output;
  int64_t left = layer.rows;
  for (; left >= kRows; left -= kRows, x += kRows * layer.inputs, y += kRows * layer.outputs)
    tile<V, kRows, kOuts>(layer, x, weight, y, count);
  if constexpr (kRows == 8) {
    if (left >= 4) {
      tile<V, 4, kOuts>(layer, x, weight, y, count);
      left -= 4, x += 4 * layer.inputs, y += 4 * layer.outputs;
    }
  }
  if (left >= 2) {
    tile<V, 2, kOuts>(layer, x, weight, y, count);
    left -= 2, x += 2 * layer.inputs, y += 2 * layer.outputs;
  }
  if (left == 1) tile<V, 1, kOuts>(layer, x, weight, y, count);
}

template <typename V>
COVIDCT_INLINE void outputs_in(const Layer& layer, int64_t begin, int64_t end) {
  for (int64_t r = 0; r < layer.rows; ++r)
    std::copy(layer.bias + begin, layer.bias + end, layer.y + r * layer.outputs + begin);
  for (int64_t k = 0; k < layer.inputs; k += kInputs) {
    const int64_t count = std::min(kInputs, layer.inputs - k);
    int64_t output = begin;
    for (; output + kOutputs <= end; output += kOutputs) all_rows<V, kOutputs>(layer, k, count, output);
    for (; output < end; ++output) all_rows<V, 1>(layer, k, count, output);
  }
  if (!layer.relu) return;
  for (int64_t r = 0; r < layer.rows; ++r) {
    float* const y = layer.y + r * layer.outputs;
    // Keeps NaN.
    for (int64_t o = begin; o < end; ++o) y[o] = y[o] < 0 ? 0 : y[o];
  }
}

}  // namespace

COVIDCT_VARIANTS(outputs, (const Layer& layer, int64_t begin, int64_t end), (layer, begin, end))

bool takes_few_rows(const at::Tensor& x, const at::Tensor& weight) {
  return !c10::GradMode::is_enabled() && x.device().is_cpu() && x.scalar_type() == at::kFloat &&
         weight.scalar_type() == at::kFloat && x.is_contiguous() && weight.is_contiguous() && x.size(0) <= kMostRows &&
         x.size(1) % kLanes<Lanes16> == 0;
}

at::Tensor few_rows_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool relu) {
  at::Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
  const Layer layer = {x.const_data_ptr<float>(),
                       weight.const_data_ptr<float>(),
                       bias.const_data_ptr<float>(),
                       y.mutable_data_ptr<float>(),
                       x.size(0),
                       x.size(1),
                       weight.size(0),
                       relu};
  at::parallel_for(0, layer.outputs, /*grain_size=*/64,
                   [&](int64_t begin, int64_t end) { outputs(layer, begin, end); });
  return y;
}

}  // namespace covidct
