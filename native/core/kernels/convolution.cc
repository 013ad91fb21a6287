#include "core/kernels/convolution.h"

#include <ATen/Parallel.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/threshold_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/kernels/norm_relu.h"
#include "core/kernels/winograd.h"
#include "core/runtime/failure.h"

namespace covidct {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

#ifdef INTRA_OP_PARALLEL
constexpr bool kThreaded = true;
#else
constexpr bool kThreaded = false;
#endif

// Fewer tiles leave the products too short; fewer channels leave too little to save.
constexpr int64_t kLeastTiles = 32, kLeastChannels = 32;
// With fewer, our filter gradient's rounding error is more than three times that of LibTorch's short sums (npm run
// bench:layers).
constexpr int64_t kLeastGradientTiles = 128;

bool is_3x3(const at::Tensor& x, const at::Tensor& weight, ConvGeometry geometry) {
  return weight.size(2) == 3 && weight.size(3) == 3 && geometry.stride == 1 && geometry.padding == 1 &&
         geometry.groups == 1 && x.is_cpu() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat;
}

bool winograd_is_faster(const at::Tensor& x, const at::Tensor& weight) {
  return grid_of(x).tiles() >= kLeastTiles && weight.size(0) >= kLeastChannels && weight.size(1) >= kLeastChannels;
}

class Winograd : public torch::autograd::Function<Winograd> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, bool relu, ConvolutionKind kind) {
    const at::Tensor input = channels_last(x);
    const WinogradPlan plan = winograd_plan(grid_of(input), weight.size(1), weight.size(0));
    at::Tensor y = winograd_convolve({input, {}, {}, {}}, winograd_filters(weight, /*flipped=*/false),
                                     {bias.value_or(at::Tensor()), relu}, plan);
    variable_list kept = {input, weight};
    if (relu) kept.push_back(y);
    context->save_for_backward(std::move(kept));
    context->saved_data["biased"] = bias.has_value();
    context->saved_data["kind"] = static_cast<int64_t>(kind);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const WinogradInput g{channels_last(gradients[0]), {}, {}, saved.size() > 2 ? saved[2] : at::Tensor()};
    const int64_t in = weight.size(1), out = weight.size(0);
    Variable of_x, of_weight, of_bias;
    if (context->needs_input_grad(0))
      of_x = winograd_convolve(g, winograd_filters(weight, /*flipped=*/true), {}, winograd_plan(grid_of(x), out, in));
    if (context->needs_input_grad(1))
      of_weight = filter_gradient({x, {}, {}, {}}, g, weight,
                                  static_cast<ConvolutionKind>(context->saved_data["kind"].toInt()));
    if (context->saved_data["biased"].toBool() && context->needs_input_grad(2)) of_bias = channel_sums(g.x, g.active);
    return {of_x, of_weight, of_bias, Variable(), Variable()};
  }
};

at::Tensor winograd_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool relu,
                            ConvolutionKind kind) {
  return Winograd::apply(x, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt, relu, kind);
}

}  // namespace

at::Tensor channels_last(const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

ConvolutionKind to_convolution_kind(const std::string& name, Precision precision) {
  const bool bf16 = precision == Precision::kBf16;
  // Compiled without OpenMP our loops have one thread, and LibTorch's convolutions all of them.
  if (name == "auto")
    return bf16 || !(kThreaded || at::get_num_threads() == 1) ? ConvolutionKind::kLibTorch : ConvolutionKind::kAuto;
  if (name == "libtorch") return ConvolutionKind::kLibTorch;
  if (name == "winograd" && bf16) {
    throw Failure("ERR_INVALID_OPTION",
                  "convolution 'winograd' computes in float32; with precision 'bf16' use 'auto' or 'libtorch'");
  }
  if (name == "winograd") return ConvolutionKind::kWinograd;
  throw Failure("ERR_INVALID_OPTION", "expected a convolution of auto, libtorch, winograd; got '" + name + "'");
}

at::Tensor to_layout(const at::Tensor& x, ConvolutionKind kind) {
  return kind == ConvolutionKind::kLibTorch && x.is_cpu() ? x : channels_last(x);
}

bool is_own_convolution(const at::Tensor& x, const at::Tensor& weight, ConvGeometry geometry, ConvolutionKind kind) {
  return kind != ConvolutionKind::kLibTorch && is_3x3(x, weight, geometry) &&
         (kind == ConvolutionKind::kWinograd || winograd_is_faster(x, weight));
}

at::Tensor filter_gradient(const WinogradInput& input, const WinogradInput& gradient, const at::Tensor& weight,
                           ConvolutionKind kind) {
  const TileGrid grid = grid_of(input.x);
  if (kind == ConvolutionKind::kWinograd || grid.tiles() >= kLeastGradientTiles) {
    return winograd_filter_gradient(input, gradient, winograd_gradient_plan(grid, weight.size(1), weight.size(0)));
  }
  const at::Tensor x = input.scale.defined() ? norm_relu_forward(input.x, input.scale, input.shift) : input.x;
  const at::Tensor g = gradient.active.defined() ? at::threshold_backward(gradient.x, gradient.active, 0) : gradient.x;
  return std::get<1>(at::convolution_backward(g, x, weight, c10::nullopt, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1,
                                              {false, true, false}))
      .contiguous();
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, ConvGeometry geometry,
                    ConvolutionKind kind) {
  if (is_own_convolution(x, weight, geometry, kind)) return winograd_forward(x, weight, bias, /*relu=*/false, kind);
  return at::conv2d(x, weight, bias, {geometry.stride, geometry.stride}, {geometry.padding, geometry.padding}, {1, 1},
                    geometry.groups);
}

at::Tensor convolve_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, ConvGeometry geometry,
                         ConvolutionKind kind) {
  if (is_own_convolution(x, weight, geometry, kind)) return winograd_forward(x, weight, bias, /*relu=*/true, kind);
  return convolve(x, weight, bias, geometry, kind).relu_();
}

}  // namespace covidct
