#include "core/kernels/dense_kernels.h"

#include "core/kernels/norm_lanes.h"

namespace covidct {

namespace {

template <typename V>
COVIDCT_INLINE void add_norm_relu_gradients_in(const float* g, const float* x, const NormChannels& norm, int64_t row,
                                               int64_t pixels, int64_t channels, float* total, double* sums) {
  sum_runs<V, 2>(
      pixels, channels, sums, [&](auto whole, int64_t channel, int64_t count, int64_t pixel, V* totals) COVIDCT_LAMBDA {
        constexpr bool kWhole = decltype(whole)::value;
        const float* const from = x + pixel * row;
        float* const to = total + pixel * row + channel;
        const V y = normed<V, kWhole>(from, norm, channel, count);
        const V value = y > V{} ? load<V, kWhole>(g + pixel * channels + channel, count) : V{};
        store<V, kWhole>(to, load<V, kWhole>(to, count) + value * load<V, kWhole>(norm.scale + channel, count), count);
        totals[0] += value;
        totals[1] += value * (load<V, kWhole>(from + channel, count) - load<V, kWhole>(norm.mean + channel, count));
      });
}

template <typename V>
COVIDCT_INLINE void corrected_gradients_in(const float* total, const float* x, const float* mean,
                                           const NormGradient& factors, int64_t row, int64_t pixels, int64_t channels,
                                           float* g) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, total += row, x += row, g += channels) {
    each_channel_run<V>(channels, [&](auto whole, int64_t channel, int64_t count) COVIDCT_LAMBDA {
      constexpr bool kWhole = decltype(whole)::value;
      const V distance = load<V, kWhole>(x + channel, count) - load<V, kWhole>(mean + channel, count);
      store<V, kWhole>(g + channel,
                       load<V, kWhole>(total + channel, count) + load<V, kWhole>(factors.beta + channel, count) +
                           distance * load<V, kWhole>(factors.gamma + channel, count),
                       count);
    });
  }
}

}  // namespace

COVIDCT_VARIANTS(add_norm_relu_gradients,
                 (const float* g, const float* x, const NormChannels& norm, int64_t row, int64_t pixels,
                  int64_t channels, float* total, double* sums),
                 (g, x, norm, row, pixels, channels, total, sums))
COVIDCT_VARIANTS(corrected_gradients,
                 (const float* total, const float* x, const float* mean, const NormGradient& factors, int64_t row,
                  int64_t pixels, int64_t channels, float* g),
                 (total, x, mean, factors, row, pixels, channels, g))

}  // namespace covidct
