// The transforms of Winograd's F(4 x 4, 3 x 3) on channels-last tensors: between pixels and tiles of 36 numbers.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", with points of our own choice.
#pragma once

#include <cstdint>

namespace covidct {

// A stack of images, n x height x width x channels, and the 4 x 4 tiles of its pixels, counted row by row, image by image.
struct TileGrid {
  int64_t images, height, width;
  int64_t rows() const { return (height + 3) / 4; }
  int64_t columns() const { return (width + 3) / 4; }
  int64_t tiles() const { return images * rows() * columns(); }
};

// 36 matrices of count x channels, `stride` numbers from one to the next.
struct Tiles {
  float* data;
  int64_t stride;
  int64_t count;
  int64_t channels;
};

// Numbers from one matrix to the next: a power of two would put all 36 into the same lines of the cache.
inline int64_t tile_stride(int64_t count, int64_t channels) { return (count * channels + 15) / 16 * 16 + 16; }

// B' d B of the tiles first, first + 1, ... of x, which overlap by two pixels and reach one beyond the image (zeros).
void tiles_of_input(const float* x, const TileGrid& grid, int64_t first, const Tiles& out);

// A' m A: writes the pixels of the tiles into y; adds bias where it is not null.
void tiles_to_output(const Tiles& in, const TileGrid& grid, int64_t first, const float* bias, float* y);

// A g A': the adjoint of tiles_to_output; what lies outside the image counts as zero.
void tiles_of_gradient(const float* g, const TileGrid& grid, int64_t first, const Tiles& out);

// G w G' of filters w, out x in x 3 x 3, for the output channels from `begin` to `end`: 36 matrices of out x in.
// `turned` takes the filters turned by 180 degrees.
void tiles_of_filters(const float* w, int64_t begin, int64_t end, bool turned, const Tiles& out);

// G' m G: the adjoint of tiles_of_filters, for the rows from `begin` to `end`.
void tiles_to_filters(const Tiles& in, int64_t begin, int64_t end, float* w);

}  // namespace covidct
