#include "core/kernels/winograd.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "core/kernels/scratch.h"

namespace covidct {

namespace {

constexpr int64_t kMatrices = 36;
// A filter's gradient is a sum over all tiles. Parts of about the square root of their number, added up one after
// another, round least; shorter ones than these cost time, longer ones than a block there are not.
constexpr int64_t kLeastTerms = 24;
// Floats of scratch where the threads share each stage: more tiles than fit are taken in rounds.
constexpr int64_t kRoundFloats = 8 << 20;
// Channels (in and out) up to which blocks of tiles win; beyond it a thread would read all filters for too few tiles.
// Measured.
constexpr int64_t kBlockChannels = 512, kGradientBlockChannels = 384;
// Tiles of a block; the gradient reads and writes its sums once for each.
constexpr int64_t kBlockTiles = 28, kGradientBlockTiles = 112;

// As many blocks as the threads can share evenly; rounds as large as the scratch allows.
WinogradPlan plan_of(const TileGrid& grid, int64_t in, int64_t out, bool blocks, int64_t size) {
  const int64_t tiles = std::max<int64_t>(1, grid.tiles()), threads = at::get_num_threads();
  if (blocks && tiles >= threads * 8) {
    const int64_t count = ((tiles + size - 1) / size + threads - 1) / threads * threads;
    return {true, (tiles + count - 1) / count};
  }
  const int64_t fitting =
      std::max<int64_t>(kGradientBlockTiles, kRoundFloats / (kMatrices * (tile_row(in) + tile_row(out))));
  const int64_t rounds = (tiles + fitting - 1) / fitting;
  return {false, (tiles + rounds - 1) / rounds};
}

PixelSource source_of(const WinogradInput& input) {
  const auto pointer = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
  };
  return {pointer(input.x), pointer(input.scale), pointer(input.shift), pointer(input.active)};
}

// Transforms are shared in runs of tiles.
template <typename Work>
void each_part(const Tiles& tiles, const Work& work) {
  at::parallel_for(0, tiles.count, 4, [&](int64_t begin, int64_t end) { work(begin, tiles.part(begin, end)); });
}

// The 36 products in `parts` parts each, shared evenly, neighboring parts of a product together.
template <typename Work>
void each_matrix(int64_t parts, const Work& work) {
  at::parallel_for(0, kMatrices * parts, 1, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t matrix = begin / parts, to = std::min(end, (matrix + 1) * parts);
      work(matrix, begin - matrix * parts, to - matrix * parts);
      begin = to;
    }
  });
}

// One of the 36 products of tiles and filters, of the panels from `begin` to `end`.
void multiply_tiles(const Tiles& in, const Filters& filters, const Tiles& out, int64_t matrix, int64_t begin,
                    int64_t end) {
  Product product;
  product.rows = in.count;
  product.columns = (end - begin) * kPanel;
  product.depth = filters.depth;
  product.a = in.data + matrix * in.stride;
  product.a_row = in.row;
  product.a_step = 1;
  product.b_panel = filters.depth * kPanel;
  product.b = filters.data + matrix * filters.stride() + begin * product.b_panel;
  product.b_step = kPanel;
  product.c = out.data + matrix * out.stride + begin * kPanel;
  product.c_row = out.row;
  multiply(product);
}

struct Convolution {
  PixelSource from;
  PixelSink to;
  TileGrid grid;
  const Filters& filters;
  int64_t in, out;

