#include "core/nn/vgg.h"

namespace covidct {

namespace {

constexpr int64_t kMaxPool = 0;  // a max pool among the channel counts

struct Row {
  const char* name;
  std::vector<int64_t> channels;
  bool batch_norm;
  int64_t pooled = 7;        // side of the adaptive pool
  int64_t hidden = 4096;     // width of the two hidden linear layers
  double linear_std = 0.01;  // torchvision's suits 4096 inputs; a narrow head would start all but dead with it
};

const std::vector<int64_t> kA = {64,  kMaxPool, 128,      kMaxPool, 256, 256,     kMaxPool,
                                 512, 512,      kMaxPool, 512,      512, kMaxPool};
const std::vector<int64_t> kB = {64,       64,  kMaxPool, 128,      128, kMaxPool, 256,     256,
                                 kMaxPool, 512, 512,      kMaxPool, 512, 512,      kMaxPool};
const std::vector<int64_t> kD = {64,       64,  kMaxPool, 128, 128,      kMaxPool, 256, 256, 256,
                                 kMaxPool, 512, 512,      512, kMaxPool, 512,      512, 512, kMaxPool};
const std::vector<int64_t> kE = {64,  64,  kMaxPool, 128, 128,      kMaxPool, 256, 256, 256, 256,     kMaxPool,
                                 512, 512, 512,      512, kMaxPool, 512,      512, 512, 512, kMaxPool};
const std::vector<int64_t> kTiny = {16, kMaxPool, 32, kMaxPool, 64, kMaxPool};

const std::vector<Row> kRows = {{"vgg11", kA, false},   {"vgg11_bn", kA, true}, {"vgg13", kB, false},
                                {"vgg13_bn", kB, true}, {"vgg16", kD, false},   {"vgg16_bn", kD, true},
                                {"vgg19", kE, false},   {"vgg19_bn", kE, true}, {"tiny", kTiny, true, 4, 64, 0.08}};

Graph describe(const Row& row, const NetworkOptions& options) {
  const double dropout = options.dropout.value_or(0.5);
  Graph graph(options.channels);
  size_t x = 0, module = 0, last_relu = 0;
  // Every module of `features` can be looked at.
  const auto named = [&](auto append) {
    const std::string name = "features." + std::to_string(module++);
    return graph.layer(name, append(name));
  };
  for (const int64_t out : row.channels) {
    if (out == kMaxPool) {
      x = named([&](const std::string& name) { return graph.max_pool(name, x, {2, 2}); });
      continue;
    }
    x = named([&](const std::string& name) { return graph.conv(name, x, {out, 3, 1, 1, 1, /*bias=*/true}); });
    if (row.batch_norm) x = named([&](const std::string& name) { return graph.norm(name, x); });
    x = last_relu = named([&](const std::string& name) { return graph.relu(name, x); });
  }
  graph.default_layer(last_relu);  // the last convolutional block at its full resolution, before it is pooled
  x = graph.head_after(graph.flatten(graph.adaptive_avg_pool("avgpool", x, row.pooled)), "classifier.");
  x = graph.relu("classifier.1", graph.linear("classifier.0", x, row.hidden));
  x = graph.linear("classifier.3", graph.dropout("classifier.2", x, dropout), row.hidden);
  x = graph.dropout("classifier.5", graph.relu("classifier.4", x), dropout);
  graph.linear("classifier.6", x, options.classes);
  return graph;
}

void initialize(const Row& row, Graph& graph, Initializer& draw) {
  for (Node& node : graph.nodes()) {
    if (node.op == Op::kConv) draw.kaiming_normal_fan_out(node.weight);
    if (node.op == Op::kLinear) draw.normal(node.weight, row.linear_std);
    if (node.bias.defined()) node.bias.zero_();
  }
}

}  // namespace

std::vector<Architecture> vgg() { return architectures_of(kRows, describe, initialize); }

}  // namespace covidct
