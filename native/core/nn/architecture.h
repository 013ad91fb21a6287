// What a family of networks says of each of its rows: a name, the list of nodes, and how its weights are drawn.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/nn/graph.h"
#include "core/nn/initialize.h"

namespace covidct {

struct NetworkOptions {
  int64_t classes;
  uint64_t seed;
  std::optional<double> dropout;  // by default the one the architecture was published with
  int64_t channels = 3;           // of the input: 3 (RGB) or 1 (gray)
  ConvolutionKind convolution = ConvolutionKind::kLibTorch;
  bool random = true;  // false: parameters are undefined until they are read from a file
};

struct Architecture {
  std::string name;
  std::function<Graph(const NetworkOptions&)> describe;
  // torchvision initializes once more, module by module, after everything has been made with PyTorch's defaults.
  std::function<void(Graph&, Initializer&)> initialize;
};

// Makes the architectures of a family from its rows, which outlive them.
template <typename Row>
std::vector<Architecture> architectures_of(const std::vector<Row>& rows,
                                           Graph (*describe)(const Row&, const NetworkOptions&),
                                           void (*initialize)(const Row&, Graph&, Initializer&)) {
  std::vector<Architecture> all;
  for (const Row& row : rows) {
    all.push_back({row.name, [&row, describe](const NetworkOptions& options) { return describe(row, options); },
                   [&row, initialize](Graph& graph, Initializer& draw) { initialize(row, graph, draw); }});
  }
  return all;
}

}  // namespace covidct
