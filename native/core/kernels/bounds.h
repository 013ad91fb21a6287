// Bounds of the numbers in a prediction, proven as it goes, so that nothing that is not finite can be lost on the way.
//
// oneDNN's fused ReLU makes 0 of NaN, and a Winograd transform may overflow where the plain sum does not. Both need a
// number that is not finite, or too large, to begin with. From the largest magnitude of a layer's input and the sums of
// its weights' magnitudes follows a bound of all it computes: where that is small enough, there is no such number.
// Where it is not, or a weight or a pixel is not finite, nothing is proven, and LibTorch's layers compute the
// prediction one by one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

namespace covidct {

constexpr double kUnproven = std::numeric_limits<double>::infinity();
// Transforms multiply by less than 1e4, poolings add up less than 1e4 numbers: nothing reaches float32's 3.4e38.
constexpr double kSafe = 1e30;

// float32, and what no magnitude of it exceeds; kUnproven where that is not known.
struct Bounded {
  at::Tensor x;
  double most = kUnproven;
  bool proven() const { return most <= kSafe; }
};

// |y| <= factor |x| + offset for all outputs y and inputs x of a layer.
struct Gain {
  double factor = kUnproven, offset = kUnproven;
  double of(double most) const { return factor * most + offset; }
};

// Position of the first of `count` numbers that is not finite; `count` where all are.
int64_t first_not_finite(const float* x, int64_t count);

// The largest magnitude in x, float32 on the CPU without gaps in any order of its dimensions; kUnproven where a number
// is not finite.
double largest_magnitude(const at::Tensor& x);

// x with the bound that it truly has.
Bounded measured(const at::Tensor& x);
// The same where the bound it has is proven and larger than `loose`, x as it is elsewhere.
Bounded tightened(const Bounded& x, double loose);

// The gain of a convolution: weight, [out, in, k, k], without gaps, multiplied by `scale` for each output channel,
// plus `bias`; both may be undefined.
Gain gain_of(const at::Tensor& weight, const at::Tensor& scale, const at::Tensor& bias);
// The gain of scale x + shift.
Gain gain_of(const at::Tensor& scale, const at::Tensor& shift);

}  // namespace covidct
