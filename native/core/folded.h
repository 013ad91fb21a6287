// A row of convolutions for prediction alone: batch norm folded into filters and bias, bias, ReLU and pool in the same pass,
// transformed filters kept from call to call.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "network.h"

namespace covidct {

// A 3 x 3 convolution of padding 1, the batch norm behind it (or null), a ReLU, and perhaps a 2 x 2 max pool.
struct FoldedLayer {
  at::Tensor weight, bias;
  const Norm* norm;
  bool pool;
};

class FoldedRow {
 public:
  explicit FoldedRow(ConvolutionKind kind) : kind_(kind) {}
  void add(FoldedLayer layer) { layers_.push_back({std::move(layer), {}, {}}); }

  // x as takes_fused has it; equal to the layers one after another in evaluation mode, to rounding. From the second call with
  // the same weights on it keeps the filters it has transformed: one call would not be worth the memory.
  at::Tensor run(at::Tensor x, ForwardPass& pass);
  // To be called when a weight or a running statistic has changed.
  void forget();
  // Of what is kept.
  int64_t bytes() const;

 private:
  struct Layer {
    FoldedLayer layer;
    at::Tensor filters;                // transformed; undefined where not kept
    std::optional<at::Tensor> weight;  // folded, for LibTorch's convolution; none where not kept
  };

  at::Tensor run(Layer& each, const at::Tensor& x, bool keep);

  ConvolutionKind kind_;
  std::vector<Layer> layers_;
  int64_t calls_ = 0;
};

}  // namespace covidct
