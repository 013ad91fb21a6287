#include "core/kernels/folded.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/max_pool2d.h>
#include <c10/core/GradMode.h>

#include "core/kernels/norm_relu.h"
#include "core/kernels/packed_convolution.h"
#include "core/kernels/winograd.h"

namespace covidct {

namespace {

// With its filters transformed beforehand our own convolution wins from fewer tiles on.
constexpr int64_t kLeastTiles = 4, kLeastChannels = 32;

// Bounds beyond this are measured again: they grow with every layer, though the numbers do not.
constexpr double kLoose = 1e20;

Fold fold(const FoldedLayer& layer) {
  const at::Tensor bias = layer.bias.defined() ? layer.bias.detach() : at::Tensor();
  if (layer.norm == nullptr) return {{}, bias};
  const Norm& norm = *layer.norm;
  const NormState state =
      norm_state(norm.weight.detach(), norm.bias.detach(), norm.mean, norm.variance, /*batch=*/false);
  return {state.scale, bias.defined() ? bias.mul(state.scale).add_(state.shift) : state.shift};
}

// Bounds what a layer computes. Where the inputs' bounds lead to nothing, their true ones may.
double bound(const Gain& gain, const Bounded& x, const Bounded* added) {
  const auto reach = [&](double loose) {
    return gain.of(tightened(x, loose).most) + (added == nullptr ? 0 : tightened(*added, loose).most);
  };
  double most = reach(kUnproven);
  if (!(most <= kSafe)) most = reach(0);
  return most <= kSafe ? most : kUnproven;
}

bool winograd_is_faster(const at::Tensor& x, const at::Tensor& weight, ConvGeometry geometry) {
  return geometry.groups == 1 && weight.size(2) == 3 && weight.size(3) == 3 && geometry.stride == 1 &&
         geometry.padding == 1 && grid_of(x).tiles() >= kLeastTiles && weight.size(0) >= kLeastChannels &&
         weight.size(1) >= kLeastChannels;
}

}  // namespace

size_t Folded::add(FoldedLayer layer) {
  layers_.push_back({std::move(layer), {}, {}, {}});
  return layers_.size() - 1;
}

at::Tensor Folded::winograd_forward(Kept& kept, const Fold& folded, const at::Tensor& x, const at::Tensor& added) {
  const FoldedLayer& layer = kept.layer;
  const at::Tensor from = layer.weight.detach();
  Filters filters = filters_of(from, /*flipped=*/false, nullptr);
  if (kept.filters.defined()) {
    filters.data = kept.filters.mutable_data_ptr<float>();
  } else {
    at::Tensor memory;
    if (passes_ > 1) memory = at::empty({filters.floats()}, from.options());
    filters.data = memory.defined() ? memory.mutable_data_ptr<float>() : filter_scratch(filters);
    transform_filters(from, folded.scale, /*flipped=*/false, filters);
    kept.filters = memory;
  }
  const bool direct = !added.defined();
  at::Tensor y = winograd_convolve({x, {}, {}, {}}, filters, {folded.bias, direct && layer.relu, direct && layer.pool},
                                   winograd_plan(grid_of(x), filters.depth, filters.columns));
  if (direct) return y;
  y.add_(added);
  return layer.relu ? y.relu_() : y;
}

at::Tensor Folded::libtorch_forward(Kept& kept, const Fold& folded, const at::Tensor& x, const at::Tensor& added) {
  const FoldedLayer& layer = kept.layer;
  at::Tensor weight = kept.weight;
  if (!weight.defined()) {
    weight = layer.weight.detach();
    if (folded.scale.defined()) weight = weight.mul(folded.scale.view({-1, 1, 1, 1}));
    weight = pack_filters(weight, layer.geometry,
                          x);  // also where it is not kept: the first pass has the bits of all others
    if (passes_ > 1) kept.weight = weight;
  }
  const at::Tensor y = packed_convolution(x, weight, folded.bias, layer.geometry, added, layer.relu);
  return layer.pool ? at::max_pool2d(y, {2, 2}, {2, 2}) : y;
}

Bounded Folded::run(size_t number, const Bounded& x, const Bounded* added) {
  c10::AutoGradMode no_grad(false);
  Kept& kept = layers_[number];
  const Fold folded = fold(kept.layer);
  if (!kept.gain) kept.gain = gain_of(kept.layer.weight.detach(), folded.scale, folded.bias);
  const double most = bound(*kept.gain, x, added);
  // What LibTorch makes of one channel, which is in both formats at once, need not be channels last.
  const at::Tensor pixels = channels_last(x.x), sum = added == nullptr ? at::Tensor() : added->x;
  const bool owns = winograd_is_faster(pixels, kept.layer.weight, kept.layer.geometry) ||
                    is_own_convolution(pixels, kept.layer.weight, kept.layer.geometry, kind_);
  return tightened(
      {owns ? winograd_forward(kept, folded, pixels, sum) : libtorch_forward(kept, folded, pixels, sum), most}, kLoose);
}

Bounded Folded::norm_relu(const Bounded& x, Norm& norm) {
  c10::AutoGradMode no_grad(false);
  const NormState state =
      norm_state(norm.weight.detach(), norm.bias.detach(), norm.mean, norm.variance, /*batch=*/false);
  const auto [found, is_new] = norm_gains_.try_emplace(&norm);
  if (is_new) found->second = gain_of(state.scale, state.shift);
  const at::Tensor pixels = pixel_row(x.x) > 0 ? x.x : channels_last(x.x);
  return tightened({norm_relu_forward(pixels, state.scale, state.shift), bound(found->second, x, nullptr)}, kLoose);
}

void Folded::forget() {
  passes_ = 0;
  norm_gains_.clear();
  for (Kept& each : layers_) {
    each.filters = each.weight = at::Tensor();
    each.gain.reset();
  }
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
