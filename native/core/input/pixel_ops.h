// Operations that compute new levels, with the arithmetic of torchvision's functions on uint8 tensors. Each computes an
// image on one thread, so that the result does not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/input/pixel_program.h"

namespace covidct {

// image: uint8, [1, c, h, w] in any layout; so is the result. The step is one of kRotate to kBlur and was checked.
at::Tensor apply_pixel_op(const at::Tensor& image, const PixelStep& step);

// Sets a box of normalized values. image: float32, [c, h, w], on any device. The step is kErase and was checked.
void erase(const at::Tensor& image, const PixelStep& step);

}  // namespace covidct
