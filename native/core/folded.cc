#include "folded.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/max_pool2d.h>
#include <c10/core/GradMode.h>

#include "norm_relu.h"
#include "packed_convolution.h"
#include "winograd.h"

namespace covidct {

namespace {

// With its filters transformed beforehand our own convolution wins from fewer tiles on.
constexpr int64_t kLeastTiles = 4, kLeastChannels = 32;

struct Fold {
  at::Tensor scale, bias;  // either may be undefined
};

Fold fold(const FoldedLayer& layer) {
  const at::Tensor bias = layer.bias.defined() ? layer.bias.detach() : at::Tensor();
  if (layer.norm == nullptr) return {{}, bias};
  const Norm& norm = *layer.norm;
  const NormState state = norm_state(norm.weight.detach(), norm.bias.detach(), norm.mean, norm.variance, /*batch=*/false);
  return {state.scale, bias.defined() ? bias.mul(state.scale).add_(state.shift) : state.shift};
}

bool wins(const at::Tensor& x, const at::Tensor& weight, Stride stride) {
  return weight.size(2) == 3 && weight.size(3) == 3 && stride.stride == 1 && stride.padding == 1 && grid_of(x).tiles() >= kLeastTiles &&
         weight.size(0) >= kLeastChannels && weight.size(1) >= kLeastChannels;
}

}  // namespace

size_t Folded::add(FoldedLayer layer) {
  layers_.push_back({std::move(layer), {}, {}});
  return layers_.size() - 1;
}

at::Tensor Folded::own(Kept& kept, const at::Tensor& x, const at::Tensor& added) {
  const FoldedLayer& layer = kept.layer;
  const Fold folded = fold(layer);
  const at::Tensor from = layer.weight.detach();
  Filters filters = filters_of(from, /*turned=*/false, nullptr);
  if (kept.filters.defined()) {
    filters.data = kept.filters.mutable_data_ptr<float>();
  } else {
    at::Tensor memory;
    if (passes_ > 1) memory = at::empty({filters.floats()}, from.options());
    filters.data = memory.defined() ? memory.mutable_data_ptr<float>() : filter_scratch(filters);
    transform_filters(from, folded.scale, /*turned=*/false, filters);
    kept.filters = memory;
  }
  const bool direct = !added.defined();
  at::Tensor y = winograd_convolve({x, {}, {}, {}}, filters, {folded.bias, direct && layer.relu, direct && layer.pool},
                                   winograd_plan(grid_of(x), filters.depth, filters.columns));
  if (direct) return y;
  y.add_(added);
  return layer.relu ? y.relu_() : y;
}

at::Tensor Folded::libtorchs(Kept& kept, const at::Tensor& x, const at::Tensor& added) {
  const FoldedLayer& layer = kept.layer;
  const Fold folded = fold(layer);
  at::Tensor weight = kept.weight;
  if (!weight.defined()) {
    weight = layer.weight.detach();
    if (folded.scale.defined()) weight = weight.mul(folded.scale.view({-1, 1, 1, 1}));
    weight = pack_filters(weight, layer.stride, x);  // also where it is not kept: the first pass has the bits of all others
    if (passes_ > 1) kept.weight = weight;
  }
  const at::Tensor y = packed_convolution(x, weight, folded.bias, layer.stride, added, layer.relu);
  return layer.pool ? at::max_pool2d(y, {2, 2}, {2, 2}) : y;
}

at::Tensor Folded::run(size_t number, const at::Tensor& x, const at::Tensor& added) {
  c10::AutoGradMode no_grad(false);
  Kept& kept = layers_[number];
  // What LibTorch makes of one channel, which is in both formats at once, need not be channels last.
  const at::Tensor pixels = channels_last(x);
  const bool owns = wins(pixels, kept.layer.weight, kept.layer.stride) || is_own_convolution(pixels, kept.layer.weight, kept.layer.stride, kind_);
  return owns ? own(kept, pixels, added) : libtorchs(kept, pixels, added);
}

void Folded::forget() {
  passes_ = 0;
  for (Kept& each : layers_) each.filters = each.weight = at::Tensor();
}

int64_t Folded::bytes() const {
  int64_t total = 0;
  for (const Kept& each : layers_) {
    if (each.filters.defined()) total += static_cast<int64_t>(each.filters.nbytes());
    if (each.weight.defined()) total += each.layer.weight.numel() * static_cast<int64_t>(sizeof(float));
  }
  return total;
}

}  // namespace covidct
