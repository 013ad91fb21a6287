// The transforms of Winograd's F(4 x 4, 3 x 3) on channels-last tensors: between pixels and tiles of 36 numbers.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", with points of our own choice.
#pragma once

#include <cstdint>

#include "core/kernels/gemm.h"

namespace covidct {

// A stack of images, [n, height, width, channels], and the 4 x 4 tiles of its pixels, counted row by row, image by
// image.
struct TileGrid {
  int64_t images, height, width;
  int64_t rows() const { return (height + 3) / 4; }
  int64_t columns() const { return (width + 3) / 4; }
  int64_t tiles() const { return images * rows() * columns(); }
};

// 36 matrices, one row for each tile: `row` numbers from one row to the next, `stride` from one matrix to the next.
struct Tiles {
  float* data;
  int64_t count, channels;
  int64_t row, stride;
  Tiles part(int64_t begin, int64_t end) const { return {data + begin * row, end - begin, channels, row, stride}; }
};

// Whole panels, and a little more: rows or matrices a power of two apart would share the same few lines of the cache.
constexpr int64_t tile_row(int64_t channels) { return whole_panels(channels) + 16; }
constexpr int64_t tile_stride(int64_t count, int64_t channels) { return count * tile_row(channels) + 16; }
constexpr int64_t tile_floats(int64_t count, int64_t channels) { return 36 * tile_stride(count, channels); }
inline Tiles tiles_at(float* data, int64_t count, int64_t channels) {
  return {data, count, channels, tile_row(channels), tile_stride(count, channels)};
}

// The pixels a transform reads: those of x; or, where `scale` is not null, relu(scale x + shift) of every channel; or,
// where `active` is not null, x where that is positive and 0 elsewhere.
struct PixelSource {
  const float* x;
  const float* scale = nullptr;
  const float* shift = nullptr;
  const float* active = nullptr;
};

// What happens to the pixels of the output before they are written.
struct PixelSink {
  float* y;
  const float* bias = nullptr;
  bool relu = false;
  bool pool = false;  // writes the largest of every 2 x 2, [n, height / 2, width / 2]
};

// B' d B of the tiles first, first + 1, ..., which overlap by two pixels and reach one beyond the image (zeros).
// Channels up to whole panels are zero.
void tiles_of_input(const PixelSource& x, const TileGrid& grid, int64_t first, const Tiles& out);

// A' m A: writes the pixels of the tiles.
void tiles_to_output(const Tiles& in, const TileGrid& grid, int64_t first, const PixelSink& y);

// A g A': the adjoint of tiles_to_output; what lies outside the image counts as zero.
void tiles_of_gradient(const PixelSource& g, const TileGrid& grid, int64_t first, const Tiles& out);

// 36 matrices of depth x columns in panels, as Product's b.
struct Filters {
  float* data;
  int64_t depth, columns;
  int64_t stride() const { return depth * whole_panels(columns) + 16; }
  int64_t floats() const { return 36 * stride(); }
};

// G w G' of filters w, [out, in, 3, 3], for the panels from `begin` to `end`: of depth in and columns out; `flipped`,
// for the gradient of the input, of depth out and columns in and rotated by 180 degrees. `scale`, where not null,
// multiplies each out.
void tiles_of_filters(const float* w, const float* scale, bool flipped, int64_t begin, int64_t end, const Filters& out);

// G' m G: the adjoint of tiles_of_filters for matrices with one row for each output channel; of the rows from `begin`
// to `end`.
void tiles_to_filters(const Tiles& in, int64_t begin, int64_t end, float* w);

}  // namespace covidct
