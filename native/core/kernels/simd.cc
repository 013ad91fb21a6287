#include "core/kernels/simd.h"

#include <cstdlib>
#include <string>

namespace covidct {

namespace {

Simd detect() {
#ifdef COVIDCT_AVX512
  const char* wish = std::getenv("COVIDCT_SIMD");
  const std::string most = wish == nullptr ? "avx512" : wish;
  if (most == "base") return Simd::kBase;
  // By feature: g++ 11 does not know the names of the levels here. No processor has these and lacks the rest of its
  // level.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512 && most != "avx2") return Simd::kAvx512;
  if (avx2) return Simd::kAvx2;
#endif
  return Simd::kBase;
}

}  // namespace

Simd simd() {
  static const Simd best = detect();
  return best;
}

}  // namespace covidct
