#include "core/kernels/norm_relu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/kernels/norm.h"
#include "core/kernels/norm_kernels.h"

namespace covidct {

namespace {

at::Tensor empty_channels(int64_t channels) { return at::empty({channels}, at::kFloat); }

at::Tensor to_tensor(const std::vector<double>& values) {
  at::Tensor tensor = empty_channels(static_cast<int64_t>(values.size()));
  float* const to = tensor.mutable_data_ptr<float>();
  for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<float>(values[i]);
  return tensor;
}

NormChannels channels_of(const NormState& norm) {
  return {norm.scale.const_data_ptr<float>(), norm.shift.const_data_ptr<float>(), norm.mean.const_data_ptr<float>()};
}

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

struct Map {
  int64_t channels, pixels;
  explicit Map(const at::Tensor& x) : channels(x.size(1)), pixels(x.size(0) * x.size(2) * x.size(3)) {}
};

constexpr int64_t kPixelGrain = 256;

// Rows of windows of a 2 x 2 pool, one after another through all images.
struct Pool {
  int64_t channels, height, width, rows, columns, count;
  explicit Pool(const at::Tensor& x)
      : channels(x.size(1)),
        height(x.size(2)),
        width(x.size(3)),
        rows(height / 2),
        columns(width / 2),
        count(x.size(0) * rows) {}
  int64_t input(int64_t row) const { return ((row / rows * height) + row % rows * 2) * width * channels; }
  int64_t output(int64_t row) const { return row * columns * channels; }
};

// Factors of the gradient of x, and the gradients of weight and bias, from sum g and sum g (x - mean).
struct Factors {
  at::Tensor alpha, beta, gamma;
  NormParameterGradients parameters;

  Factors(const NormState& norm, const std::vector<double>& sums, int64_t pixels)
      : alpha(norm.scale),
        beta(empty_channels(norm.scale.numel())),
        gamma(empty_channels(norm.scale.numel())),
        parameters{empty_channels(norm.scale.numel()), empty_channels(norm.scale.numel())} {
    const int64_t channels = norm.scale.numel();
    const float *scale = norm.scale.const_data_ptr<float>(), *inverse = norm.inverse.const_data_ptr<float>();
    for (int64_t c = 0; c < channels; ++c) {
      const double sum = sums[c], moment = sums[channels + c], count = static_cast<double>(pixels);
      parameters.bias.mutable_data_ptr<float>()[c] = static_cast<float>(sum);
      parameters.weight.mutable_data_ptr<float>()[c] = static_cast<float>(moment * inverse[c]);
      beta.mutable_data_ptr<float>()[c] = norm.batch ? static_cast<float>(-scale[c] * sum / count) : 0;
      gamma.mutable_data_ptr<float>()[c] =
          norm.batch ? static_cast<float>(-scale[c] * inverse[c] * inverse[c] * moment / count) : 0;
    }
  }
  NormGradient pointers() const {
    return {alpha.const_data_ptr<float>(), beta.const_data_ptr<float>(), gamma.const_data_ptr<float>()};
  }
};

}  // namespace

std::pair<at::Tensor, at::Tensor> channel_moments(const at::Tensor& x) {
  const Map map(x);
  const float* const from = x.const_data_ptr<float>();
  std::vector<double> mean = sum_over(map.pixels, map.channels, [&](int64_t begin, int64_t end, double* sums) {
    sum_pixels(from + begin * map.channels, nullptr, end - begin, map.channels, sums);
  });
  for (double& each : mean) each /= static_cast<double>(map.pixels);
  const at::Tensor means = to_tensor(mean);
  const float* const middle = means.const_data_ptr<float>();
  std::vector<double> variance = sum_over(map.pixels, map.channels, [&](int64_t begin, int64_t end, double* sums) {
    sum_squares(from + begin * map.channels, middle, end - begin, map.channels, sums);
  });
  for (double& each : variance) each /= static_cast<double>(map.pixels);
  return {means, to_tensor(variance)};
}

at::Tensor channel_sums(const at::Tensor& x, const at::Tensor& active) {
  const Map map(x);
  const float* const from = x.const_data_ptr<float>();
  const float* const where = active.defined() ? active.const_data_ptr<float>() : nullptr;
  return to_tensor(sum_over(map.pixels, map.channels, [&](int64_t begin, int64_t end, double* sums) {
    const int64_t at = begin * map.channels;
    sum_pixels(from + at, where == nullptr ? nullptr : where + at, end - begin, map.channels, sums);
  }));
}

NormState norm_state(const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
                     const at::Tensor& variance, bool batch) {
  const int64_t channels = weight.numel();
  NormState norm{mean.contiguous(), empty_channels(channels), empty_channels(channels), empty_channels(channels),
                 batch};
  const at::Tensor spread = variance.contiguous(), factor = weight.contiguous(), offset = bias.contiguous();
  float *inverse = norm.inverse.mutable_data_ptr<float>(), *scale = norm.scale.mutable_data_ptr<float>(),
        *shift = norm.shift.mutable_data_ptr<float>();
  for (int64_t c = 0; c < channels; ++c) {
    inverse[c] =
        static_cast<float>(1 / std::sqrt(static_cast<double>(spread.const_data_ptr<float>()[c]) + kNormEpsilon));
    scale[c] = factor.const_data_ptr<float>()[c] * inverse[c];
    shift[c] = static_cast<float>(offset.const_data_ptr<float>()[c] -
                                  static_cast<double>(norm.mean.const_data_ptr<float>()[c]) * scale[c]);
  }
  return norm;
}

at::Tensor norm_relu_forward(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift) {
  const NormChannels norm{scale.const_data_ptr<float>(), shift.const_data_ptr<float>(), nullptr};
  const Map map(x);
  at::Tensor y = at::empty_like(x);
  const float* const from = x.const_data_ptr<float>();
  float* const to = y.mutable_data_ptr<float>();
  at::parallel_for(0, map.pixels, kPixelGrain, [&](int64_t begin, int64_t end) {
    norm_relu_pixels(from + begin * map.channels, norm, end - begin, map.channels, to + begin * map.channels);
  });
  return y;
}

NormParameterGradients norm_relu_backward_(at::Tensor& g, const at::Tensor& x, const NormState& norm) {
  const Map map(x);
  const float* const from = x.const_data_ptr<float>();
  float* const gradient = g.mutable_data_ptr<float>();
  const Factors factors(norm,
                        sum_over(map.pixels, 2 * map.channels,
                                 [&](int64_t begin, int64_t end, double* sums) {
                                   sum_gradients(gradient + begin * map.channels, from + begin * map.channels,
                                                 channels_of(norm), end - begin, map.channels, sums);
                                 }),
                        map.pixels);
  at::parallel_for(0, map.pixels, kPixelGrain, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * map.channels;
    norm_relu_gradient_pixels(gradient + at, from + at, channels_of(norm), factors.pointers(), end - begin,
                              map.channels);
  });
  return factors.parameters;
}

