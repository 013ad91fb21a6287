#include "core/nn/squeezenet.h"

namespace covidct {

namespace {

constexpr int64_t kMaxPool = 0;  // a max pool among the Fire modules

struct Row {
  const char* name;
  Conv first;
  std::vector<int64_t>
      squeezed;  // channels of each Fire module's 1 x 1 convolution; each expansion has four times them
};

const std::vector<Row> kRows = {
    {"squeezenet1_0", {96, 7, 2, 0, 1, /*bias=*/true}, {16, 16, 32, kMaxPool, 32, 48, 48, 64, kMaxPool, 64}},
    {"squeezenet1_1", {64, 3, 2, 0, 1, /*bias=*/true}, {16, 16, kMaxPool, 32, 32, kMaxPool, 48, 48, 64, 64}},
};

size_t max_pool(Graph& graph, const std::string& name, size_t x) {
  return graph.layer(name, graph.max_pool(name, x, {3, 2, 0, /*ceil_mode=*/true}));
}

size_t fire(Graph& graph, const std::string& name, size_t x, int64_t squeezed) {
  const auto convolved = [&](const std::string& part, size_t from, int64_t out, int64_t kernel) {
    const Conv conv{out, kernel, 1, kernel / 2, 1, /*bias=*/true};
    return graph.relu(name + "." + part + "_activation", graph.conv(name + "." + part, from, conv));
  };
  x = convolved("squeeze", x, squeezed, 1);
  const size_t expand1x1 = convolved("expand1x1", x, 4 * squeezed, 1);
  return graph.layer(name, graph.concat({expand1x1, convolved("expand3x3", x, 4 * squeezed, 3)}));
}

Graph describe(const Row& row, const NetworkOptions& options) {
  Graph graph(options.channels);
  size_t x = graph.layer("features.1", graph.relu("features.1", graph.conv("features.0", 0, row.first)));
  x = max_pool(graph, "features.2", x);
  size_t module = 3;
  for (const int64_t squeezed : row.squeezed) {
    const std::string name = "features." + std::to_string(module++);
    x = squeezed == kMaxPool ? max_pool(graph, name, x) : fire(graph, name, x, squeezed);
  }
  x = graph.head_after(graph.default_layer(x), "classifier.");
  x = graph.dropout("classifier.0", x, options.dropout.value_or(0.5));
  x = graph.relu("classifier.2", graph.conv("classifier.1", x, {options.classes, 1, 1, 0, 1, /*bias=*/true}));
  graph.flatten(graph.adaptive_avg_pool("classifier.3", x, 1));
  return graph;
}

void initialize(const Row&, Graph& graph, Initializer& draw) {
  for (Node& node : graph.nodes()) {
    if (node.op != Op::kConv) continue;
    if (node.name == "classifier.1") {
      draw.normal(node.weight, 0.01);
    } else {
      draw.kaiming_uniform_fan_in(node.weight);
    }
    node.bias.zero_();
  }
}

}  // namespace

std::vector<Architecture> squeezenet() { return architectures_of(kRows, describe, initialize); }

}  // namespace covidct
