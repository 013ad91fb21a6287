#include "core/kernels/norm_sums.h"

#include <ATen/ops/empty.h>

namespace covidct {

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

Factors::Factors(const NormState& norm, const double* sum, const double* moment, int64_t pixels)
    : alpha(norm.scale),
      beta(empty_channels(norm.scale.numel())),
      gamma(empty_channels(norm.scale.numel())),
      parameters{empty_channels(norm.scale.numel()), empty_channels(norm.scale.numel())} {
  const float *scale = norm.scale.const_data_ptr<float>(), *inverse = norm.inverse.const_data_ptr<float>();
  const auto count = static_cast<double>(pixels);
  for (int64_t c = 0; c < norm.scale.numel(); ++c) {
    parameters.bias.mutable_data_ptr<float>()[c] = static_cast<float>(sum[c]);
    parameters.weight.mutable_data_ptr<float>()[c] = static_cast<float>(moment[c] * inverse[c]);
    beta.mutable_data_ptr<float>()[c] = norm.batch ? static_cast<float>(-scale[c] * sum[c] / count) : 0;
    gamma.mutable_data_ptr<float>()[c] =
        norm.batch ? static_cast<float>(-scale[c] * inverse[c] * inverse[c] * moment[c] / count) : 0;
  }
}

}  // namespace covidct