at::Tensor norm_relu_pool_forward(const at::Tensor& x, const NormState& norm) {
  const Pool pool(x);
  at::Tensor y =
      at::empty({x.size(0), pool.channels, pool.rows, pool.columns}, x.options(), at::MemoryFormat::ChannelsLast);
  const float* const from = x.const_data_ptr<float>();
  float* const to = y.mutable_data_ptr<float>();
  at::parallel_for(0, pool.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      norm_relu_pool_row(from + pool.input(row), pool.width, channels_of(norm), pool.channels, pool.columns,
                         to + pool.output(row));
    }
  });
  return y;
}

NormParameterGradients norm_relu_pool_backward(const at::Tensor& g, const at::Tensor& x, const NormState& norm,
                                               at::Tensor& of_x) {
  const Pool pool(x);
  const Map map(x);
  const float *from = x.const_data_ptr<float>(), *gradient = g.const_data_ptr<float>();
  const Factors factors(norm,
                        sum_over(pool.count, 2 * pool.channels,
                                 [&](int64_t begin, int64_t end, double* sums) {
                                   for (int64_t row = begin; row < end; ++row) {
                                     sum_pool_gradients_row(gradient + pool.output(row), from + pool.input(row),
                                                            pool.width, channels_of(norm), pool.channels, pool.columns,
                                                            sums);
                                   }
                                 }),
                        map.pixels);
  of_x = at::empty_like(x);
  float* const to = of_x.mutable_data_ptr<float>();
  const auto elsewhere = [&](int64_t at, int64_t pixels) {
    norm_gradient_elsewhere(from + at, channels_of(norm), factors.pointers(), pixels, pool.channels, to + at);
  };
  at::parallel_for(0, pool.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = pool.input(row), width = pool.width * pool.channels;
      norm_relu_pool_gradient_row(gradient + pool.output(row), from + at, pool.width, channels_of(norm),
                                  factors.pointers(), pool.channels, pool.columns, to + at);
      if (pool.width % 2 == 1) {
        for (const int64_t last : {at + width - pool.channels, at + 2 * width - pool.channels}) elsewhere(last, 1);
      }
    }
  });
  if (pool.height % 2 == 1) {
    for (int64_t image = 0; image < x.size(0); ++image)
      elsewhere(((image + 1) * pool.height - 1) * pool.width * pool.channels, pool.width);
  }
  return factors.parameters;
}

}  // namespace covidct
