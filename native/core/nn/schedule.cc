#include "core/nn/schedule.h"

#include <algorithm>

#include "core/nn/dense_block.h"

namespace covidct {

namespace {

bool is_2x2(const Node& node) {
  return node.op == Op::kMaxPool && node.pool.kernel == 2 && node.pool.stride == 2 && node.pool.padding == 0 &&
         !node.pool.ceil_mode;
}

// Finds which nodes are computed together; the steps are put in order by their last node.
class Scheduler {
 public:
  explicit Scheduler(const Graph& graph) : graph_(graph), taken_(graph.nodes().size()) {}

  const Graph& graph() const { return graph_; }
  const Node& node(size_t i) const { return graph_[i]; }
  bool taken(size_t i) const { return taken_[i]; }

  // The node behind i where i has one, of this kind and on the same side of the head; 0 elsewhere.
  size_t only(size_t i, Op op) const {
    if (graph_.consumers(i).size() != 1 || i == graph_.features()) return 0;
    const size_t next = graph_.consumers(i).front();
    return node(next).op == op ? next : 0;
  }
  bool feeds(size_t i, Op op) const {
    const std::vector<size_t>& all = graph_.consumers(i);
    return std::any_of(all.begin(), all.end(), [&](size_t each) { return node(each).op == op; });
  }

  void add(Step step) {
    for (const size_t each : step.nodes) taken_[each] = true;
    steps_.push_back(std::move(step));
  }

  // Orders the steps and notes what each may release.
  Schedule finish() {
    std::sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) { return a.last() < b.last(); });
    std::vector<size_t> last_use(graph_.nodes().size(), 0);
    for (size_t s = 0; s < steps_.size(); ++s) {
      for (const size_t each : steps_[s].nodes) {
        for (const size_t input : node(each).inputs) last_use[input] = s;
      }
    }
    for (size_t i = 0; i < last_use.size(); ++i) {
      if (last_use[i] > 0 || i == 0) steps_[last_use[i]].release.push_back(i);
    }
    return std::move(steps_);
  }

 private:
  const Graph& graph_;
  std::vector<bool> taken_;
  Schedule steps_;
};

Step step_at(const Scheduler& all, size_t i, bool watchable) {
  const auto hidden = [&](size_t each) { return !watchable || all.node(each).layer.empty(); };
  if (all.node(i).op == Op::kNorm) {
    if (std::vector<size_t> block = dense_block_at(all.graph(), i, watchable); !block.empty())
      return {Fusion::kDenseBlock, std::move(block)};
  }
  const size_t relu = hidden(i) ? all.only(i, Op::kReLU) : 0;
  if (relu == 0) return {Fusion::kNone, {i}};
  switch (all.node(i).op) {
    case Op::kConv:
      return {Fusion::kConvReLU, {i, relu}};
    case Op::kLinear:
      return {Fusion::kLinearReLU, {i, relu}};
    case Op::kNorm: {
      // In front of a global pool, where maps are smallest, LibTorch's layers do.
      if (all.feeds(relu, Op::kAdaptiveAvgPool)) return {Fusion::kNone, {i}};
      if (!hidden(relu)) return {Fusion::kNormReLU, {i, relu}};
      if (const size_t conv = all.only(relu, Op::kConv); conv != 0) return {Fusion::kNormReLUConv, {i, relu, conv}};
      const size_t pool = all.only(relu, Op::kMaxPool);
      if (pool != 0 && is_2x2(all.node(pool))) return {Fusion::kNormReLUPool, {i, relu, pool}};
      return {Fusion::kNormReLU, {i, relu}};
    }
    default:
      return {Fusion::kNone, {i}};
  }
}

// The convolution i with all that goes into its pass.
Step folded_conv(const Scheduler& all, size_t i) {
  Step step{Fusion::kFoldedConv, {i}};
  const auto take = [&](size_t next) {
    if (next != 0) step.nodes.push_back(next);
    return next != 0;
  };
  take(all.only(i, Op::kNorm));
  const size_t normed = step.nodes.size();
  take(all.only(step.last(), Op::kStochasticDepth));
  const size_t sum = all.only(step.last(), Op::kAdd);
  // The first of two convolutions that are added up takes the sum into its pass.
  if (sum != 0 && all.node(sum).inputs.front() == step.last() && take(sum)) {
    step.added = all.node(sum).inputs.back();
  } else {
    step.nodes.resize(normed);
  }
  step.relu = take(all.only(step.last(), Op::kReLU));
  const size_t pool = all.only(step.last(), Op::kMaxPool);
  step.concatenated = all.feeds(step.last(), Op::kConcat);
  step.pool = step.relu && step.added == 0 && pool != 0 && is_2x2(all.node(pool)) && take(pool);
  return step;
}

// What a dense block concatenates; its convolutions are folded as all others.
void add_dense_concats(Scheduler& all, const std::vector<size_t>& block) {
  for (size_t at = kDenseLayerNodes; at <= block.size(); at += kDenseLayerNodes) {
    Step step{Fusion::kDenseConcat, {block[at - 1]}};
    step.whole = block.back();
    all.add(std::move(step));
  }
}

}  // namespace

Schedule fused_schedule(const Graph& graph, bool watchable) {
  Scheduler all(graph);
  for (size_t i = 1; i < graph.nodes().size(); ++i) {
    if (!all.taken(i)) all.add(step_at(all, i, watchable));
  }
  return all.finish();
}

Schedule folded_schedule(const Graph& graph) {
  Scheduler all(graph);
  for (size_t i = 1; i <= graph.features(); ++i) {
    if (graph[i].op == Op::kConv) all.add(folded_conv(all, i));
  }
  for (size_t i = 1; i <= graph.features(); ++i) {
    if (all.taken(i)) continue;
    if (graph[i].op == Op::kNorm) add_dense_concats(all, dense_block_at(graph, i, /*watchable=*/false));
    const size_t relu = graph[i].op == Op::kNorm ? all.only(i, Op::kReLU) : 0;
    all.add(relu == 0 ? Step{Fusion::kNone, {i}} : Step{Fusion::kNormReLU, {i, relu}});
  }
  return all.finish();
}

}  // namespace covidct
