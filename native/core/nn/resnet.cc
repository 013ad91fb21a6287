#include "core/nn/resnet.h"

namespace covidct {

namespace {

struct Row {
  const char* name;
  std::vector<int64_t> blocks;  // of each of the four layers
  bool bottleneck;              // 1 x 1, 3 x 3, 1 x 1 with four times the channels; otherwise twice 3 x 3
};

const std::vector<Row> kRows = {
    {"resnet18", {2, 2, 2, 2}, false},  {"resnet34", {3, 4, 6, 3}, false},  {"resnet50", {3, 4, 6, 3}, true},
    {"resnet101", {3, 4, 23, 3}, true}, {"resnet152", {3, 8, 36, 3}, true},
};

size_t block(Graph& graph, const std::string& name, bool bottleneck, size_t x, int64_t width, int64_t stride) {
  const std::vector<Conv> convs = bottleneck ? std::vector<Conv>{{width, 1}, {width, 3, stride, 1}, {4 * width, 1}}
                                             : std::vector<Conv>{{width, 3, stride, 1}, {width, 3, 1, 1}};
  size_t y = x, first = 0;
  for (size_t i = 0; i < convs.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    if (i > 0) y = graph.relu(name + ".relu", y);
    y = graph.conv(name + ".conv" + number, y, convs[i]);
    if (i == 0) first = y;
    y = graph.norm(name + ".bn" + number, y);
  }
  size_t shortcut = x;
  if (stride != 1 || graph[x].channels != graph[y].channels) {
    shortcut = graph.conv(name + ".downsample.0", x, {graph[y].channels, 1, stride});
    graph.drawn_before(shortcut, first);  // torchvision makes it before the block, and names it after the block
    shortcut = graph.norm(name + ".downsample.1", shortcut);
  }
  return graph.layer(name, graph.relu(name + ".relu", graph.add(y, shortcut)));
}

Graph describe(const Row& row, const NetworkOptions& options) {
  Graph graph(options.channels);
  size_t x = graph.norm("bn1", graph.conv("conv1", 0, {64, 7, 2, 3}));
  x = graph.layer("relu", graph.relu("relu", x));
  x = graph.layer("maxpool", graph.max_pool("maxpool", x, {3, 2, 1}));
  for (size_t layer = 0; layer < row.blocks.size(); ++layer) {
    for (int64_t i = 0; i < row.blocks[layer]; ++i) {
      const std::string name = "layer" + std::to_string(layer + 1) + "." + std::to_string(i);
      x = block(graph, name, row.bottleneck, x, int64_t{64} << layer, layer > 0 && i == 0 ? 2 : 1);
    }
  }
  graph.default_layer(x);  // the output of the last block: what is pooled
  x = graph.head_after(graph.flatten(graph.adaptive_avg_pool("avgpool", x, 1)), "fc.");
  graph.linear("fc", x, options.classes);
  return graph;
}

void initialize(const Row&, Graph& graph, Initializer& draw) {
  for (Node& node : graph.nodes()) {
    if (node.op == Op::kConv) draw.kaiming_normal_fan_out(node.weight);
  }
}

}  // namespace

std::vector<Architecture> resnet() { return architectures_of(kRows, describe, initialize); }

}  // namespace covidct
