#include "core/nn/efficientnet.h"

#include <algorithm>
#include <cmath>

namespace covidct {

namespace {

struct Row {
  const char* name;
  double width, depth;  // factors of the stages' channels and of their numbers of blocks
  double dropout;
};

const std::vector<Row> kRows = {
    {"efficientnet_b0", 1.0, 1.0, 0.2}, {"efficientnet_b1", 1.0, 1.1, 0.2}, {"efficientnet_b2", 1.1, 1.2, 0.3}};

struct Stage {
  int64_t expansion, kernel, stride, channels;
  double blocks;
};

const std::vector<Stage> kStages = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                                    {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};

constexpr double kStochasticDepth = 0.2;  // of the block behind the last one; earlier ones drop in proportion

// The multiple of eight nearest to so many channels times the factor, never a tenth less than they are.
int64_t widened(int64_t channels, double factor) {
  const double exact = static_cast<double>(channels) * factor;
  const int64_t near = std::max<int64_t>(8, static_cast<int64_t>(exact + 4) / 8 * 8);
  return static_cast<double>(near) < 0.9 * exact ? near + 8 : near;
}

size_t conv_norm(Graph& graph, const std::string& name, size_t x, const Conv& conv) {
  return graph.norm(name + ".1", graph.conv(name + ".0", x, conv));
}

size_t conv_norm_silu(Graph& graph, const std::string& name, size_t x, const Conv& conv) {
  return graph.silu(name + ".2", conv_norm(graph, name, x, conv));
}

size_t squeeze_and_excitation(Graph& graph, const std::string& name, size_t x, int64_t squeezed) {
  size_t y = graph.adaptive_avg_pool(name + ".avgpool", x, 1);
  y = graph.silu(name + ".activation", graph.conv(name + ".fc1", y, {squeezed, 1, 1, 0, 1, /*bias=*/true}));
  y = graph.conv(name + ".fc2", y, {graph[x].channels, 1, 1, 0, 1, /*bias=*/true});
  return graph.multiply(x, graph.sigmoid(name + ".scale_activation", y));
}

// An inverted residual: expansion, depthwise convolution, squeeze and excitation, projection.
size_t block(Graph& graph, const std::string& name, const Stage& stage, int64_t out, size_t x, double drop) {
  const int64_t in = graph[x].channels, wide = in * stage.expansion;
  int module = 0;
  const auto next = [&] { return name + ".block." + std::to_string(module++); };
  size_t y = wide == in ? x : conv_norm_silu(graph, next(), x, {wide, 1});
  y = conv_norm_silu(graph, next(), y, {wide, stage.kernel, stage.stride, stage.kernel / 2, /*groups=*/wide});
  y = squeeze_and_excitation(graph, next(), y, std::max<int64_t>(1, in / 4));
  y = conv_norm(graph, next(), y, {out, 1});
  return stage.stride != 1 || in != out ? y : graph.add(graph.stochastic_depth(name + ".stochastic_depth", y, drop), x);
}

Graph describe(const Row& row, const NetworkOptions& options) {
  const auto repeated = [&](const Stage& stage) { return static_cast<int64_t>(std::ceil(stage.blocks * row.depth)); };
  double total = 0, done = 0;
  for (const Stage& stage : kStages) total += static_cast<double>(repeated(stage));
  Graph graph(options.channels);
  size_t x = graph.layer("features.0", conv_norm_silu(graph, "features.0", 0, {widened(32, row.width), 3, 2, 1}));
  for (size_t i = 0; i < kStages.size(); ++i) {
    Stage stage = kStages[i];
    const std::string name = "features." + std::to_string(i + 1);
    for (int64_t j = 0; j < repeated(kStages[i]); ++j, stage.stride = 1) {
      const std::string place = name + "." + std::to_string(j);
      x = block(graph, place, stage, widened(stage.channels, row.width), x, kStochasticDepth * done++ / total);
    }
    graph.layer(name, x);
  }
  x = conv_norm_silu(graph, "features.8", x, {4 * graph[x].channels, 1});
  graph.default_layer(graph.layer("features.8", x));
  x = graph.head_after(graph.flatten(graph.adaptive_avg_pool("avgpool", x, 1)), "classifier.");
  graph.linear("classifier.1", graph.dropout("classifier.0", x, options.dropout.value_or(row.dropout)),
               options.classes);
  return graph;
}

void initialize(const Row&, Graph& graph, Initializer& draw) {
  for (Node& node : graph.nodes()) {
    if (node.op == Op::kConv) draw.kaiming_normal_fan_out(node.weight);
    if (node.op == Op::kLinear) draw.uniform(node.weight, 1.0 / std::sqrt(static_cast<double>(node.weight.size(0))));
    if (node.bias.defined()) node.bias.zero_();
  }
}

}  // namespace

std::vector<Architecture> efficientnet() { return architectures_of(kRows, describe, initialize); }

}  // namespace covidct
