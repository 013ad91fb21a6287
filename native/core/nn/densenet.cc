#include "core/nn/densenet.h"

namespace covidct {

namespace {

constexpr int64_t kBottleneck = 4;  // channels of a layer's 1 x 1 convolution, in growth rates

struct Row {
  const char* name;
  int64_t growth;               // channels that each layer adds
  std::vector<int64_t> layers;  // of each of the four blocks
  int64_t initial;              // channels behind the first convolution
};

const std::vector<Row> kRows = {
    {"densenet121", 32, {6, 12, 24, 16}, 64},
    {"densenet161", 48, {6, 12, 36, 24}, 96},
    {"densenet169", 32, {6, 12, 32, 32}, 64},
    {"densenet201", 32, {6, 12, 48, 32}, 64},
};

// A batch norm, a ReLU and a convolution.
size_t unit(Graph& graph, const std::string& name, const std::string& number, size_t x, const Conv& conv) {
  x = graph.relu(name + ".relu" + number, graph.norm(name + ".norm" + number, x));
  return graph.conv(name + ".conv" + number, x, conv);
}

size_t block(Graph& graph, const std::string& name, int64_t layers, int64_t growth, size_t x) {
  std::vector<size_t> outputs = {x};
  for (int64_t i = 1; i <= layers; ++i) {
    const std::string layer = name + ".denselayer" + std::to_string(i);
    const size_t joined = outputs.size() == 1 ? x : graph.concat(outputs);
    const size_t narrow = unit(graph, layer, "1", joined, {kBottleneck * growth, 1});
    outputs.push_back(unit(graph, layer, "2", narrow, {growth, 3, 1, 1}));
  }
  return graph.layer(name, graph.concat(outputs));
}

Graph describe(const Row& row, const NetworkOptions& options) {
  Graph graph(options.channels);
  size_t x = graph.norm("features.norm0", graph.conv("features.conv0", 0, {row.initial, 7, 2, 3}));
  x = graph.layer("features.relu0", graph.relu("features.relu0", x));
  x = graph.layer("features.pool0", graph.max_pool("features.pool0", x, {3, 2, 1}));
  for (size_t i = 0; i < row.layers.size(); ++i) {
    const std::string number = std::to_string(i + 1), name = "features.transition" + number;
    x = block(graph, "features.denseblock" + number, row.layers[i], row.growth, x);
    if (i + 1 == row.layers.size()) break;
    x = unit(graph, name, "", x, {graph[x].channels / 2, 1});
    x = graph.layer(name, graph.avg_pool(name + ".pool", x, {2, 2}));
  }
  x = graph.layer("features.norm5", graph.norm("features.norm5", x));
  // The last block behind its batch norm and ReLU: what is pooled.
  x = graph.default_layer(graph.layer("features", graph.relu("", x)));
  x = graph.head_after(graph.flatten(graph.adaptive_avg_pool("", x, 1)), "classifier.");
  graph.linear("classifier", x, options.classes);
  return graph;
}

void initialize(const Row&, Graph& graph, Initializer& draw) {
  for (Node& node : graph.nodes()) {
    if (node.op == Op::kConv) draw.kaiming_normal_fan_in(node.weight);
    if (node.op == Op::kLinear) node.bias.zero_();
  }
}

}  // namespace

std::vector<Architecture> densenet() { return architectures_of(kRows, describe, initialize); }

}  // namespace covidct
