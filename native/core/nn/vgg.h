// VGG 11, 13, 16 and 19, with and without batch norm, under torchvision's names; and a tiny row for tests.
// Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/nn/network.h"

namespace covidct {

std::vector<std::string> vgg_names();
// nullptr when there is no row of that name.
std::unique_ptr<Network> build_vgg(const std::string& name, const NetworkOptions& options);

}  // namespace covidct
