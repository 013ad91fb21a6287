#include "core/kernels/gemm.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/kernels/simd.h"

namespace covidct {

namespace {

constexpr int kVectors = 2;  // of a row of the block that a kernel keeps in registers

// One block of kRows rows and kVectors vectors: sums stay in registers, each number of a is spread over a vector.
template <typename V, int kRows>
COVIDCT_INLINE void block(const Product& p, const float* a, const float* b, float* c, int64_t depth, bool add) {
  V sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) sums[r][v] = V{};
  }
  const int64_t a_row = p.a_row, a_step = p.a_step, b_step = p.b_step, next = p.b_panel;
  for (int64_t k = 0; k < depth; ++k, a += a_step, b += b_step) {
    V right[kVectors];
    for (int v = 0; v < kVectors; ++v) right[v] = load<V>(b + v * kLanes<V>);
    // Prefetches the next panel meanwhile: filters of many channels do not fit in a cache.
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(b + next + v * kLanes<V>);
    for (int r = 0; r < kRows; ++r) {
      const float left = a[r * a_row];
      for (int v = 0; v < kVectors; ++v) sums[r][v] += left * right[v];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      float* const to = c + r * p.c_row + v * kLanes<V>;
      store<V>(to, add ? load<V>(to) + sums[r][v] : sums[r][v]);
    }
  }
}

using Kernel = void (*)(const Product&, const float* a, const float* b, float* c, int64_t depth, bool add);

template <int kRows>
void block_base(const Product& p, const float* a, const float* b, float* c, int64_t depth, bool add) {
  block<Lanes4, kRows>(p, a, b, c, depth, add);
}

// Kernels for 1, 2, ... rows: as many as the registers hold.
struct Kernels {
  const Kernel* of_rows;
  int64_t most_rows, columns;
};

#ifdef COVIDCT_AVX512
template <int kRows>
COVIDCT_AVX512 void block_avx512(const Product& p, const float* a, const float* b, float* c, int64_t depth, bool add) {
  block<Lanes16, kRows>(p, a, b, c, depth, add);
}
template <int kRows>
COVIDCT_AVX2 void block_avx2(const Product& p, const float* a, const float* b, float* c, int64_t depth, bool add) {
  block<Lanes8, kRows>(p, a, b, c, depth, add);
}
constexpr int kBaseRows = 6;
#else
constexpr int kBaseRows = 8;
#endif

#define COVIDCT_KERNELS(name, most)                                                           \
  template <int... kRows>                                                                     \
  constexpr std::array<Kernel, sizeof...(kRows)> name(std::integer_sequence<int, kRows...>) { \
    return {block_##name<kRows + 1>...};                                                      \
  }                                                                                           \
  constexpr auto name##_kernels = name(std::make_integer_sequence<int, most>());

COVIDCT_KERNELS(base, kBaseRows)
#ifdef COVIDCT_AVX512
COVIDCT_KERNELS(avx512, 14)
COVIDCT_KERNELS(avx2, 6)
#endif

Kernels choose() {
#ifdef COVIDCT_AVX512
  if (simd() == Simd::kAvx512) return {avx512_kernels.data(), 14, kVectors * kLanes<Lanes16>};
  if (simd() == Simd::kAvx2) return {avx2_kernels.data(), 6, kVectors * kLanes<Lanes8>};
#endif
  return {base_kernels.data(), kBaseRows, kVectors * kLanes<Lanes4>};
}

}  // namespace

void multiply(const Product& p) {
  static const Kernels kernels = choose();
  if (p.rows == 0) return;
  // Blocks of rows, and parts of the depth, as even as can be.
  const int64_t blocks = (p.rows + kernels.most_rows - 1) / kernels.most_rows,
                parts = std::max<int64_t>(1, (p.depth + p.terms - 1) / p.terms);
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t k = p.depth * part / parts, depth = p.depth * (part + 1) / parts - k;
    for (int64_t n = 0; n < p.columns; n += kernels.columns) {
      const float* const b = p.b + n / kPanel * p.b_panel + n % kPanel + k * p.b_step;
      for (int64_t i = 0; i < blocks; ++i) {
        const int64_t first = p.rows * i / blocks, count = p.rows * (i + 1) / blocks - first;
        kernels.of_rows[count - 1](p, p.a + first * p.a_row + k * p.a_step, b, p.c + first * p.c_row + n, depth,
                                   p.add || part > 0);
      }
    }
  }
}

}  // namespace covidct
