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

// A line transform over the columns of a kIn x kIn matrix, then over the rows of what that gives: kOut x kOut.
template <int kIn, int kOut, auto kLine>
COVIDCT_INLINE void both_ways(const Lanes* in, Lanes* out) {
  Lanes t[kOut * kIn], line[kOut];
  for (int j = 0; j < kIn; ++j) {
    kLine(in + j, kIn, line);
    for (int i = 0; i < kOut; ++i) t[i * kIn + j] = line[i];
  }
  for (int i = 0; i < kOut; ++i) kLine(t + i * kIn, 1, out + i * kOut);
}

// Sixteen channels of one window of kSide x kSide pixels, as 36 numbers each.
template <int kSide, auto kLine, bool kWhole>
COVIDCT_INLINE void window_to_tile(const Window& window, float* out, int64_t stride, int64_t channel, int64_t count) {
  Lanes pixels[kSide * kSide], tile[36];
  for (int i = 0; i < kSide * kSide; ++i) pixels[i] = window.pixels[i] == nullptr ? Lanes{} : load<kWhole>(window.pixels[i] + channel, count);
  both_ways<kSide, 6, kLine>(pixels, tile);
  for (int i = 0; i < 36; ++i) store<kWhole>(out + i * stride + channel, tile[i], count);
}

template <int kSide, auto kLine>
COVIDCT_INLINE void windows_to_tiles(const float* x, const TileGrid& grid, int64_t first, const Tiles& out) {
  for (int64_t tile = 0; tile < out.count; ++tile) {
    const Window window(x, grid, out.channels, first + tile, kSide, (kSide - 4) / 2);
    float* const to = out.data + tile * out.channels;
    int64_t channel = 0;
    for (; channel + kLanes <= out.channels; channel += kLanes) window_to_tile<kSide, kLine, true>(window, to, out.stride, channel, kLanes);
    if (channel < out.channels) window_to_tile<kSide, kLine, false>(window, to, out.stride, channel, out.channels - channel);
  }
}

template <bool kWhole>
COVIDCT_INLINE void tile_to_window(const float* in, int64_t stride, const Window& window, const float* bias, int64_t channel, int64_t count) {
  Lanes tile[36], pixels[16];
  for (int i = 0; i < 36; ++i) tile[i] = load<kWhole>(in + i * stride + channel, count);
  both_ways<6, 4, output_line>(tile, pixels);
  const Lanes shift = bias == nullptr ? Lanes{} : load<kWhole>(bias + channel, count);
  for (int i = 0; i < 16; ++i) {
    if (window.pixels[i] != nullptr) store<kWhole>(const_cast<float*>(window.pixels[i]) + channel, pixels[i] + shift, count);
  }
}

}  // namespace

COVIDCT_CLONES void tiles_of_input(const float* x, const TileGrid& grid, int64_t first, const Tiles& out) {
  windows_to_tiles<6, input_line>(x, grid, first, out);
}

COVIDCT_CLONES void tiles_of_gradient(const float* g, const TileGrid& grid, int64_t first, const Tiles& out) {
  windows_to_tiles<4, gradient_line>(g, grid, first, out);
}

COVIDCT_CLONES void tiles_to_output(const Tiles& in, const TileGrid& grid, int64_t first, const float* bias, float* y) {
  for (int64_t tile = 0; tile < in.count; ++tile) {
    const Window window(y, grid, in.channels, first + tile, 4, 0);
    const float* const from = in.data + tile * in.channels;
    int64_t channel = 0;
    for (; channel + kLanes <= in.channels; channel += kLanes) tile_to_window<true>(from, in.stride, window, bias, channel, kLanes);
    if (channel < in.channels) tile_to_window<false>(from, in.stride, window, bias, channel, in.channels - channel);
  }
}

COVIDCT_CLONES void tiles_of_filters(const float* w, int64_t begin, int64_t end, bool turned, const Tiles& out) {
  Lanes g[9], tile[36];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t channel = 0; channel < out.channels; channel += kLanes) {
      const int64_t count = std::min(kLanes, out.channels - channel);
      const float* const from = w + (row * out.channels + channel) * 9;
      float taps[9][kLanes] = {};
      for (int64_t lane = 0; lane < count; ++lane) {
        for (int tap = 0; tap < 9; ++tap) taps[turned ? 8 - tap : tap][lane] = from[lane * 9 + tap];
      }
      for (int tap = 0; tap < 9; ++tap) g[tap] = load<true>(taps[tap], kLanes);
      both_ways<3, 6, filter_line>(g, tile);
      for (int i = 0; i < 36; ++i) {
        float* const to = out.data + i * out.stride + row * out.channels + channel;
        if (count == kLanes) store<true>(to, tile[i], kLanes);
        else store<false>(to, tile[i], count);
      }
    }
  }
}

COVIDCT_CLONES void tiles_to_filters(const Tiles& in, int64_t begin, int64_t end, float* w) {
  Lanes m[36], g[9];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t channel = 0; channel < in.channels; channel += kLanes) {
      const int64_t count = std::min(kLanes, in.channels - channel);
      for (int i = 0; i < 36; ++i) {
        const float* const from = in.data + i * in.stride + row * in.channels + channel;
        m[i] = count == kLanes ? load<true>(from, kLanes) : load<false>(from, count);
      }
      both_ways<6, 3, filter_gradient_line>(m, g);
      float taps[9][kLanes];
      for (int tap = 0; tap < 9; ++tap) store<true>(taps[tap], g[tap], kLanes);
      float* const to = w + (row * in.channels + channel) * 9;
      for (int64_t lane = 0; lane < count; ++lane) {
        for (int tap = 0; tap < 9; ++tap) to[lane * 9 + tap] = taps[tap][lane];
      }
    }
  }
}

}  // namespace covidct
