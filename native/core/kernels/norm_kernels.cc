#include "core/kernels/norm_kernels.h"

#include "core/kernels/norm_lanes.h"

namespace covidct {

namespace {

template <typename V>
COVIDCT_INLINE void sum_pixels_in(const float* x, const float* active, int64_t pixels, int64_t channels, double* sums) {
  sum_runs<V, 1>(pixels, channels, sums,
                 [&](auto whole, int64_t channel, int64_t count, int64_t pixel, V* totals) COVIDCT_LAMBDA {
                   constexpr bool kWhole = decltype(whole)::value;
                   const int64_t at = pixel * channels + channel;
                   const V value = load<V, kWhole>(x + at, count);
                   totals[0] += active == nullptr ? value : load<V, kWhole>(active + at, count) > V{} ? value : V{};
                 });
}

template <typename V>
COVIDCT_INLINE void sum_squares_in(const float* x, const float* mean, int64_t pixels, int64_t channels, double* sums) {
  sum_runs<V, 1>(pixels, channels, sums,
                 [&](auto whole, int64_t channel, int64_t count, int64_t pixel, V* totals) COVIDCT_LAMBDA {
                   constexpr bool kWhole = decltype(whole)::value;
                   const int64_t at = pixel * channels + channel;
                   const V distance = load<V, kWhole>(x + at, count) - load<V, kWhole>(mean + channel, count);
                   totals[0] += distance * distance;
                 });
}

template <typename V>
COVIDCT_INLINE void sum_gradients_in(const float* g, const float* x, const NormChannels& norm, int64_t pixels,
                                     int64_t channels, double* sums) {
  sum_runs<V, 2>(pixels, channels, sums,
                 [&](auto whole, int64_t channel, int64_t count, int64_t pixel, V* totals) COVIDCT_LAMBDA {
                   constexpr bool kWhole = decltype(whole)::value;
                   const int64_t at = pixel * channels + channel;
                   const V y = normed<V, kWhole>(x + at - channel, norm, channel, count);
                   const V value = y > V{} ? load<V, kWhole>(g + at, count) : V{};
                   totals[0] += value;
                   totals[1] += value * (load<V, kWhole>(x + at, count) - load<V, kWhole>(norm.mean + channel, count));
                 });
}

template <typename V>
COVIDCT_INLINE void norm_relu_pixels_in(const float* x, int64_t row, const NormChannels& norm, int64_t pixels,
                                        int64_t channels, float* y) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += row, y += channels) {
    each_channel_run<V>(channels, [&](auto whole, int64_t channel, int64_t count) COVIDCT_LAMBDA {
      constexpr bool kWhole = decltype(whole)::value;
      store<V, kWhole>(y + channel, relu(normed<V, kWhole>(x, norm, channel, count)), count);
    });
  }
}

template <typename V>
COVIDCT_INLINE void norm_relu_gradient_pixels_in(const float* g, const float* x, const NormChannels& norm,
                                                 const NormGradient& factors, int64_t pixels, int64_t channels,
                                                 float* dx) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += channels, g += channels, dx += channels) {
    each_channel_run<V>(channels, [&](auto whole, int64_t channel, int64_t count) COVIDCT_LAMBDA {
      constexpr bool kWhole = decltype(whole)::value;
      const V y = normed<V, kWhole>(x, norm, channel, count);
      const V value = y > V{} ? load<V, kWhole>(g + channel, count) : V{};
      store<V, kWhole>(dx + channel, gradient<V, kWhole>(value, x, norm, factors, channel, count), count);
    });
  }
}

template <typename V>
COVIDCT_INLINE void norm_gradient_elsewhere_in(const float* x, const NormChannels& norm, const NormGradient& factors,
                                               int64_t pixels, int64_t channels, float* dx) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += channels, dx += channels) {
    each_channel_run<V>(channels, [&](auto whole, int64_t channel, int64_t count) COVIDCT_LAMBDA {
      constexpr bool kWhole = decltype(whole)::value;
      store<V, kWhole>(dx + channel, gradient<V, kWhole>(V{}, x, norm, factors, channel, count), count);
    });
  }
}

// The four pixels of a window behind the ReLU, and the largest of them.
template <typename V, bool kWhole>
struct Pooled {
  const float* at[4];
  V y[4], best;

  COVIDCT_INLINE Pooled(const float* x, int64_t width, const NormChannels& norm, int64_t channels, int64_t column,
                        int64_t channel, int64_t count) {
    const float* const left = x + 2 * column * channels;
    at[0] = left;
    at[1] = left + channels;
    at[2] = left + width * channels;
    at[3] = left + (width + 1) * channels;
    for (int i = 0; i < 4; ++i) y[i] = relu(normed<V, kWhole>(at[i], norm, channel, count));
    best = largest(y[0], y[1], y[2], y[3]);
  }

