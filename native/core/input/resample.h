// Crop, antialiased resize and flip of many images at once, on any device: every output row and column is a sum of a
// few input ones. The sums are of whole numbers in int32, so that the bytes are those of LibTorch's kernel for uint8 on
// the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace covidct {

// One direction of one image: output i is floor((sum of taps * pixels + half) / 2^precision).
struct Axis {
  int64_t out = 0;
  int precision = 0;                // bits of the taps after the point
  int64_t width = 1;                // taps of an output
  std::vector<int64_t> where = {};  // out x width: positions in the input; 0 where the tap is 0
  std::vector<int32_t> taps = {};   // out x width
  bool unchanged = true;
};

// The box from `first` on, `size` long, which may reach outside of the `in` pixels, where 0 stands; resized to `out`;
// mirrored.
Axis make_axis(int64_t in, int64_t first, int64_t size, int64_t out, bool mirrored);

// What happens to one image: rows (height) and columns (width).
struct Resampling {
  Axis rows, columns;
};

// images: int32, [n, channels, height, width], of bytes; image i stands in the upper left and comes out in the upper
// left of the result, which is as large as the largest. Columns first, as LibTorch does, or rows first; each direction
// is rounded to uint8.
at::Tensor resample(const at::Tensor& images, const std::vector<Resampling>& each, bool rows_first);

}  // namespace covidct