  void by_blocks(int64_t size) const {
    const int64_t blocks = (grid.tiles() + size - 1) / size, panels = whole_panels(out) / kPanel;
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      float* const memory = scratch(Scratch::kTiles, tile_floats(size, in) + tile_floats(size, out));
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * size, count = std::min(size, grid.tiles() - first);
        const Tiles before = tiles_at(memory, count, in), after = tiles_at(memory + tile_floats(count, in), count, out);
        tiles_of_input(from, grid, first, before);
        for (int64_t matrix = 0; matrix < kMatrices; ++matrix)
          multiply_tiles(before, filters, after, matrix, 0, panels);
        tiles_to_output(after, grid, first, to);
      }
    });
  }

  void by_stages(int64_t size) const {
    float* const memory = scratch(Scratch::kTiles, tile_floats(size, in) + tile_floats(size, out));
    const int64_t panels = whole_panels(out) / kPanel;
    for (int64_t first = 0; first < grid.tiles(); first += size) {
      const int64_t count = std::min(size, grid.tiles() - first);
      const Tiles before = tiles_at(memory, count, in), after = tiles_at(memory + tile_floats(count, in), count, out);
      each_part(before, [&](int64_t begin, const Tiles& part) { tiles_of_input(from, grid, first + begin, part); });
      each_matrix(panels, [&](int64_t matrix, int64_t begin, int64_t end) {
        multiply_tiles(before, filters, after, matrix, begin, end);
      });
      each_part(after, [&](int64_t begin, const Tiles& part) { tiles_to_output(part, grid, first + begin, to); });
    }
  }
};

struct FilterGradient {
  PixelSource from, from_gradient;
  TileGrid grid;
  int64_t in, out;
  int64_t terms;

  // One of the 36 products, of output channels `begin` to `end`: gradients' input.
  void multiply_transposed(const Tiles& gradients, const Tiles& inputs, const Tiles& sums, int64_t matrix,
                           int64_t begin, int64_t end, bool add) const {
    Product product;
    product.rows = end - begin;
    product.columns = whole_panels(in);
    product.depth = inputs.count;
    product.a = gradients.data + matrix * gradients.stride + begin;
    product.a_row = 1;
    product.a_step = gradients.row;
    product.b = inputs.data + matrix * inputs.stride;
    product.b_panel = kPanel;
    product.b_step = inputs.row;
    product.c = sums.data + matrix * sums.stride + begin * sums.row;
    product.c_row = sums.row;
    product.add = add;
    product.terms = terms;
    multiply(product);
  }

  // Each thread adds up its own blocks of tiles; the sums of all threads are added in their order.
  Tiles by_blocks(int64_t size) const {
    const int64_t threads = at::get_num_threads(), blocks = (grid.tiles() + size - 1) / size;
    const int64_t parts = std::min(threads, blocks), floats = tile_floats(out, in);
    float* const memory = scratch(Scratch::kMatrices, parts * floats);
    at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
      float* const own = scratch(Scratch::kTiles, tile_floats(size, in) + tile_floats(size, out));
      for (int64_t part = begin; part < end; ++part) {
        const Tiles sums = tiles_at(memory + part * floats, out, in);
        const int64_t from_block = blocks * part / parts, to_block = blocks * (part + 1) / parts;
        for (int64_t block = from_block; block < to_block; ++block) {
          const int64_t first = block * size, count = std::min(size, grid.tiles() - first);
          const Tiles inputs = tiles_at(own, count, in), gradients = tiles_at(own + tile_floats(count, in), count, out);
          tiles_of_input(from, grid, first, inputs);
          tiles_of_gradient(from_gradient, grid, first, gradients);
          for (int64_t matrix = 0; matrix < kMatrices; ++matrix)
            multiply_transposed(gradients, inputs, sums, matrix, 0, out, block > from_block);
        }
      }
    });
    at::parallel_for(0, floats, 4096, [&](int64_t begin, int64_t end) {
      for (int64_t part = 1; part < parts; ++part) {
        const float* const other = memory + part * floats;
        for (int64_t i = begin; i < end; ++i) memory[i] += other[i];
      }
    });
    return tiles_at(memory, out, in);
  }

  Tiles by_stages(int64_t size) const {
    float* const memory = scratch(Scratch::kTiles, tile_floats(size, in) + tile_floats(size, out));
    const Tiles sums = tiles_at(scratch(Scratch::kMatrices, tile_floats(out, in)), out, in);
    for (int64_t first = 0; first < grid.tiles(); first += size) {
      const int64_t count = std::min(size, grid.tiles() - first);
      const Tiles inputs = tiles_at(memory, count, in),
                  gradients = tiles_at(memory + tile_floats(count, in), count, out);
      each_part(inputs, [&](int64_t begin, const Tiles& part) { tiles_of_input(from, grid, first + begin, part); });
      each_part(gradients,
                [&](int64_t begin, const Tiles& part) { tiles_of_gradient(from_gradient, grid, first + begin, part); });
      each_matrix((out + kPanel - 1) / kPanel, [&](int64_t matrix, int64_t begin, int64_t end) {
        multiply_transposed(gradients, inputs, sums, matrix, begin * kPanel, std::min(end * kPanel, out), first > 0);
      });
    }
    return sums;
  }
};

}  // namespace

