#include "core/kernels/norm_relu.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <cmath>

#include "core/kernels/norm.h"
#include "core/kernels/norm_sums.h"

namespace covidct {

namespace {

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

int64_t pixel_row(const at::Tensor& x) {
  if (x.is_contiguous(at::MemoryFormat::ChannelsLast)) return x.size(1);
  const bool even =
      x.stride(1) == 1 && x.stride(2) == x.size(3) * x.stride(3) && x.stride(0) == x.size(2) * x.stride(2);
  return even ? x.stride(3) : 0;
}

at::Tensor norm_relu_forward(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift) {
  const NormChannels norm{scale.const_data_ptr<float>(), shift.const_data_ptr<float>(), nullptr};
  const Map map(x);
  const int64_t row = pixel_row(x);
  at::Tensor y = at::empty_like(x, x.options().requires_grad(false), at::MemoryFormat::ChannelsLast);
  const float* const from = x.const_data_ptr<float>();
  float* const to = y.mutable_data_ptr<float>();
  at::parallel_for(0, map.pixels, kPixelGrain, [&](int64_t begin, int64_t end) {
    norm_relu_pixels(from + begin * row, row, norm, end - begin, map.channels, to + begin * map.channels);
  });
  return y;
}

NormParameterGradients norm_relu_backward(const at::Tensor& g, const at::Tensor& x, const NormState& norm,
                                          const at::Tensor& of_x) {
  const Map map(x);
  const float *from = x.const_data_ptr<float>(), *gradient = g.const_data_ptr<float>();
  float* const to = of_x.mutable_data_ptr<float>();
  const std::vector<double> sums =
      sum_over(map.pixels, 2 * map.channels, [&](int64_t begin, int64_t end, double* part) {
        const int64_t at = begin * map.channels;
        sum_gradients(gradient + at, from + at, channels_of(norm), end - begin, map.channels, part);
      });
  const Factors factors(norm, sums.data(), sums.data() + map.channels, map.pixels);
  at::parallel_for(0, map.pixels, kPixelGrain, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * map.channels;
    norm_relu_gradient_pixels(gradient + at, from + at, channels_of(norm), factors.pointers(), end - begin,
                              map.channels, to + at);
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
  const std::vector<double> sums =
      sum_over(pool.count, 2 * pool.channels, [&](int64_t begin, int64_t end, double* part) {
        for (int64_t row = begin; row < end; ++row) {
          sum_pool_gradients_row(gradient + pool.output(row), from + pool.input(row), pool.width, channels_of(norm),
                                 pool.channels, pool.columns, part);
        }
      });
  const Factors factors(norm, sums.data(), sums.data() + pool.channels, map.pixels);
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
