// From a name to a network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/nn/network.h"

namespace covidct {

std::vector<std::string> architecture_names();
// Throws ERR_INVALID_OPTION naming what there is.
std::unique_ptr<Network> build_network(const std::string& name, const NetworkOptions& options);

}  // namespace covidct
