#include "core/kernels/dense_maps.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cstring>

#include "core/kernels/convolution.h"
#include "core/kernels/dense_kernels.h"
#include "core/kernels/norm_sums.h"

namespace covidct {

namespace {

void copy_floats(const float* from, int64_t count, float* to) {
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

}  // namespace

at::Tensor empty_maps(const at::Tensor& like, int64_t channels) {
  return at::empty({like.size(0), channels, like.size(2), like.size(3)}, like.options().requires_grad(false),
                   at::MemoryFormat::ChannelsLast);
}

void copy_maps(const at::Tensor& x, at::Tensor& to, int64_t first) {
  const at::Tensor pixels = channels_last(x);
  const Map map(pixels);
  const int64_t row = to.size(1);
  const float* const source = pixels.const_data_ptr<float>();
  float* const target = to.mutable_data_ptr<float>() + first;
  at::parallel_for(0, map.pixels, kPixelGrain, [&](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel)
      copy_floats(source + pixel * map.channels, map.channels, target + pixel * row);
  });
}

DenseMaps::DenseMaps(const at::Tensor& x, int64_t channels, bool measured)
    : maps_(empty_maps(x, channels)),
      mean_(at::zeros({channels}, at::kFloat)),
      variance_(at::zeros({channels}, at::kFloat)),
      channels_(channels),
      pixels_(Map(x).pixels),
      measured_(measured),
      beta_(static_cast<size_t>(channels)),
      gamma_(static_cast<size_t>(channels)) {
  append(x);
}

void DenseMaps::append(const at::Tensor& x) {
  const int64_t channels = x.size(1);
  if (measured_) {
    const auto [mean, variance] = channel_moments(x);
    // Not by copy_(), after which autograd would refuse the parts that earlier layers keep.
    copy_floats(mean.const_data_ptr<float>(), channels, mean_.mutable_data_ptr<float>() + filled_);
    copy_floats(variance.const_data_ptr<float>(), channels, variance_.mutable_data_ptr<float>() + filled_);
  }
  copy_maps(x, maps_, filled_);
  filled_ += channels;
}

Moments DenseMaps::moments(int64_t channels) const {
  return {mean_.narrow(0, 0, channels), variance_.narrow(0, 0, channels), pixels_};
}

at::Tensor DenseMaps::norm_relu(const NormState& norm) const {
  return norm_relu_forward(maps_.narrow(1, 0, norm.scale.numel()), norm.scale, norm.shift);
}

NormParameterGradients DenseMaps::add_gradient(const at::Tensor& g, const NormState& norm) {
  const int64_t channels = norm.scale.numel(), row = channels_;
  const float *from = maps_.const_data_ptr<float>(), *gradient = g.const_data_ptr<float>();
  float* const total = gradient_.mutable_data_ptr<float>();
  const std::vector<double> sums = sum_over(pixels_, 2 * channels, [&](int64_t begin, int64_t end, double* part) {
    add_norm_relu_gradients(gradient + begin * channels, from + begin * row, channels_of(norm), row, end - begin,
                            channels, total + begin * row, part);
  });
  const Factors factors(norm, sums.data(), sums.data() + channels, pixels_);
  for (int64_t c = 0; c < channels; ++c) {
    beta_[c] += factors.pointers().beta[c];
    gamma_[c] += factors.pointers().gamma[c];
  }
  return factors.parameters;
}

at::Tensor DenseMaps::gradient(int64_t first, int64_t channels) const {
  const auto part = [&](const std::vector<double>& all) {
    return to_tensor({all.begin() + first, all.begin() + first + channels});
  };
  const at::Tensor beta = part(beta_), gamma = part(gamma_);
  const NormGradient factors{nullptr, beta.const_data_ptr<float>(), gamma.const_data_ptr<float>()};
  const int64_t row = channels_;
  at::Tensor g = empty_maps(maps_, channels);
  const float *total = gradient_.const_data_ptr<float>() + first, *from = maps_.const_data_ptr<float>() + first,
              *middle = mean_.const_data_ptr<float>() + first;
  float* const to = g.mutable_data_ptr<float>();
  at::parallel_for(0, pixels_, kPixelGrain, [&](int64_t begin, int64_t end) {
    corrected_gradients(total + begin * row, from + begin * row, middle, factors, row, end - begin, channels,
                        to + begin * channels);
  });
  return g;
}

}  // namespace covidct
