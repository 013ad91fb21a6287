#include "architectures.h"

#include "failure.h"

namespace covidct {

std::vector<std::string> architecture_names() { return vgg_names(); }

std::unique_ptr<Network> build_network(const std::string& name, const NetworkOptions& options) {
  if (auto network = build_vgg(name, options)) return network;
  std::string known;
  for (const std::string& each : architecture_names()) known += (known.empty() ? "" : ", ") + each;
  throw Failure("ERR_INVALID_OPTION", "expected an architecture of " + known + ", got '" + name + "'");
}

}  // namespace covidct
