// torch.nn's initial values, drawn in PyTorch's order.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <optional>

namespace covidct {

class Initializer {
 public:
  explicit Initializer(uint64_t seed);
  // Draws nothing: for tensors that will be read from a file, whose content is undefined until then.
  Initializer() = default;

  // What nn.Conv2d and nn.Linear draw when they are made: weight and bias (which may be undefined) uniform in
  // +-1/sqrt(fan_in).
  void weight_and_bias(at::Tensor weight, at::Tensor bias);
  // nn.init.kaiming_normal_(mode='fan_out', nonlinearity='relu') of a convolution weight.
  void kaiming_normal_fan_out(at::Tensor weight);
  // nn.init.kaiming_normal_() with its defaults of a convolution weight.
  void kaiming_normal_fan_in(at::Tensor weight);
  // nn.init.kaiming_uniform_() with its defaults of a convolution weight.
  void kaiming_uniform_fan_in(at::Tensor weight);
  void normal(at::Tensor weight, double deviation);
  // In [-bound, bound).
  void uniform(at::Tensor weight, double bound);

 private:
  std::optional<at::Generator> generator_;
};

}  // namespace covidct
