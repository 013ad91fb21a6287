#include "winograd_tiles.h"

#include <algorithm>
#include <cstring>

// The compiler makes each of these functions for several instruction sets; the best one is chosen when the addon loads.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define COVIDCT_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define COVIDCT_CLONES
#endif
#define COVIDCT_INLINE inline __attribute__((always_inline))

namespace covidct {

namespace {

constexpr int64_t kLanes = 16;
// Sixteen channels at once; on narrower machines the compiler splits it.
typedef float Lanes __attribute__((vector_size(64), aligned(4)));

// Never returned from or passed to a function that is not inlined: how vectors are passed differs between instruction sets.
#pragma GCC diagnostic ignored "-Wpsabi"

template <bool kWhole>
COVIDCT_INLINE Lanes load(const float* from, int64_t count) {
  Lanes lanes = {};
  if constexpr (kWhole) std::memcpy(&lanes, from, sizeof(lanes));
  else std::memcpy(&lanes, from, static_cast<size_t>(count) * sizeof(float));
  return lanes;
}

template <bool kWhole>
COVIDCT_INLINE void store(float* to, const Lanes& lanes, int64_t count) {
  if constexpr (kWhole) std::memcpy(to, &lanes, sizeof(lanes));
  else std::memcpy(to, &lanes, static_cast<size_t>(count) * sizeof(float));
}

// The points that polynomials are evaluated at: 0, +-kA, +-kB and infinity. With these, which are each other's inverse,
// rounding errors are about half of those with 1 and 2.
constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;
constexpr float kA2 = 0.5f, kB2 = 2.0f, kA3 = kA / 2, kB3 = kB * 2;
// What the filters are divided by at +-kA and +-kB; at 0 and infinity it is 1.
constexpr float kAtA = 1 / (2 * kA2 * (kA2 - kB2)), kAtB = 1 / (2 * kB2 * (kB2 - kA2));

// B' of six numbers.
COVIDCT_INLINE void input_line(const Lanes* d, int64_t step, Lanes* t) {
  const Lanes d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const Lanes even_a = d4 - kB2 * d2, odd_a = kA * (d3 - kB2 * d1), even_b = d4 - kA2 * d2, odd_b = kB * (d3 - kA2 * d1);
  t[0] = d0 - (kA2 + kB2) * d2 + d4;
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = d1 - (kA2 + kB2) * d3 + d5;
}

// A' of six numbers.
COVIDCT_INLINE void output_line(const Lanes* m, int64_t step, Lanes* y) {
  const Lanes sum_a = m[step] + m[2 * step], difference_a = m[step] - m[2 * step];
  const Lanes sum_b = m[3 * step] + m[4 * step], difference_b = m[3 * step] - m[4 * step];
  y[0] = m[0] + sum_a + sum_b;
  y[1] = kA * difference_a + kB * difference_b;
  y[2] = kA2 * sum_a + kB2 * sum_b;
  y[3] = kA3 * difference_a + kB3 * difference_b + m[5 * step];
}

// A of four numbers.
COVIDCT_INLINE void gradient_line(const Lanes* g, int64_t step, Lanes* t) {
  const Lanes g0 = g[0], g1 = g[step], g2 = g[2 * step], g3 = g[3 * step];
  const Lanes even_a = g0 + kA2 * g2, odd_a = kA * g1 + kA3 * g3, even_b = g0 + kB2 * g2, odd_b = kB * g1 + kB3 * g3;
  t[0] = g0;
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = g3;
}

// G of three numbers.
COVIDCT_INLINE void filter_line(const Lanes* w, int64_t step, Lanes* t) {
  const Lanes w0 = w[0], w1 = w[step], w2 = w[2 * step];
  const Lanes even_a = (w0 + kA2 * w2) * kAtA, odd_a = w1 * (kA * kAtA), even_b = (w0 + kB2 * w2) * kAtB, odd_b = w1 * (kB * kAtB);
  t[0] = w0;
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = w2;
}

// G' of six numbers.
COVIDCT_INLINE void filter_gradient_line(const Lanes* m, int64_t step, Lanes* w) {
  const Lanes sum_a = (m[step] + m[2 * step]) * kAtA, difference_a = (m[step] - m[2 * step]) * kAtA;
  const Lanes sum_b = (m[3 * step] + m[4 * step]) * kAtB, difference_b = (m[3 * step] - m[4 * step]) * kAtB;
  w[0] = m[0] + sum_a + sum_b;
  w[1] = kA * difference_a + kB * difference_b;
  w[2] = kA2 * sum_a + kB2 * sum_b + m[5 * step];
}

// The pixels of one tile, `side` x `side` from (top, left); null where there is none.
struct Window {
  const float* pixels[36];