  // What reaches the four pixels of a gradient g: the first of the largest gets it, where the ReLU lets it pass.
  COVIDCT_INLINE void share(const V& g, V* parts) const {
    V left = best > V{} ? g : V{};
    for (int i = 0; i < 4; ++i) {
      parts[i] = y[i] == best ? left : V{};
      left -= parts[i];
    }
  }
};

template <typename V>
COVIDCT_INLINE void norm_relu_pool_row_in(const float* x, int64_t width, const NormChannels& norm, int64_t channels,
                                          int64_t columns, float* y) {
  for (int64_t column = 0; column < columns; ++column, y += channels) {
    each_channel_run<V>(channels, [&](auto whole, int64_t channel, int64_t count) COVIDCT_LAMBDA {
      constexpr bool kWhole = decltype(whole)::value;
      store<V, kWhole>(y + channel, Pooled<V, kWhole>(x, width, norm, channels, column, channel, count).best, count);
    });
  }
}

template <typename V>
COVIDCT_INLINE void sum_pool_gradients_row_in(const float* g, const float* x, int64_t width, const NormChannels& norm,
                                              int64_t channels, int64_t columns, double* sums) {
  sum_runs<V, 2>(columns, channels, sums,
                 [&](auto whole, int64_t channel, int64_t count, int64_t pixel, V* totals) COVIDCT_LAMBDA {
                   constexpr bool kWhole = decltype(whole)::value;
                   const int64_t at = pixel * channels + channel;
                   const Pooled<V, kWhole> pooled(x, width, norm, channels, pixel, channel, count);
                   const V mean = load<V, kWhole>(norm.mean + channel, count);
                   V parts[4];
                   pooled.share(load<V, kWhole>(g + at, count), parts);
                   for (int i = 0; i < 4; ++i) {
                     totals[0] += parts[i];
                     totals[1] += parts[i] * (load<V, kWhole>(pooled.at[i] + channel, count) - mean);
                   }
                 });
}

template <typename V>
COVIDCT_INLINE void norm_relu_pool_gradient_row_in(const float* g, const float* x, int64_t width,
                                                   const NormChannels& norm, const NormGradient& factors,
                                                   int64_t channels, int64_t columns, float* dx) {
  for (int64_t column = 0; column < columns; ++column, g += channels) {
    each_channel_run<V>(channels, [&](auto whole, int64_t channel, int64_t count) COVIDCT_LAMBDA {
      constexpr bool kWhole = decltype(whole)::value;
      const Pooled<V, kWhole> pooled(x, width, norm, channels, column, channel, count);
      V parts[4];
      pooled.share(load<V, kWhole>(g + channel, count), parts);
      for (int i = 0; i < 4; ++i) {
        float* const to = dx + (pooled.at[i] - x) + channel;
        store<V, kWhole>(to, gradient<V, kWhole>(parts[i], pooled.at[i], norm, factors, channel, count), count);
      }
    });
  }
}

}  // namespace

COVIDCT_VARIANTS(sum_pixels, (const float* x, const float* active, int64_t pixels, int64_t channels, double* sums),
                 (x, active, pixels, channels, sums))
COVIDCT_VARIANTS(sum_squares, (const float* x, const float* mean, int64_t pixels, int64_t channels, double* sums),
                 (x, mean, pixels, channels, sums))
COVIDCT_VARIANTS(sum_gradients,
                 (const float* g, const float* x, const NormChannels& norm, int64_t pixels, int64_t channels,
                  double* sums),
                 (g, x, norm, pixels, channels, sums))
COVIDCT_VARIANTS(norm_relu_pixels,
                 (const float* x, int64_t row, const NormChannels& norm, int64_t pixels, int64_t channels, float* y),
                 (x, row, norm, pixels, channels, y))
COVIDCT_VARIANTS(norm_relu_gradient_pixels,
                 (const float* g, const float* x, const NormChannels& norm, const NormGradient& factors, int64_t pixels,
                  int64_t channels, float* dx),
                 (g, x, norm, factors, pixels, channels, dx))
COVIDCT_VARIANTS(norm_relu_pool_row,
                 (const float* x, int64_t width, const NormChannels& norm, int64_t channels, int64_t columns, float* y),
                 (x, width, norm, channels, columns, y))
COVIDCT_VARIANTS(sum_pool_gradients_row,
                 (const float* g, const float* x, int64_t width, const NormChannels& norm, int64_t channels,
                  int64_t columns, double* sums),
                 (g, x, width, norm, channels, columns, sums))
COVIDCT_VARIANTS(norm_relu_pool_gradient_row,
                 (const float* g, const float* x, int64_t width, const NormChannels& norm, const NormGradient& factors,
                  int64_t channels, int64_t columns, float* dx),
                 (g, x, width, norm, factors, channels, columns, dx))
COVIDCT_VARIANTS(norm_gradient_elsewhere,
                 (const float* x, const NormChannels& norm, const NormGradient& factors, int64_t pixels,
                  int64_t channels, float* dx),
                 (x, norm, factors, pixels, channels, dx))

}  // namespace covidct
