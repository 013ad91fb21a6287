// The operations that turn one image into the network's input, as src/addon/batch.ts describes them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace covidct {

// Codes and strides of src/addon/batch.ts.
enum PixelOp : int32_t {
  kResize = 1,
  kCrop = 2,
  kFlip = 3,
  kRotate = 4,
  kBrightness = 5,
  kContrast = 6,
  kBlur = 7,
  kErase = 8
};
constexpr int64_t kPixelOpStride = 5;
constexpr int64_t kPixelFactorStride = 6;

// One operation: its code and whole numbers, and its real numbers.
struct PixelStep {
  std::array<int32_t, kPixelOpStride> whole{};
  std::array<double, kPixelFactorStride> factors{};

  int32_t op() const { return whole[0]; }
  int32_t operator[](size_t i) const { return whole[i]; }
};

using Program = std::vector<PixelStep>;

// Where the operations on pixels end: those from there on are kErase, on normalized values.
inline Program::const_iterator end_of_pixels(const Program& program) {
  return std::find_if(program.begin(), program.end(), [](const PixelStep& step) { return step.op() == kErase; });
}

// Whether every operation can be done where the image is kept; the others are done on the host.
inline bool runs_on_device(const Program& program) {
  return std::all_of(program.begin(), program.end(),
                     [](const PixelStep& step) { return step.op() <= kFlip || step.op() == kErase; });
}

}  // namespace covidct
