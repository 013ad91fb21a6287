// The order in which the nodes of a graph are computed, and which of them together: found in the list by patterns, so
// that every network has the same fused and folded passes.
#pragma once

#include <cstddef>
#include <vector>

#include "core/nn/graph.h"

namespace covidct {

enum class Fusion {
  kNone,          // one node
  kConvReLU,      // convolution, ReLU
  kNormReLU,      // norm, ReLU
  kNormReLUPool,  // norm, ReLU, 2 x 2 max pool
  kNormReLUConv,  // norm, ReLU, convolution
  kDenseBlock,    // all layers of a dense block
  kDenseConcat,   // a concatenation of a dense block, in prediction
  kLinearReLU,    // linear, ReLU, in evaluation mode
  kFoldedConv,    // convolution with what is folded into its pass: norm, sum, ReLU, 2 x 2 max pool
};

// What is computed at once: its first node's input goes in, its last node's output comes out.
struct Step {
  Fusion fusion;
  std::vector<size_t> nodes;
  std::vector<size_t> release = {};  // values that no later step takes
  // kFoldedConv only: the layer's number in Folded, set by the network; the node whose value is added, or none (0).
  size_t folded = 0, added = 0;
  bool relu = false, pool = false, concatenated = false;
  // kDenseConcat only: the last concatenation of the block, in whose memory all are.
  size_t whole = 0;
  size_t first() const { return nodes.front(); }
  size_t last() const { return nodes.back(); }
};

using Schedule = std::vector<Step>;

// Every pass, in training and in evaluation mode. With `watchable` no step computes past a layer that can be looked at.
Schedule fused_schedule(const Graph& graph, bool watchable);
// The backbone of a prediction: batch norms are folded into convolutions, dropouts are left out.
Schedule folded_schedule(const Graph& graph);

}  // namespace covidct
