// The numbers with which a batch norm of a pass computes, and its running statistics, which move with them.
#pragma once

#include "core/kernels/norm.h"
#include "core/kernels/norm_relu.h"

namespace covidct {

// Mean and biased variance of every channel of so many pixels.
struct Moments {
  at::Tensor mean, variance;
  int64_t pixels;
};

// By batch statistics, which also move the running ones, where `moments` are given; by the running ones elsewhere.
NormState state_by(Norm& norm, const Moments* moments);
// By those of x where training asks for them.
NormState state_of(const at::Tensor& x, Norm& norm, bool training);

}  // namespace covidct
