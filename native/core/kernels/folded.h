// Convolutions for prediction alone: the batch norm behind each folded into filters and bias, what follows in the same
// pass, filters kept in the form that the kernels want.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <unordered_map>
#include <vector>

#include "core/kernels/bounds.h"
#include "core/kernels/convolution.h"
#include "core/kernels/norm.h"

namespace covidct {

// A convolution and what is done with its output: batch norm (or null), something added, a ReLU, a 2 x 2 max pool.
struct FoldedLayer {
  at::Tensor weight, bias;  // bias may be undefined
  const Norm* norm = nullptr;
  ConvGeometry geometry = {1, 1};
  bool relu = true;
  bool pool = false;
};

// A batch norm as factors and a bias of the convolution before it; either may be undefined.
struct Fold {
  at::Tensor scale, bias;
};

class Folded {
 public:
  explicit Folded(ConvolutionKind kind) : kind_(kind) {}
  // Returns the layer's index.
  size_t add(FoldedLayer layer);

  // Must be called before every pass. From the second pass with the same weights on, the layers keep their packed
  // filters: for one pass alone that would not be worth the memory.
  void begin() { ++passes_; }
  // x as supports_fused has it. Equal to the layers one after another in evaluation mode, to rounding, where the result
  // is proven to be. `added`: added to the output before the ReLU, where it is not null.
  Bounded run(size_t layer, const Bounded& x, const Bounded* added = nullptr);
  // Batch norm by running statistics and a ReLU, of what no convolution is folded with; x may be some channels of a
  // larger tensor.
  Bounded norm_relu(const Bounded& x, Norm& norm);
  // Must be called when a weight or a running statistic has changed.
  void forget();
  // Bytes of what is kept.
  int64_t bytes() const;

 private:
  struct Kept {
    FoldedLayer layer;
    at::Tensor filters;  // for our own convolution
    at::Tensor weight;   // for LibTorch's
    std::optional<Gain> gain;
  };

  at::Tensor winograd_forward(Kept& kept, const Fold& folded, const at::Tensor& x, const at::Tensor& added);
  at::Tensor libtorch_forward(Kept& kept, const Fold& folded, const at::Tensor& x, const at::Tensor& added);

  ConvolutionKind kind_;
  std::vector<Kept> layers_;
  std::unordered_map<const Norm*, Gain> norm_gains_;
  int64_t passes_ = 0;
};

}  // namespace covidct
