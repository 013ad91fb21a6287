#include "core/kernels/winograd_tiles.h"

#include <algorithm>

#include "core/kernels/simd.h"
#include "core/kernels/winograd_lines.h"

namespace covidct {

namespace {

// A line transform over the columns of a kIn x kIn matrix, then over the rows of what that gives: kOut x kOut.
template <typename V, int kIn, int kOut, typename Line>
COVIDCT_INLINE void both_ways(const V* in, V* out, const Line& transform) {
  V t[kOut * kIn], line[kOut];
  for (int j = 0; j < kIn; ++j) {
    transform(in + j, kIn, line);
    for (int i = 0; i < kOut; ++i) t[i * kIn + j] = line[i];
  }
  for (int i = 0; i < kOut; ++i) transform(t + i * kIn, 1, out + i * kOut);
}

// Where the pixels of one tile stand, kSide x kSide from (top, left), in numbers from the start; -1 where there is
// none.
template <int kSide>
struct Window {
  int64_t at[kSide * kSide];

  COVIDCT_INLINE Window(const TileGrid& grid, int64_t channels, int64_t tile) {
    constexpr int64_t margin = (kSide - 4) / 2;
    const int64_t column = tile % grid.columns(), row = tile / grid.columns() % grid.rows(),
                  image = tile / grid.columns() / grid.rows();
    for (int64_t i = 0; i < kSide; ++i) {
      for (int64_t j = 0; j < kSide; ++j) {
        const int64_t h = row * 4 - margin + i, w = column * 4 - margin + j;
        const bool inside = h >= 0 && h < grid.height && w >= 0 && w < grid.width;
        at[i * kSide + j] = inside ? ((image * grid.height + h) * grid.width + w) * channels : -1;
      }
    }
  }
};

enum class Reading { kPlain, kNorm, kActive };

template <typename V, Reading kReading, bool kWhole>
COVIDCT_INLINE V pixel(const PixelSource& source, int64_t at, const V& scale, const V& shift, int64_t count) {
  const V x = load<V, kWhole>(source.x + at, count);
  if constexpr (kReading == Reading::kNorm) return relu(x * scale + shift);
  if constexpr (kReading == Reading::kActive) return load<V, kWhole>(source.active + at, count) > V{} ? x : V{};
  return x;
}

// Some channels of one window of kSide x kSide pixels, as 36 numbers each.
template <typename V, int kSide, Reading kReading, bool kWhole, typename Line>
COVIDCT_INLINE void window_to_tile(const PixelSource& source, const Window<kSide>& window, float* out, int64_t stride,
                                   int64_t channel, int64_t count, const Line& line) {
  V scale = {}, shift = {};
  if constexpr (kReading == Reading::kNorm) {
    scale = load<V, kWhole>(source.scale + channel, count);
    shift = load<V, kWhole>(source.shift + channel, count);
  }
  V pixels[kSide * kSide], tile[36];
  for (int i = 0; i < kSide * kSide; ++i) {
    pixels[i] =
        window.at[i] < 0 ? V{} : pixel<V, kReading, kWhole>(source, window.at[i] + channel, scale, shift, count);
  }
  both_ways<V, kSide, 6>(pixels, tile, line);
  for (int i = 0; i < 36; ++i) store<V>(out + i * stride + channel, tile[i]);
}

template <typename V, int kSide, Reading kReading, typename Line>
COVIDCT_INLINE void windows_to_tiles(const PixelSource& source, const TileGrid& grid, int64_t first, const Tiles& out,
                                     const Line& line) {
  const int64_t channels = out.channels;
  for (int64_t tile = 0; tile < out.count; ++tile) {
    const Window<kSide> window(grid, channels, first + tile);
    float* const to = out.data + tile * out.row;
    int64_t channel = 0;
    for (; channel + kLanes<V> <= channels; channel += kLanes<V>) {
      window_to_tile<V, kSide, kReading, true>(source, window, to, out.stride, channel, kLanes<V>, line);
    }
    if (channel < channels) {
      window_to_tile<V, kSide, kReading, false>(source, window, to, out.stride, channel, channels - channel, line);
      channel += kLanes<V>;
    }
    for (; channel < whole_panels(channels); channel += kLanes<V>) {
      for (int i = 0; i < 36; ++i) store<V>(to + i * out.stride + channel, V{});
    }
  }
}

template <typename V, int kSide, typename Line>
COVIDCT_INLINE void any_windows_to_tiles(const PixelSource& source, const TileGrid& grid, int64_t first,
                                         const Tiles& out, const Line& line) {
  if (source.scale != nullptr)
    windows_to_tiles<V, kSide, Reading::kNorm>(source, grid, first, out, line);
  else if (source.active != nullptr)
    windows_to_tiles<V, kSide, Reading::kActive>(source, grid, first, out, line);
  else
    windows_to_tiles<V, kSide, Reading::kPlain>(source, grid, first, out, line);
}

template <typename V>
COVIDCT_INLINE void tiles_of_input_in(const PixelSource& x, const TileGrid& grid, int64_t first, const Tiles& out) {
  any_windows_to_tiles<V, 6>(x, grid, first, out,
                             [](const V* in, int64_t step, V* t) COVIDCT_LAMBDA { input_line(in, step, t); });
}

template <typename V>
COVIDCT_INLINE void tiles_of_gradient_in(const PixelSource& g, const TileGrid& grid, int64_t first, const Tiles& out) {
  any_windows_to_tiles<V, 4>(g, grid, first, out,
                             [](const V* in, int64_t step, V* t) COVIDCT_LAMBDA { gradient_line(in, step, t); });
}

// Pixels of the pooled output whose 2 x 2 lie inside the image, as odd last rows and columns do not.
template <typename V, bool kWhole>
COVIDCT_INLINE void write_pooled(const V* pixels, const TileGrid& grid, const Window<4>& window, int64_t tile,
                                 int64_t channels, float* y, int64_t channel, int64_t count) {
  const int64_t column = tile % grid.columns(), row = tile / grid.columns() % grid.rows(),
                image = tile / grid.columns() / grid.rows();
  const int64_t height = grid.height / 2, width = grid.width / 2;
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      const V* const p = pixels + i * 8 + j * 2;
      if (window.at[i * 8 + j * 2 + 5] < 0) continue;
      const V most = largest(p[0], p[1], p[4], p[5]);
      store<V, kWhole>(y + ((image * height + row * 2 + i) * width + column * 2 + j) * channels + channel, most, count);
    }
  }
}

