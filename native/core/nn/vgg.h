// VGG 11, 13, 16 and 19, with and without batch norm, under torchvision's names; and a tiny row for tests.
// Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015.
#pragma once

#include "core/nn/architecture.h"

namespace covidct {

std::vector<Architecture> vgg();

}  // namespace covidct
