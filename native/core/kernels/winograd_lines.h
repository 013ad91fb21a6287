// The five transforms of Winograd's F(4, 3) in one dimension, on vectors of channels `step` apart.
#pragma once

#include "core/kernels/simd.h"

namespace covidct {

// The points that polynomials are evaluated at: 0, +-kA, +-kB and infinity. With these, which are each other's inverse,
// rounding errors are about half of those with 1 and 2.
constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;
constexpr float kA2 = 0.5f, kB2 = 2.0f, kA3 = kA / 2, kB3 = kB * 2;
// What the filters are divided by at +-kA and +-kB; at 0 and infinity it is 1.
constexpr float kAtA = 1 / (2 * kA2 * (kA2 - kB2)), kAtB = 1 / (2 * kB2 * (kB2 - kA2));

// B' of six numbers.
template <typename V>
COVIDCT_INLINE void input_line(const V* d, int64_t step, V* t) {
  const V d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const V even_a = d4 - kB2 * d2, odd_a = kA * (d3 - kB2 * d1), even_b = d4 - kA2 * d2, odd_b = kB * (d3 - kA2 * d1);
  t[0] = d0 - (kA2 + kB2) * d2 + d4;
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = d1 - (kA2 + kB2) * d3 + d5;
}

// A' of six numbers.
template <typename V>
COVIDCT_INLINE void output_line(const V* m, int64_t step, V* y) {
  const V sum_a = m[step] + m[2 * step], difference_a = m[step] - m[2 * step];
  const V sum_b = m[3 * step] + m[4 * step], difference_b = m[3 * step] - m[4 * step];
  y[0] = m[0] + sum_a + sum_b;
  y[1] = kA * difference_a + kB * difference_b;
  y[2] = kA2 * sum_a + kB2 * sum_b;
  y[3] = kA3 * difference_a + kB3 * difference_b + m[5 * step];
}

// A of four numbers.
template <typename V>
COVIDCT_INLINE void gradient_line(const V* g, int64_t step, V* t) {
  const V g0 = g[0], g1 = g[step], g2 = g[2 * step], g3 = g[3 * step];
  const V even_a = g0 + kA2 * g2, odd_a = kA * g1 + kA3 * g3, even_b = g0 + kB2 * g2, odd_b = kB * g1 + kB3 * g3;
  t[0] = g0;
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = g3;
}

// G of three numbers.
template <typename V>
COVIDCT_INLINE void filter_line(const V* w, int64_t step, V* t) {
  const V w0 = w[0], w1 = w[step], w2 = w[2 * step];
  const V even_a = (w0 + kA2 * w2) * kAtA, odd_a = w1 * (kA * kAtA), even_b = (w0 + kB2 * w2) * kAtB,
          odd_b = w1 * (kB * kAtB);
  t[0] = w0;
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = w2;
}

// G' of six numbers.
template <typename V>
COVIDCT_INLINE void filter_gradient_line(const V* m, int64_t step, V* w) {
  const V sum_a = (m[step] + m[2 * step]) * kAtA, difference_a = (m[step] - m[2 * step]) * kAtA;
  const V sum_b = (m[3 * step] + m[4 * step]) * kAtB, difference_b = (m[3 * step] - m[4 * step]) * kAtB;
  w[0] = m[0] + sum_a + sum_b;
  w[1] = kA * difference_a + kB * difference_b;
  w[2] = kA2 * sum_a + kB2 * sum_b + m[5 * step];
}

}  // namespace covidct
