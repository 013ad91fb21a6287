#include "winograd.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "scratch.h"
#include "winograd_tiles.h"

namespace covidct {

namespace {

constexpr int64_t kMatrices = 36;
// Tiles of a block: as many as keep its scratch near a core's cache, at least so many that the products are worth it.
constexpr int64_t kBlockFloats = 512 << 10;
constexpr int64_t kLeastBlock = 48, kMostBlock = 256;
// Floats of scratch where the threads share each stage: more tiles than fit are taken in rounds.
constexpr int64_t kRoundFloats = 12 << 20;
// Channels (in and out) up to which blocks win: beyond it the products of a block are too short.
constexpr int64_t kBlockChannels = 256;

Tiles tiles_at(float* data, int64_t count, int64_t channels) { return {data, tile_stride(count, channels), count, channels}; }

int64_t floats_of(int64_t count, int64_t channels) { return kMatrices * tile_stride(count, channels); }

at::Tensor as_tensor(const Tiles& tiles) {
  return at::from_blob(tiles.data, {kMatrices, tiles.count, tiles.channels}, {tiles.stride, tiles.channels, 1}, at::kFloat);
}

// Work in a thread of LibTorch's pool, which does not know that nothing is recorded here.
template <typename Work>
void parallel(int64_t count, int64_t grain, const Work& work) {
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    at::AutoDispatchBelowADInplaceOrView below;
    work(begin, end);
  });
}

// Transforms are shared in runs of tiles.
template <typename Work>
void parallel_tiles(const Tiles& tiles, const Work& work) {
  parallel(tiles.count, 8, [&](int64_t begin, int64_t end) {
    work(begin, Tiles{tiles.data + begin * tiles.channels, tiles.stride, end - begin, tiles.channels});
  });
}

// Tiles of a round.
int64_t round_size(int64_t tiles, int64_t channels) {
  return std::min(tiles, std::max(kLeastBlock, kRoundFloats / (kMatrices * channels)));
}

int64_t block_size(int64_t tiles, int64_t channels) {
  const int64_t fitting = std::clamp(kBlockFloats / (kMatrices * channels), kLeastBlock, kMostBlock);
  const int64_t threads = at::get_num_threads();
  // As many blocks as the threads can share evenly.
  const int64_t blocks = ((tiles + fitting - 1) / fitting + threads - 1) / threads * threads;
  return std::max<int64_t>(1, (tiles + blocks - 1) / blocks);
}

}  // namespace

WinogradWork winograd_work(int64_t in, int64_t out) {
  return in + out <= kBlockChannels ? WinogradWork::kBlocks : WinogradWork::kProducts;
}

at::Tensor winograd_filters(const at::Tensor& weight, bool turned) {
  const int64_t rows = weight.size(0), columns = weight.size(1);
  const Tiles out = tiles_at(scratch(Scratch::kFilters, floats_of(rows, columns)), rows, columns);
  const float* from = weight.const_data_ptr<float>();
  parallel(rows, 8, [&](int64_t begin, int64_t end) { tiles_of_filters(from, begin, end, turned, out); });
  return as_tensor(out);
}

at::Tensor winograd_convolve(const at::Tensor& x, const at::Tensor& filters, bool transposed, const at::Tensor& bias, WinogradWork work) {
  at::AutoDispatchBelowADInplaceOrView below;
  const TileGrid grid{x.size(0), x.size(2), x.size(3)};
  const int64_t in = x.size(1), out = transposed ? filters.size(2) : filters.size(1);
  at::Tensor y = at::empty({grid.images, out, grid.height, grid.width}, x.options(), at::MemoryFormat::ChannelsLast);
  const at::Tensor factors = transposed ? filters : filters.transpose(1, 2);
  const float* from = x.const_data_ptr<float>();
  const float* shift = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  float* to = y.mutable_data_ptr<float>();
  const int64_t tiles = grid.tiles();
  if (tiles == 0) return y;

  if (work == WinogradWork::kProducts) {
    const int64_t size = round_size(tiles, in + out);
    float* const memory = scratch(Scratch::kTiles, floats_of(size, in) + floats_of(size, out));
    for (int64_t first = 0; first < tiles; first += size) {
      const int64_t count = std::min(size, tiles - first);
      const Tiles before = tiles_at(memory, count, in), after = tiles_at(memory + floats_of(count, in), count, out);
      parallel_tiles(before, [&](int64_t begin, const Tiles& part) { tiles_of_input(from, grid, first + begin, part); });
      at::Tensor products = as_tensor(after);
      at::bmm_out(products, as_tensor(before), factors);
      parallel_tiles(after, [&](int64_t begin, const Tiles& part) { tiles_to_output(part, grid, first + begin, shift, to); });
    }
    return y;
  }
  const int64_t size = block_size(tiles, in + out), blocks = (tiles + size - 1) / size;
  parallel(blocks, 1, [&](int64_t begin, int64_t end) {
    float* const memory = scratch(Scratch::kTiles, floats_of(size, in) + floats_of(size, out));
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * size, count = std::min(size, tiles - first);
      const Tiles before = tiles_at(memory, count, in);
      const Tiles after = tiles_at(before.data + floats_of(count, in), count, out);
      tiles_of_input(from, grid, first, before);
      at::Tensor products = as_tensor(after);
      at::bmm_out(products, as_tensor(before), factors);
      tiles_to_output(after, grid, first, shift, to);
    }
  });
  return y;
}

at::Tensor winograd_filter_gradient(const at::Tensor& x, const at::Tensor& gradient) {
  at::AutoDispatchBelowADInplaceOrView below;
  const TileGrid grid{x.size(0), x.size(2), x.size(3)};
  const int64_t in = x.size(1), out = gradient.size(1), tiles = grid.tiles();
  at::Tensor result = at::empty({out, in, 3, 3}, x.options());
  if (tiles == 0) return result.zero_();
  const float *from = x.const_data_ptr<float>(), *from_gradient = gradient.const_data_ptr<float>();
  const int64_t size = round_size(tiles, in + out);
  float* const memory = scratch(Scratch::kTiles, floats_of(size, in) + floats_of(size, out) + floats_of(out, in));
  const Tiles sums = tiles_at(memory, out, in);
  at::Tensor sum = as_tensor(sums);
  for (int64_t first = 0; first < tiles; first += size) {
    const int64_t count = std::min(size, tiles - first);
    const Tiles inputs = tiles_at(sums.data + floats_of(out, in), count, in);
    const Tiles gradients = tiles_at(inputs.data + floats_of(count, in), count, out);
    parallel_tiles(inputs, [&](int64_t begin, const Tiles& part) { tiles_of_input(from, grid, first + begin, part); });
    parallel_tiles(gradients, [&](int64_t begin, const Tiles& part) { tiles_of_gradient(from_gradient, grid, first + begin, part); });
    const at::Tensor left = as_tensor(gradients).transpose(1, 2), right = as_tensor(inputs);
    if (first == 0) at::bmm_out(sum, left, right);
    else sum.baddbmm_(left, right);
  }
  float* to = result.mutable_data_ptr<float>();
  parallel(out, 8, [&](int64_t begin, int64_t end) { tiles_to_filters(sums, begin, end, to); });
  return result;
}

}  // namespace covidct
