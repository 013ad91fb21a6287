// Dense blocks in a list of nodes.
#pragma once

#include <cstddef>
#include <vector>

#include "core/nn/graph.h"

namespace covidct {

// Of a layer: norm, ReLU, 1 x 1 convolution, norm, ReLU, convolution, and the concatenation of all maps so far.
constexpr size_t kDenseLayerNodes = 7;

// The nodes of the dense block whose first norm is `norm`, layer by layer; none where it begins no block. With
// `watchable` the block ends with a layer that can be looked at, and none is inside.
std::vector<size_t> dense_block_at(const Graph& graph, size_t norm, bool watchable);

}  // namespace covidct
