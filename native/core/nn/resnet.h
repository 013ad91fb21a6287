// ResNet 18, 34, 50, 101 and 152 under torchvision's names.
// He et al., Deep Residual Learning for Image Recognition, 2016; the stride of a bottleneck in its 3 x 3 convolution.
#pragma once

#include "core/nn/architecture.h"

namespace covidct {

std::vector<Architecture> resnet();

}  // namespace covidct