template <typename V, bool kWhole>
COVIDCT_INLINE void tile_to_window(const Tiles& in, const TileGrid& grid, int64_t number, int64_t tile,
                                   const Window<4>& window, const PixelSink& y, int64_t channel, int64_t count) {
  const float* const from = in.data + number * in.row + channel;
  V m[36], pixels[16];
  for (int i = 0; i < 36; ++i) m[i] = load<V>(from + i * in.stride);
  both_ways<V, 6, 4>(m, pixels, [](const V* line, int64_t step, V* t) COVIDCT_LAMBDA { output_line(line, step, t); });
  const V shift = y.bias == nullptr ? V{} : load<V, kWhole>(y.bias + channel, count);
  for (int i = 0; i < 16; ++i) {
    pixels[i] += shift;
    if (y.relu) pixels[i] = relu(pixels[i]);
  }
  if (y.pool) return write_pooled<V, kWhole>(pixels, grid, window, tile, in.channels, y.y, channel, count);
  for (int i = 0; i < 16; ++i) {
    if (window.at[i] >= 0) store<V, kWhole>(y.y + window.at[i] + channel, pixels[i], count);
  }
}

template <typename V>
COVIDCT_INLINE void tiles_to_output_in(const Tiles& in, const TileGrid& grid, int64_t first, const PixelSink& y) {
  for (int64_t number = 0; number < in.count; ++number) {
    const int64_t tile = first + number;
    const Window<4> window(grid, in.channels, tile);
    int64_t channel = 0;
    for (; channel + kLanes<V> <= in.channels; channel += kLanes<V>)
      tile_to_window<V, true>(in, grid, number, tile, window, y, channel, kLanes<V>);
    if (channel < in.channels)
      tile_to_window<V, false>(in, grid, number, tile, window, y, channel, in.channels - channel);
  }
}

