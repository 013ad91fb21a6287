// A dense block: every layer reads the maps of all before it, which none of them copies.
#pragma once

#include <functional>
#include <vector>

#include "core/kernels/convolution.h"
#include "core/kernels/norm.h"

namespace covidct {

// Batch norm, ReLU and a convolution of 1 x 1 of all maps so far, then batch norm, ReLU and a convolution of as large
// an output as its input; neither has a bias.
struct DenseLayer {
  Norm* norm;
  at::Tensor narrow;
  Norm* narrow_norm;
  at::Tensor weight;
  ConvGeometry geometry;
};

// x and the maps of all layers, [n, c, h, w]. Equal to the layers one after another to rounding, which run where our
// own kernels do not apply. Differentiable once. `after_layer` is called after each.
at::Tensor dense_block(const at::Tensor& x, const std::vector<DenseLayer>& layers, bool training, ConvolutionKind kind,
                       const std::function<void()>& after_layer);

}  // namespace covidct
