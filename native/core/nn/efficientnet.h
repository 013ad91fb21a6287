// EfficientNet B0, B1 and B2 under torchvision's names.
// Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019.
#pragma once

#include "core/nn/architecture.h"

namespace covidct {

std::vector<Architecture> efficientnet();

}  // namespace covidct
