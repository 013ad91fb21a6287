#include "core/nn/dense_block.h"

#include <algorithm>

namespace covidct {

namespace {

bool is_narrow(const Node& conv) {
  const ConvGeometry& geometry = conv.geometry;
  return conv.weight.size(2) == 1 && conv.weight.size(3) == 1 && !conv.bias.defined() && geometry.stride == 1 &&
         geometry.padding == 0 && geometry.groups == 1;
}

bool keeps_size(const Node& conv) {
  const ConvGeometry& geometry = conv.geometry;
  return !conv.bias.defined() && geometry.stride == 1 && 2 * geometry.padding + 1 == conv.weight.size(2);
}

class Finder {
 public:
  Finder(const Graph& graph, bool watchable) : graph_(graph), watchable_(watchable) {}

  // The node behind i where i has one, of this kind, and may be computed past; 0 elsewhere.
  size_t next(size_t i, Op op) const {
    if (i == 0 || i == graph_.features() || graph_.consumers(i).size() != 1) return 0;
    if (watchable_ && !graph_[i].layer.empty()) return 0;
    const size_t node = graph_.consumers(i).front();
    return graph_[node].op == op ? node : 0;
  }

  // The nodes of the layer whose first norm this is, but for the concatenation; none where it is no such norm.
  std::vector<size_t> layer(size_t norm) const {
    std::vector<size_t> nodes = {norm};
    for (const Op op : {Op::kReLU, Op::kConv, Op::kNorm, Op::kReLU, Op::kConv}) {
      const size_t node = next(nodes.back(), op);
      if (node == 0) return {};
      nodes.push_back(node);
    }
    const bool fits = graph_[norm].op == Op::kNorm && is_narrow(graph_[nodes[2]]) && keeps_size(graph_[nodes[5]]) &&
                      (!watchable_ || graph_[nodes[5]].layer.empty());
    return fits ? nodes : std::vector<size_t>();
  }

  // The concatenation of just these; 0 where there is none.
  size_t joined(const std::vector<size_t>& maps) const {
    for (const size_t each : graph_.consumers(maps.back())) {
      if (graph_[each].op == Op::kConcat && graph_[each].inputs == maps) return each;
    }
    return 0;
  }

 private:
  const Graph& graph_;
  bool watchable_;
};

}  // namespace

std::vector<size_t> dense_block_at(const Graph& graph, size_t norm, bool watchable) {
  const Finder find(graph, watchable);
  std::vector<size_t> block, maps = {graph[norm].inputs.front()};
  while (norm != 0) {
    const std::vector<size_t> layer = find.layer(norm);
    if (layer.empty()) break;
    maps.push_back(layer.back());
    const size_t joined = find.joined(maps);
    if (joined == 0) return {};
    block.insert(block.end(), layer.begin(), layer.end());
    block.push_back(joined);
    norm = find.next(joined, Op::kNorm);
  }
  // What a layer adds stands in the block's maps alone.
  const bool hidden = std::all_of(maps.begin() + 1, maps.end(), [&](size_t each) {
    const std::vector<size_t>& all = graph.consumers(each);
    return std::all_of(all.begin(), all.end(),
                       [&](size_t node) { return std::find(block.begin(), block.end(), node) != block.end(); });
  });
  return hidden ? block : std::vector<size_t>();
}

}  // namespace covidct
