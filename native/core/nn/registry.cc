#include "core/nn/registry.h"

#include "core/nn/densenet.h"
#include "core/nn/resnet.h"
#include "core/nn/vgg.h"
#include "core/runtime/failure.h"

namespace covidct {

std::vector<std::string> architecture_names() {
  std::vector<std::string> names = vgg_names();
  for (const auto& family : {resnet_names(), densenet_names()}) names.insert(names.end(), family.begin(), family.end());
  return names;
}

std::unique_ptr<Network> build_network(const std::string& name, const NetworkOptions& options) {
  for (const auto build : {build_vgg, build_resnet, build_densenet}) {
    if (auto network = build(name, options)) return network;
  }
  std::string known;
  for (const std::string& each : architecture_names()) known += (known.empty() ? "" : ", ") + each;
  throw Failure("ERR_INVALID_OPTION", "expected an architecture of " + known + ", got '" + name + "'");
}

}  // namespace covidct