TileGrid grid_of(const at::Tensor& x) { return {x.size(0), x.size(2), x.size(3)}; }

WinogradPlan winograd_plan(const TileGrid& grid, int64_t in, int64_t out) {
  return plan_of(grid, in, out, in + out <= kBlockChannels, kBlockTiles);
}

WinogradPlan winograd_gradient_plan(const TileGrid& grid, int64_t in, int64_t out) {
  return plan_of(grid, in, out, in + out <= kGradientBlockChannels, kGradientBlockTiles);
}

Filters filters_of(const at::Tensor& weight, bool flipped, float* data) {
  return {data, weight.size(flipped ? 0 : 1), weight.size(flipped ? 1 : 0)};
}

void transform_filters(const at::Tensor& weight, const at::Tensor& scale, bool flipped, const Filters& filters) {
  const float* const from = weight.const_data_ptr<float>();
  const float* const factors = scale.defined() ? scale.const_data_ptr<float>() : nullptr;
  at::parallel_for(0, whole_panels(filters.columns) / kPanel, 1,
                   [&](int64_t begin, int64_t end) { tiles_of_filters(from, factors, flipped, begin, end, filters); });
}

float* filter_scratch(const Filters& filters) { return scratch(Scratch::kMatrices, filters.floats()); }

Filters winograd_filters(const at::Tensor& weight, bool flipped) {
  Filters filters = filters_of(weight, flipped, nullptr);
  filters.data = filter_scratch(filters);
  transform_filters(weight, {}, flipped, filters);
  return filters;
}

at::Tensor winograd_convolve(const WinogradInput& input, const Filters& filters, const WinogradFinish& finish,
                             const WinogradPlan& plan) {
  const TileGrid grid = grid_of(input.x);
  const int64_t part = finish.pool ? 2 : 1;
  at::Tensor y = at::empty({grid.images, filters.columns, grid.height / part, grid.width / part},
                           input.x.options().requires_grad(false), at::MemoryFormat::ChannelsLast);
  if (y.numel() == 0) return y;
  const PixelSink to{y.mutable_data_ptr<float>(), finish.bias.defined() ? finish.bias.const_data_ptr<float>() : nullptr,
                     finish.relu, finish.pool};
  const Convolution convolution{source_of(input), to, grid, filters, filters.depth, filters.columns};
  if (plan.blocks)
    convolution.by_blocks(plan.tiles);
  else
    convolution.by_stages(plan.tiles);
  return y;
}

at::Tensor winograd_filter_gradient(const WinogradInput& input, const WinogradInput& gradient,
                                    const WinogradPlan& plan) {
  const TileGrid grid = grid_of(input.x);
  const int64_t in = input.x.size(1), out = gradient.x.size(1);
  at::Tensor result =
      at::empty({out, in, 3, 3}, input.x.options().requires_grad(false).memory_format(at::MemoryFormat::Contiguous));
  if (grid.tiles() == 0) return result.zero_();
  const int64_t summed = plan.blocks ? grid.tiles() / at::get_num_threads() : grid.tiles();  // one after another
  const int64_t terms = std::max(kLeastTerms, static_cast<int64_t>(std::sqrt(static_cast<double>(summed))));
  const FilterGradient work{source_of(input), source_of(gradient), grid, in, out, terms};
  const Tiles sums = plan.blocks ? work.by_blocks(plan.tiles) : work.by_stages(plan.tiles);
  float* const to = result.mutable_data_ptr<float>();
  at::parallel_for(0, out, 8, [&](int64_t begin, int64_t end) { tiles_to_filters(sums, begin, end, to); });
  return result;
}

}  // namespace covidct
