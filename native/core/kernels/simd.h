// Vectors as wide as the processor's registers, and functions that are compiled for several instruction sets.
//
// Code on vectors is a template over one of the three types below. COVIDCT_VARIANTS compiles it for AVX-512, AVX2 and
// the base set (NEON on ARM) and makes a function that takes the best one the processor has.
#pragma once

#include <cstdint>
#include <cstring>

// How vectors are passed differs between instruction sets; they never leave a function that is not inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

#define COVIDCT_INLINE inline __attribute__((always_inline))
#define COVIDCT_LAMBDA __attribute__((always_inline))

namespace covidct {

typedef float Lanes4 __attribute__((vector_size(16)));
typedef float Lanes8 __attribute__((vector_size(32)));
typedef float Lanes16 __attribute__((vector_size(64)));

#pragma GCC diagnostic ignored "-Wignored-attributes"
template <typename V>
constexpr int64_t kLanes = static_cast<int64_t>(sizeof(V) / sizeof(float));

// Half of the lanes, and as many float64 in as wide a vector.
template <typename V>
struct Widened {
  typedef float Half __attribute__((vector_size(sizeof(V) / 2)));
  typedef double Doubles __attribute__((vector_size(sizeof(V))));
};

enum class Simd { kBase, kAvx2, kAvx512 };

// The best of this processor, or a lesser one that the environment variable COVIDCT_SIMD names: base, avx2, avx512.
Simd simd();

// As many lanes as there are, or the first `count` of them, the others zero.
template <typename V, bool kWhole = true>
COVIDCT_INLINE V load(const float* from, int64_t count = 0) {
  V lanes = {};
  if constexpr (kWhole)
    std::memcpy(&lanes, from, sizeof(V));
  else
    std::memcpy(&lanes, from, static_cast<size_t>(count) * sizeof(float));
  return lanes;
}

template <typename V, bool kWhole = true>
COVIDCT_INLINE void store(float* to, const V& lanes, int64_t count = 0) {
  if constexpr (kWhole)
    std::memcpy(to, &lanes, sizeof(V));
  else
    std::memcpy(to, &lanes, static_cast<size_t>(count) * sizeof(float));
}

// Each comparison is used once, right where it is made: g++ splits any other into its lanes on AVX-512.

// Keeps NaN, as LibTorch's ReLU does.
template <typename V>
COVIDCT_INLINE V relu(const V& x) {
  return x < V{} ? V{} : x;
}

// The maximum of four numbers; NaN where one of them is NaN, or where their sum is not finite.
template <typename V>
COVIDCT_INLINE V largest(const V& a, const V& b, const V& c, const V& d) {
  const V first = a > b ? a : b, second = c > d ? c : d;
  return (first > second ? first : second) + ((a + b) + (c + d)) * 0.0f;
}

}  // namespace covidct

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define COVIDCT_AVX512 __attribute__((target("arch=x86-64-v4")))
#define COVIDCT_AVX2 __attribute__((target("arch=x86-64-v3")))
// Defines `void name parameters` by the template name_in<V>.
#define COVIDCT_VARIANTS(name, parameters, arguments)                            \
  namespace {                                                                    \
  COVIDCT_AVX512 void name##_avx512 parameters { name##_in<Lanes16> arguments; } \
  COVIDCT_AVX2 void name##_avx2 parameters { name##_in<Lanes8> arguments; }      \
  }                                                                              \
  void name parameters {                                                         \
    if (simd() == Simd::kAvx512) return name##_avx512 arguments;                 \
    if (simd() == Simd::kAvx2) return name##_avx2 arguments;                     \
    name##_in<Lanes4> arguments;                                                 \
  }
#else
#define COVIDCT_VARIANTS(name, parameters, arguments) \
  void name parameters { name##_in<Lanes4> arguments; }
#endif
