// ResNet 18, 34, 50, 101 and 152 under torchvision's names.
// He et al., Deep Residual Learning for Image Recognition, 2015; the stride stands in the 3 x 3 convolution.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/nn/network.h"

namespace covidct {

std::vector<std::string> resnet_names();
// nullptr when there is no row of that name.
std::unique_ptr<Network> build_resnet(const std::string& name, const NetworkOptions& options);

}  // namespace covidct
