// torch.nn's initial values, drawn from a given generator in PyTorch's order.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace covidct {

// What nn.Conv2d and nn.Linear draw when they are made: weight and bias uniform in +-1/sqrt(fan_in).
void default_weight_and_bias(at::Tensor weight, at::Tensor bias, at::Generator& generator);

// nn.init.kaiming_normal_(mode='fan_out', nonlinearity='relu') of a convolution weight.
void kaiming_normal_fan_out(at::Tensor weight, at::Generator& generator);
// nn.init.kaiming_normal_() with its defaults of a convolution weight.
void kaiming_normal_fan_in(at::Tensor weight, at::Generator& generator);

}  // namespace covidct
