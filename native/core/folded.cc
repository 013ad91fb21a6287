#include "folded.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/max_pool2d.h>
#include <c10/core/GradMode.h>

#include "norm_relu.h"
#include "winograd.h"

namespace covidct {

namespace {

// With its filters transformed beforehand our own convolution wins from fewer tiles on.
constexpr int64_t kLeastTiles = 4, kLeastChannels = 32;

struct Fold {
  at::Tensor scale, bias;  // scale: undefined for none
};

Fold fold(const FoldedLayer& layer) {
  const at::Tensor bias = layer.bias.detach();
  if (layer.norm == nullptr) return {{}, bias};
  const Norm& norm = *layer.norm;
  const NormState state = norm_state(norm.weight.detach(), norm.bias.detach(), norm.mean, norm.variance, /*batch=*/false);
  return {state.scale, bias.mul(state.scale).add_(state.shift)};
}

TileGrid grid_of(const at::Tensor& x) { return {x.size(0), x.size(2), x.size(3)}; }

bool wins(const at::Tensor& x, const at::Tensor& weight) {
  return grid_of(x).tiles() >= kLeastTiles && weight.size(0) >= kLeastChannels && weight.size(1) >= kLeastChannels;
}

}  // namespace

at::Tensor FoldedRow::run(Layer& each, const at::Tensor& x, bool keep) {
  const at::Tensor& weight = each.layer.weight;
  const bool pool = each.layer.pool;
  const Fold folded = fold(each.layer);
  const at::Tensor from = weight.detach();
  if (kind_ == ConvolutionKind::kWinograd || wins(x, weight)) {
    Filters filters = filters_of(from, /*turned=*/false, nullptr);
    if (!each.filters.defined()) {
      at::Tensor memory = keep ? at::empty({filters.floats()}, from.options()) : at::Tensor();
      filters.data = keep ? memory.mutable_data_ptr<float>() : filter_scratch(filters);
      transform_filters(from, folded.scale, /*turned=*/false, filters);
      each.filters = memory;
    } else {
      filters.data = each.filters.mutable_data_ptr<float>();
    }
    return winograd_convolve({x, {}, {}, {}}, filters, {folded.bias, /*relu=*/true, pool}, winograd_plan(grid_of(x), filters.depth, filters.columns));
  }
  at::Tensor own = from;
  if (each.weight) own = *each.weight;
  else if (folded.scale.defined()) own = from.mul(folded.scale.view({-1, 1, 1, 1}));
  if (keep && !each.weight) each.weight = own;
  const at::Tensor y = at::conv2d(x, own, folded.bias, {1, 1}, {1, 1}).relu_();
  return pool ? at::max_pool2d(y, {2, 2}, {2, 2}) : y;
}

at::Tensor FoldedRow::run(at::Tensor x, ForwardPass& pass) {
  c10::AutoGradMode no_grad(false);
  const bool keep = ++calls_ > 1;
  for (Layer& each : layers_) x = after_layer("", run(each, x, keep), pass);
  return x;
}

void FoldedRow::forget() {
  calls_ = 0;
  for (Layer& each : layers_) {
    each.filters = at::Tensor();
    each.weight.reset();
  }
}

int64_t FoldedRow::bytes() const {
  int64_t total = 0;
  for (const Layer& each : layers_) {
    if (each.filters.defined()) total += static_cast<int64_t>(each.filters.nbytes());
    if (each.weight) total += static_cast<int64_t>(each.weight->nbytes());
  }
  return total;
}

}  // namespace covidct
