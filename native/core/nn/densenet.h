// DenseNet 121, 161, 169 and 201 under torchvision's names.
// Huang et al., Densely Connected Convolutional Networks, 2017.
#pragma once

#include "core/nn/architecture.h"

namespace covidct {

std::vector<Architecture> densenet();

}  // namespace covidct
