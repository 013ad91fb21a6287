// DenseNet 121, 161, 169 and 201 under torchvision's names.
// Huang et al., Densely Connected Convolutional Networks, 2017.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/nn/network.h"

namespace covidct {

std::vector<std::string> densenet_names();
// nullptr when there is no row of that name.
std::unique_ptr<Network> build_densenet(const std::string& name, const NetworkOptions& options);

}  // namespace covidct
