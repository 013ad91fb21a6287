// What the passes of batch norms share: maps as rows of pixels, sums over them, factors of their gradients.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <vector>

#include "core/kernels/norm_kernels.h"
#include "core/kernels/norm_relu.h"

namespace covidct {

// A tensor [n, c, h, w], channels last, as pixels of so many channels.
struct Map {
  int64_t channels, pixels;
  explicit Map(const at::Tensor& x) : channels(x.size(1)), pixels(x.size(0) * x.size(2) * x.size(3)) {}
};

// Fewer pixels are not worth a thread.
constexpr int64_t kPixelGrain = 256;

at::Tensor empty_channels(int64_t channels);
// float32.
at::Tensor to_tensor(const std::vector<double>& values);

NormChannels channels_of(const NormState& norm);

// Adds up `numbers` sums over `count` items: each thread its own part, the parts in their order.
template <typename Work>
std::vector<double> sum_over(int64_t count, int64_t numbers, const Work& work) {
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), count));
  std::vector<double> sums(static_cast<size_t>(parts * numbers));
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part)
      work(count * part / parts, count * (part + 1) / parts, sums.data() + part * numbers);
  });
  for (int64_t part = 1; part < parts; ++part) {
    for (int64_t i = 0; i < numbers; ++i) sums[i] += sums[part * numbers + i];
  }
  sums.resize(static_cast<size_t>(numbers));
  return sums;
}

// Factors of the gradient of x, and the gradients of weight and bias, from sum g and sum g (x - mean).
struct Factors {
  at::Tensor alpha, beta, gamma;
  NormParameterGradients parameters;

  Factors(const NormState& norm, const double* sum, const double* moment, int64_t pixels);
  NormGradient pointers() const {
    return {alpha.const_data_ptr<float>(), beta.const_data_ptr<float>(), gamma.const_data_ptr<float>()};
  }
};

}  // namespace covidct
