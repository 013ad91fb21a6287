// Convolution 3 x 3 of stride 1 and padding 1 with a quarter of the multiplications, on the CPU in float32.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/kernels/winograd_tiles.h"

namespace covidct {

// The pixels a convolution reads, [n, c, h, w], channels last: x itself; relu(scale x + shift) where scale is defined;
// x where `active` is positive and 0 elsewhere where that is defined.
struct WinogradInput {
  at::Tensor x, scale, shift, active;
};

// What is added to the output and done with it; bias may be undefined.
struct WinogradFinish {
  at::Tensor bias;
  bool relu = false;
  bool pool = false;  // the largest of every 2 x 2
};

// How the work is shared between threads.
struct WinogradPlan {
  // Each thread takes blocks of tiles through all three stages, in scratch that stays near it; otherwise the stages
  // come one after another and the threads share each: for few tiles and many channels.
  bool blocks;
  int64_t tiles;  // of a block, or of a round of the three stages
};

TileGrid grid_of(const at::Tensor& x);

// The best by the numbers of tiles, channels and threads; never by the clock, or the last bits would change from run to
// run.
WinogradPlan winograd_plan(const TileGrid& grid, int64_t in, int64_t out);
WinogradPlan winograd_gradient_plan(const TileGrid& grid, int64_t in, int64_t out);

// The transformed filters of weight, [out, in, 3, 3], contiguous, written to `data`, which has room for floats() of
// filters_of(). `flipped`: rotated by 180 degrees, input and output
// channels exchanged, for the gradient of the input. scale: undefined, or a factor for each output channel.
Filters filters_of(const at::Tensor& weight, bool flipped, float* data);
void transform_filters(const at::Tensor& weight, const at::Tensor& scale, bool flipped, const Filters& filters);
// Room for them in this thread's scratch, good until the next call; and transformed ones there.
float* filter_scratch(const Filters& filters);
Filters winograd_filters(const at::Tensor& weight, bool flipped);

// Returns [n, out, h, w], or half as high and wide with `pool`, channels last.
at::Tensor winograd_convolve(const WinogradInput& input, const Filters& filters, const WinogradFinish& finish,
                             const WinogradPlan& plan);

// The gradient of the filters, [out, in, 3, 3], of the input and the gradient of the output.
at::Tensor winograd_filter_gradient(const WinogradInput& input, const WinogradInput& gradient,
                                    const WinogradPlan& plan);

}  // namespace covidct
