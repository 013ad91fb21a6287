// SqueezeNet 1.0 and 1.1 under torchvision's names.
// Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016; the head is a convolution.
#pragma once

#include "core/nn/architecture.h"

namespace covidct {

std::vector<Architecture> squeezenet();

}  // namespace covidct
