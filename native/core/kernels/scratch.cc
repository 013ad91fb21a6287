#include "core/kernels/scratch.h"

#include <cstdlib>
#include <new>

namespace covidct {

namespace {

struct Piece {
  float* data = nullptr;
  int64_t floats = 0;
  ~Piece() { std::free(data); }

  float* grow(int64_t wanted) {
    if (wanted <= floats) return data;
    std::free(data);
    data = nullptr;
    floats = 0;
    const auto bytes = (static_cast<size_t>(wanted) * sizeof(float) + 63) / 64 * 64;
    data = static_cast<float*>(std::aligned_alloc(64, bytes));
    if (data == nullptr) throw std::bad_alloc();
    floats = wanted;
    return data;
  }
};

thread_local Piece pieces[2];

}  // namespace

float* scratch(Scratch which, int64_t floats) { return pieces[static_cast<int>(which)].grow(floats); }

int64_t scratch_bytes() { return (pieces[0].floats + pieces[1].floats) * static_cast<int64_t>(sizeof(float)); }

}  // namespace covidct
