#include "core/nn/initialize.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace covidct {

Initializer::Initializer(uint64_t seed) : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}

void Initializer::weight_and_bias(at::Tensor weight, at::Tensor bias) {
  if (!generator_) return;
  const double fan_in = static_cast<double>(weight.numel() / weight.size(0));
  // kaiming_uniform_(a = sqrt(5)): gain sqrt(2 / (1 + 5)), bound sqrt(3) * gain / sqrt(fan_in); PyTorch's order of
  // operations is kept, so that the same seed gives the same bits.
  const double gain = std::sqrt(2.0 / (1.0 + std::pow(std::sqrt(5.0), 2)));
  const double bound = std::sqrt(3.0) * (gain / std::sqrt(fan_in));
  weight.uniform_(-bound, bound, generator_);
  if (bias.defined()) bias.uniform_(-1.0 / std::sqrt(fan_in), 1.0 / std::sqrt(fan_in), generator_);
}

void Initializer::kaiming_normal_fan_out(at::Tensor weight) {
  const double fan_out = static_cast<double>(weight.size(0) * weight.size(2) * weight.size(3));
  normal(weight, std::sqrt(2.0) / std::sqrt(fan_out));
}

void Initializer::kaiming_normal_fan_in(at::Tensor weight) {
  const double fan_in = static_cast<double>(weight.numel() / weight.size(0));
  normal(weight, std::sqrt(2.0) / std::sqrt(fan_in));
}

void Initializer::kaiming_uniform_fan_in(at::Tensor weight) {
  const double fan_in = static_cast<double>(weight.numel() / weight.size(0));
  uniform(weight, std::sqrt(3.0) * (std::sqrt(2.0) / std::sqrt(fan_in)));
}

void Initializer::normal(at::Tensor weight, double deviation) {
  if (generator_) weight.normal_(0.0, deviation, generator_);
}

void Initializer::uniform(at::Tensor weight, double bound) {
  if (generator_) weight.uniform_(-bound, bound, generator_);
}

}  // namespace covidct
