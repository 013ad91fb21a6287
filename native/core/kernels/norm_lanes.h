// What the passes of batch norms share in lanes: some channels of one pixel, and sums over pixels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "core/kernels/norm_kernels.h"
#include "core/kernels/simd.h"

namespace covidct {

// Pixels whose sum is kept in float32 before it is added to the double.
constexpr int64_t kRun = 64;
// Channels whose sums stay in the nearest cache, and pixels that are added to them at once.
constexpr int64_t kSummedChannels = 256, kPixelsAtOnce = 4;

// Calls body(whole, channel, count) for runs of channels: whole ones, and the rest.
template <typename V, typename Body>
COVIDCT_INLINE void each_channel_run(int64_t channels, const Body& body) {
  int64_t channel = 0;
  for (; channel + kLanes<V> <= channels; channel += kLanes<V>) body(std::true_type(), channel, kLanes<V>);
  if (channel < channels) body(std::false_type(), channel, channels - channel);
}

// Adds up term(channel, pixel) in lanes, `kSums` of them at once, to `sums`, [kSums, channels]. Pixels are read in the
// order in which they lie in memory: one channel after another would take a few bytes from each page.
template <typename V, int kSums, typename Term>
COVIDCT_INLINE void sum_runs(int64_t pixels, int64_t channels, double* sums, const Term& term) {
  for (int64_t first = 0; first < pixels; first += kRun) {
    const int64_t last = std::min(pixels, first + kRun);
    for (int64_t from = 0; from < channels; from += kSummedChannels) {
      const int64_t width = std::min(channels - from, kSummedChannels);
      float totals[kSums * kSummedChannels] = {};
      const auto add = [&](int64_t pixel, auto at_once) COVIDCT_LAMBDA {
        each_channel_run<V>(width, [&](auto whole, int64_t offset, int64_t count) COVIDCT_LAMBDA {
          V lanes[kSums];
          for (int i = 0; i < kSums; ++i) lanes[i] = load<V>(totals + i * kSummedChannels + offset);
          for (int64_t next = pixel; next < pixel + decltype(at_once)::value; ++next)
            term(whole, from + offset, count, next, lanes);
          for (int i = 0; i < kSums; ++i) store<V>(totals + i * kSummedChannels + offset, lanes[i]);
        });
      };
      int64_t pixel = first;
      for (; pixel + kPixelsAtOnce <= last; pixel += kPixelsAtOnce)
        add(pixel, std::integral_constant<int64_t, kPixelsAtOnce>());
      for (; pixel < last; ++pixel) add(pixel, std::integral_constant<int64_t, 1>());
      for (int i = 0; i < kSums; ++i) {
        for (int64_t c = 0; c < width; ++c) sums[i * channels + from + c] += totals[i * kSummedChannels + c];
      }
    }
  }
}

template <typename V, bool kWhole>
COVIDCT_INLINE V normed(const float* x, const NormChannels& norm, int64_t channel, int64_t count) {
  return load<V, kWhole>(x + channel, count) * load<V, kWhole>(norm.scale + channel, count) +
         load<V, kWhole>(norm.shift + channel, count);
}

// d x of some channels of one pixel.
template <typename V, bool kWhole>
COVIDCT_INLINE V gradient(const V& g, const float* x, const NormChannels& norm, const NormGradient& factors,
                          int64_t channel, int64_t count) {
  const V distance = load<V, kWhole>(x + channel, count) - load<V, kWhole>(norm.mean + channel, count);
  return g * load<V, kWhole>(factors.alpha + channel, count) + load<V, kWhole>(factors.beta + channel, count) +
         distance * load<V, kWhole>(factors.gamma + channel, count);
}

}  // namespace covidct
