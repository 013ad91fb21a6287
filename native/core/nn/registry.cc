#include "core/nn/registry.h"

#include "core/nn/densenet.h"
#include "core/nn/efficientnet.h"
#include "core/nn/resnet.h"
#include "core/nn/squeezenet.h"
#include "core/nn/vgg.h"
#include "core/runtime/failure.h"

namespace covidct {

namespace {

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> all = [] {
    std::vector<Architecture> rows;
    for (const auto family : {vgg, resnet, densenet, squeezenet, efficientnet}) {
      for (Architecture& each : family()) rows.push_back(std::move(each));
    }
    return rows;
  }();
  return all;
}

}  // namespace

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& each : architectures()) names.push_back(each.name);
  return names;
}

std::unique_ptr<Network> build_network(const std::string& name, const NetworkOptions& options) {
  std::string known;
  for (const Architecture& each : architectures()) {
    if (each.name == name) return std::make_unique<Network>(each, options);
    known += (known.empty() ? "" : ", ") + each.name;
  }
  throw Failure("ERR_INVALID_OPTION", "expected an architecture of " + known + ", got '" + name + "'");
}

}  // namespace covidct