template <typename V>
COVIDCT_INLINE void tiles_of_filters_in(const float* w, const float* scale, bool flipped, int64_t begin, int64_t end,
                                        const Filters& out) {
  // In w two neighbors of a column stand `column` numbers apart, two of the depth `step`.
  const int64_t column = flipped ? 9 : out.depth * 9, step = flipped ? out.columns * 9 : 9;
  V g[9], tile[36];
  for (int64_t first = begin * kPanel; first < end * kPanel; first += kLanes<V>) {
    const int64_t count = std::clamp<int64_t>(out.columns - first, 0, kLanes<V>);
    float* const panel = out.data + first / kPanel * out.depth * kPanel + first % kPanel;
    for (int64_t k = 0; k < out.depth; ++k) {
      float taps[9][kLanes<V>] = {};
      for (int64_t lane = 0; lane < count; ++lane) {
        const float* const from = w + (first + lane) * column + k * step;
        const float factor = scale == nullptr ? 1 : scale[flipped ? k : first + lane];
        for (int tap = 0; tap < 9; ++tap) taps[flipped ? 8 - tap : tap][lane] = from[tap] * factor;
      }
      for (int tap = 0; tap < 9; ++tap) g[tap] = load<V>(taps[tap]);
      both_ways<V, 3, 6>(g, tile, [](const V* in, int64_t skip, V* t) COVIDCT_LAMBDA { filter_line(in, skip, t); });
      for (int i = 0; i < 36; ++i) store<V>(panel + i * out.stride() + k * kPanel, tile[i]);
    }
  }
}

// In float64: this once for a filter, and the gradient rounds a tenth less.
template <typename V>
COVIDCT_INLINE void tiles_to_filters_in(const Tiles& in, int64_t begin, int64_t end, float* w) {
  using Half = typename Widened<V>::Half;
  using Doubles = typename Widened<V>::Doubles;
  Doubles m[36], g[9];
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t channel = 0; channel < in.channels; channel += kLanes<Half>) {
      const int64_t count = std::min(kLanes<Half>, in.channels - channel);
      for (int i = 0; i < 36; ++i)
        m[i] = __builtin_convertvector(load<Half>(in.data + i * in.stride + row * in.row + channel), Doubles);
      both_ways<Doubles, 6, 3>(m, g, [](const Doubles* line, int64_t step, Doubles* t) COVIDCT_LAMBDA {
        filter_gradient_line(line, step, t);
      });
      float taps[9][kLanes<Half>];
      for (int tap = 0; tap < 9; ++tap) store<Half>(taps[tap], __builtin_convertvector(g[tap], Half));
      float* const to = w + (row * in.channels + channel) * 9;
      for (int64_t lane = 0; lane < count; ++lane) {
        for (int tap = 0; tap < 9; ++tap) to[lane * 9 + tap] = taps[tap][lane];
      }
    }
  }
}

}  // namespace

COVIDCT_VARIANTS(tiles_of_input, (const PixelSource& x, const TileGrid& grid, int64_t first, const Tiles& out),
                 (x, grid, first, out))
COVIDCT_VARIANTS(tiles_of_gradient, (const PixelSource& g, const TileGrid& grid, int64_t first, const Tiles& out),
                 (g, grid, first, out))
COVIDCT_VARIANTS(tiles_to_output, (const Tiles& in, const TileGrid& grid, int64_t first, const PixelSink& y),
                 (in, grid, first, y))
COVIDCT_VARIANTS(tiles_of_filters,
                 (const float* w, const float* scale, bool flipped, int64_t begin, int64_t end, const Filters& out),
                 (w, scale, flipped, begin, end, out))
COVIDCT_VARIANTS(tiles_to_filters, (const Tiles& in, int64_t begin, int64_t end, float* w), (in, begin, end, w))

}  // namespace covidct
