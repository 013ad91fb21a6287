#include "lanes.h"

#include <cstdlib>
#include <string>

namespace covidct {

namespace {

Simd detect() {
#ifdef COVIDCT_AVX512
  const char* wish = std::getenv("COVIDCT_SIMD");
  const std::string most = wish == nullptr ? "avx512" : wish;
  if (most == "base") return Simd::kBase;
  if (most != "avx2" && __builtin_cpu_supports("x86-64-v4")) return Simd::kAvx512;
  if (__builtin_cpu_supports("x86-64-v3")) return Simd::kAvx2;
#endif
  return Simd::kBase;
}

}  // namespace

Simd simd() {
  static const Simd best = detect();
  return best;
}

}  // namespace covidct
