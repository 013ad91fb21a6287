// Our own convolutions beside LibTorch's, layer by layer: time of the forward pass and of both gradients, and the error
// of each against float64. `covidct_layers BATCH THREADS ROUNDS`; built and run by layers.cjs.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <tuple>

#include "core/kernels/small_batch_linear.h"
#include "core/kernels/winograd.h"
#include "core/runtime/arena.h"

namespace {

using covidct::TileGrid;
using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

struct Layer {
  int64_t in, out, side;
};

// Every 3 x 3 convolution of a VGG at 224 pixels from the second on, and those of a DenseNet's blocks.
constexpr Layer kLayers[] = {{64, 64, 224},  {64, 128, 112}, {128, 128, 112}, {128, 256, 56}, {256, 256, 56},
                             {256, 512, 28}, {512, 512, 28}, {512, 512, 14},  {128, 32, 56},  {128, 32, 28}};

template <typename Work>
double best_ms(int rounds, const Work& work) {
  double best = 1e30;
  for (int i = 0; i < rounds; ++i) {
    const auto began = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
  }
  return best;
}

double error(const at::Tensor& found, const at::Tensor& truth) {
  return ((found.to(at::kDouble) - truth).norm() / truth.norm()).item<double>();
}

Gradients gradients(const at::Tensor& g, const at::Tensor& x, const at::Tensor& w, bool of_x, bool of_w) {
  return at::convolution_backward(g, x, w, c10::nullopt, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1, {of_x, of_w, false});
}

void row(const Layer& layer, int64_t batch, int rounds) {
  const auto last = at::MemoryFormat::ChannelsLast;
  const at::Tensor x = at::randn({batch, layer.in, layer.side, layer.side}).contiguous(last),
                   w = at::randn({layer.out, layer.in, 3, 3});
  const at::Tensor g = at::randn({batch, layer.out, layer.side, layer.side}).contiguous(last);
  const TileGrid grid{batch, layer.side, layer.side};
  const auto forward = [&] {
    return covidct::winograd_convolve({x, {}, {}, {}}, covidct::winograd_filters(w, false), {},
                                      covidct::winograd_plan(grid, layer.in, layer.out));
  };
  const auto of_input = [&] {
    return covidct::winograd_convolve({g, {}, {}, {}}, covidct::winograd_filters(w, true), {},
                                      covidct::winograd_plan(grid, layer.out, layer.in));
  };
  const auto of_filters = [&] {
    return covidct::winograd_filter_gradient({x, {}, {}, {}}, {g, {}, {}, {}},
                                             covidct::winograd_gradient_plan(grid, layer.in, layer.out));
  };
  const double ours[] = {best_ms(rounds, forward), best_ms(rounds, of_input), best_ms(rounds, of_filters)};
  const double theirs[] = {best_ms(rounds, [&] { at::conv2d(x, w, {}, 1, 1); }),
                           best_ms(rounds, [&] { gradients(g, x, w, true, false); }),
                           best_ms(rounds, [&] { gradients(g, x, w, false, true); })};
  const at::Tensor truth = at::conv2d(x.to(at::kDouble), w.to(at::kDouble), {}, 1, 1);
  const auto [true_x, true_w, unused] = gradients(g.to(at::kDouble), x.to(at::kDouble), w.to(at::kDouble), true, true);
  const auto [their_x, their_w, unused_too] = gradients(g, x, w, true, true);
  const double our_errors[] = {error(forward(), truth), error(of_input(), true_x), error(of_filters(), true_w)};
  const double their_errors[] = {error(at::conv2d(x, w, {}, 1, 1), truth), error(their_x, true_x),
                                 error(their_w, true_w)};
  std::printf("%3ld to %3ld at %3ld", static_cast<long>(layer.in), static_cast<long>(layer.out),
              static_cast<long>(layer.side));
  for (int i = 0; i < 3; ++i)
    std::printf("  |%7.1f /%7.1f = %.2f  %.1e / %.1e", ours[i], theirs[i], ours[i] / theirs[i], our_errors[i],
                their_errors[i]);
  std::printf("\n");
  std::fflush(stdout);
}

// The linear layers of a VGG, in prediction.
void linear_row(int64_t in, int64_t out, int64_t batch, int rounds) {
  const at::Tensor x = at::randn({batch, in}), w = at::randn({out, in}), bias = at::randn({out});
  const double ours = best_ms(rounds, [&] { covidct::few_rows_linear(x, w, bias, false); }),
               theirs = best_ms(rounds, [&] { at::linear(x, w, bias); });
  const at::Tensor truth = at::linear(x.to(at::kDouble), w.to(at::kDouble), bias.to(at::kDouble));
  std::printf("linear %5ld to %4ld |%7.1f /%7.1f = %.2f  %.1e / %.1e\n", static_cast<long>(in), static_cast<long>(out),
              ours, theirs, ours / theirs, error(covidct::few_rows_linear(x, w, bias, false), truth),
              error(at::linear(x, w, bias), truth));
}

// Of our own matrix product, all threads at once, each with its own numbers: what the convolutions could reach at most.
double product_rate(int rounds) {
  constexpr int64_t kSide = 256, kTimes = 200;
  const int64_t threads = at::get_num_threads();
  const at::Tensor numbers = at::randn({threads, 3, kSide * kSide});
  float* const data = numbers.mutable_data_ptr<float>();
  const double ms = best_ms(rounds, [&] {
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t thread = begin; thread < end; ++thread) {
        float* const own = data + thread * 3 * kSide * kSide;
        covidct::Product product;
        product.rows = product.columns = product.depth = product.a_row = product.c_row = kSide;
        product.a = own;
        product.a_step = 1;
        product.b = own + kSide * kSide;
        product.b_panel = kSide * covidct::kPanel;
        product.b_step = covidct::kPanel;
        product.c = own + 2 * kSide * kSide;
        for (int64_t i = 0; i < kTimes; ++i) covidct::multiply(product);
      }
    });
  });
  return 2e-6 * static_cast<double>(threads * kTimes * kSide * kSide * kSide) / ms;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "covidct_layers BATCH THREADS ROUNDS\n");
    return 2;
  }
  const c10::InferenceMode no_graph;
  at::get_num_threads();
  at::set_num_threads(std::atoi(arguments[2]));
  const covidct::Arena arena;
  std::printf("batch %s, %s threads, %s; ms and error against float64, ours / LibTorch's\n", arguments[1], arguments[2],
              at::get_cpu_capability().c_str());
  std::printf("our own matrix product at 256: %.0f GFLOP/s\n", product_rate(std::atoi(arguments[3])));
  std::printf("%-17s  | %-40s | %-40s | %s\n", "", "forward", "gradient of the input", "gradient of the filters");
  for (const Layer& layer : kLayers) row(layer, std::atoi(arguments[1]), std::atoi(arguments[3]));
  linear_row(25088, 4096, std::atoi(arguments[1]), std::atoi(arguments[3]));
  linear_row(4096, 4096, std::atoi(arguments[1]), std::atoi(arguments[3]));
  return 0;
}
