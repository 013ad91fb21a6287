// Matrix products of a size that stays in a core's cache, in float32 in the calling thread.
#pragma once

#include <cstdint>

namespace covidct {

// Columns of b and c come in panels of so many; c needs room for whole panels.
constexpr int64_t kPanel = 32;

constexpr int64_t whole_panels(int64_t columns) { return (columns + kPanel - 1) / kPanel * kPanel; }

// c = a b, or c += a b. Element (r, k) of a stands at r * a_row + k * a_step, (k, n) of b at
// n / kPanel * b_panel + k * b_step + n % kPanel, (r, n) of c at r * c_row + n.
struct Product {
  int64_t rows = 0, columns = 0, depth = 0;
  const float* a = nullptr;
  int64_t a_row = 0, a_step = 0;
  const float* b = nullptr;
  int64_t b_panel = 0, b_step = 0;
  float* c = nullptr;
  int64_t c_row = 0;
  bool add = false;
  // Terms that are added up in one go, before they are added to c: short sums round less, long ones are faster.
  int64_t terms = 64;
};

void multiply(const Product& product);

}  // namespace covidct