  COVIDCT_INLINE Window(const float* x, const TileGrid& grid, int64_t channels, int64_t tile, int64_t side, int64_t margin) {
    const int64_t column = tile % grid.columns(), row = tile / grid.columns() % grid.rows(), image = tile / grid.columns() / grid.rows();
    const int64_t top = row * 4 - margin, left = column * 4 - margin;
    for (int64_t i = 0; i < side; ++i) {
      for (int64_t j = 0; j < side; ++j) {
        const int64_t h = top + i, w = left + j;
        const bool inside = h >= 0 && h < grid.height && w >= 0 && w < grid.width;
        pixels[i * side + j] = inside ? x + ((image * grid.height + h) * grid.width + w) * channels : nullptr;
      }
    }
  }
};

template <bool kWhole>
COVIDCT_INLINE void input_tile(const Window& window, float* out, int64_t stride, int64_t channel, int64_t count) {
  Lanes d[36], t[36], line[6];
  for (int i = 0; i < 36; ++i) d[i] = window.pixels[i] == nullptr ? Lanes{} : load<kWhole>(window.pixels[i] + channel, count);
  for (int j = 0; j < 6; ++j) {
    input_line(d + j, 6, line);
    for (int i = 0; i < 6; ++i) t[i * 6 + j] = line[i];
  }
  for (int i = 0; i < 6; ++i) {
    input_line(t + i * 6, 1, line);
    for (int j = 0; j < 6; ++j) store<kWhole>(out + (i * 6 + j) * stride + channel, line[j], count);
  }
}

template <bool kWhole>
COVIDCT_INLINE void gradient_tile(const Window& window, float* out, int64_t stride, int64_t channel, int64_t count) {
  Lanes g[16], t[24], line[6];
  for (int i = 0; i < 16; ++i) g[i] = window.pixels[i] == nullptr ? Lanes{} : load<kWhole>(window.pixels[i] + channel, count);
  for (int j = 0; j < 4; ++j) {
    gradient_line(g + j, 4, line);
    for (int i = 0; i < 6; ++i) t[i * 4 + j] = line[i];
  }
  for (int i = 0; i < 6; ++i) {
    gradient_line(t + i * 4, 1, line);
    for (int j = 0; j < 6; ++j) store<kWhole>(out + (i * 6 + j) * stride + channel, line[j], count);
  }
}

template <bool kWhole>
COVIDCT_INLINE void output_tile(const float* in, int64_t stride, const Window& window, const float* bias, bool relu, int64_t channel, int64_t count) {
  Lanes m[36], t[24], line[6];
  for (int i = 0; i < 36; ++i) m[i] = load<kWhole>(in + i * stride + channel, count);
  for (int j = 0; j < 6; ++j) {
    output_line(m + j, 6, line);
    for (int i = 0; i < 4; ++i) t[i * 6 + j] = line[i];
  }
  const Lanes shift = bias == nullptr ? Lanes{} : load<kWhole>(bias + channel, count);
  for (int i = 0; i < 4; ++i) {
    output_line(t + i * 6, 1, line);
    for (int j = 0; j < 4; ++j) {
      if (window.pixels[i * 4 + j] == nullptr) continue;
      Lanes y = line[j] + shift;
      if (relu) y = y < 0.0f ? Lanes{} : y;  // NaN stays NaN
      store<kWhole>(const_cast<float*>(window.pixels[i * 4 + j]) + channel, y, count);
    }
  }
}

}  // namespace

COVIDCT_CLONES void tiles_of_input(const float* x, const TileGrid& grid, int64_t first, const Tiles& out) {
  for (int64_t tile = 0; tile < out.count; ++tile) {
    const Window window(x, grid, out.channels, first + tile, 6, 1);
    float* const to = out.data + tile * out.channels;
    int64_t channel = 0;
    for (; channel + kLanes <= out.channels; channel += kLanes) input_tile<true>(window, to, out.stride, channel, kLanes);
    if (channel < out.channels) input_tile<false>(window, to, out.stride, channel, out.channels - channel);
  }
}

COVIDCT_CLONES void tiles_of_gradient(const float* g, const TileGrid& grid, int64_t first, const Tiles& out) {
  for (int64_t tile = 0; tile < out.count; ++tile) {
    const Window window(g, grid, out.channels, first + tile, 4, 0);
    float* const to = out.data + tile * out.channels;
    int64_t channel = 0;
    for (; channel + kLanes <= out.channels; channel += kLanes) gradient_tile<true>(window, to, out.stride, channel, kLanes);
    if (channel < out.channels) gradient_tile<false>(window, to, out.stride, channel, out.channels - channel);
  }
}

COVIDCT_CLONES void tiles_to_output(const Tiles& in, const TileGrid& grid, int64_t first, const float* bias, bool relu, float* y) {
  for (int64_t tile = 0; tile < in.count; ++tile) {
    const Window window(y, grid, in.channels, first + tile, 4, 0);
    const float* const from = in.data + tile * in.channels;
    int64_t channel = 0;
    for (; channel + kLanes <= in.channels; channel += kLanes) output_tile<true>(from, in.stride, window, bias, relu, channel, kLanes);
    if (channel < in.channels) output_tile<false>(from, in.stride, window, bias, relu, channel, in.channels - channel);
  }
}

COVIDCT_CLONES void tiles_of_filters(const float* w, int64_t begin, int64_t end, bool turned, const Tiles& out) {
  Lanes g[9], t[18], line[6];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t channel = 0; channel < out.channels; channel += kLanes) {
      const int64_t count = std::min(kLanes, out.channels - channel);
      const float* const from = w + (row * out.channels + channel) * 9;
      float taps[9][kLanes] = {};
      for (int64_t lane = 0; lane < count; ++lane) {
        for (int tap = 0; tap < 9; ++tap) taps[turned ? 8 - tap : tap][lane] = from[lane * 9 + tap];
      }
      for (int tap = 0; tap < 9; ++tap) g[tap] = load<true>(taps[tap], kLanes);
      for (int j = 0; j < 3; ++j) {
        filter_line(g + j, 3, line);
        for (int i = 0; i < 6; ++i) t[i * 3 + j] = line[i];
      }
      for (int i = 0; i < 6; ++i) {
        filter_line(t + i * 3, 1, line);
        for (int j = 0; j < 6; ++j) {
          float* const to = out.data + (i * 6 + j) * out.stride + row * out.channels + channel;
          if (count == kLanes) store<true>(to, line[j], kLanes);
          else store<false>(to, line[j], count);
        }
      }
    }
  }
}

COVIDCT_CLONES void tiles_to_filters(const Tiles& in, int64_t begin, int64_t end, float* w) {
  Lanes m[36], t[18], line[3];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t channel = 0; channel < in.channels; channel += kLanes) {
      const int64_t count = std::min(kLanes, in.channels - channel);
      for (int i = 0; i < 36; ++i) {
        const float* const from = in.data + i * in.stride + row * in.channels + channel;
        m[i] = count == kLanes ? load<true>(from, kLanes) : load<false>(from, count);
      }
      for (int j = 0; j < 6; ++j) {
        filter_gradient_line(m + j, 6, line);
        for (int i = 0; i < 3; ++i) t[i * 6 + j] = line[i];
      }
      float taps[9][kLanes];
      for (int i = 0; i < 3; ++i) {
        filter_gradient_line(t + i * 6, 1, line);
        for (int j = 0; j < 3; ++j) store<true>(taps[i * 3 + j], line[j], kLanes);
      }
      float* const to = w + (row * in.channels + channel) * 9;
      for (int64_t lane = 0; lane < count; ++lane) {
        for (int tap = 0; tap < 9; ++tap) to[lane * 9 + tap] = taps[tap][lane];
      }
    }
  }
}

}  // namespace covidct
