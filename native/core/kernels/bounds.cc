#include "core/kernels/bounds.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <vector>

#include "core/kernels/simd.h"

namespace covidct {

namespace {

constexpr int64_t kGrain = 1 << 16;
constexpr int64_t kBlock = 4096;  // numbers that are looked through one by one where their largest is not finite
constexpr int32_t kInfinity = 0x7f800000;
// Sums of magnitudes are rounded, by less than this part.
constexpr double kSlack = 1.01;

// As integers, magnitudes are in order, and NaN comes after infinity.
template <typename V>
COVIDCT_INLINE void magnitude_bits_in(const float* x, int64_t count, int32_t* most) {
  int32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::bit_cast<int32_t>(x[i]) & 0x7fffffff);
  *most = largest;
}

template <typename V>
COVIDCT_INLINE void sum_magnitudes_in(const float* x, int64_t count, double* sum) {
  V sums = {};
  int64_t i = 0;
  for (; i + kLanes<V> <= count; i += kLanes<V>) {
    const V lanes = load<V>(x + i);
    sums += lanes < V{} ? -lanes : lanes;
  }
  if (i < count) {
    const V lanes = load<V, false>(x + i, count - i);
    sums += lanes < V{} ? -lanes : lanes;
  }
  float each[kLanes<V>];
  store<V>(each, sums);
  *sum = 0;
  for (const float lane : each) *sum += lane;
}

COVIDCT_VARIANTS(magnitude_bits, (const float* x, int64_t count, int32_t* most), (x, count, most))
COVIDCT_VARIANTS(sum_magnitudes, (const float* x, int64_t count, double* sum), (x, count, sum))

double largest_of(const float* x, int64_t count) {
  int32_t bits = 0;
  magnitude_bits(x, count, &bits);
  return bits >= kInfinity ? kUnproven : static_cast<double>(std::bit_cast<float>(bits));
}

double largest_of(const at::Tensor& x) { return x.defined() ? largest_of(x.const_data_ptr<float>(), x.numel()) : 0; }

}  // namespace

int64_t first_not_finite(const float* x, int64_t count) {
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(count, begin + kBlock);
    if (largest_of(x + begin, end - begin) != kUnproven) continue;
    return std::find_if(x + begin, x + end, [](float each) { return !std::isfinite(each); }) - x;
  }
  return count;
}

double largest_magnitude(const at::Tensor& x) {
  const float* const from = x.const_data_ptr<float>();
  std::atomic<int32_t> most{0};
  at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
    int32_t own = 0;
    magnitude_bits(from + begin, end - begin, &own);
    int32_t seen = most.load();
    while (own > seen && !most.compare_exchange_weak(seen, own)) {
    }
  });
  return most >= kInfinity ? kUnproven : static_cast<double>(std::bit_cast<float>(most.load()));
}

Bounded measured(const at::Tensor& x) {
  return {x, largest_magnitude(x.is_non_overlapping_and_dense() ? x : x.contiguous())};
}

Bounded tightened(const Bounded& x, double loose) { return x.proven() && x.most > loose ? measured(x.x) : x; }

Gain gain_of(const at::Tensor& weight, const at::Tensor& scale, const at::Tensor& bias) {
  const int64_t out = weight.size(0), each = weight.numel() / out;
  const float* const from = weight.const_data_ptr<float>();
  std::vector<double> sums(static_cast<size_t>(out));
  at::parallel_for(0, out, std::max<int64_t>(1, kGrain / each), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) sum_magnitudes(from + c * each, each, &sums[c]);
  });
  const float* const factors = scale.defined() ? scale.const_data_ptr<float>() : nullptr;
  double factor = 0;
  for (int64_t c = 0; c < out; ++c) {
    const double sum = factors == nullptr ? sums[c] : sums[c] * std::fabs(static_cast<double>(factors[c]));
    if (!(sum <= kSafe)) return {};
    factor = std::max(factor, sum);
  }
  return {factor * kSlack, largest_of(bias)};
}

Gain gain_of(const at::Tensor& scale, const at::Tensor& shift) {
  return {largest_of(scale) * kSlack, largest_of(shift)};
}

}  // namespace covidct
