#include "core/training/learner.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <cstring>

#include "core/kernels/scratch.h"
#include "core/nn/grad_cam.h"
#include "core/nn/registry.h"
#include "core/runtime/failure.h"
#include "core/runtime/transfer.h"

namespace covidct {

namespace {

at::Generator make_generator(c10::Device device, uint64_t seed) {
  if (device.is_cpu()) return at::make_generator<at::CPUGeneratorImpl>(seed);
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  return generator;
}

// Positions among the outputs of a step.
constexpr size_t kLosses = 2, kObjective = 3;

}  // namespace

Learner::Learner(const LearnerOptions& options, const std::atomic<bool>& stop)
    : stop_(stop),
      device_(choose_device(options.device)),
      channels_(options.channels),
      precision_(to_precision(options.precision)),
      undefined_(!options.random) {
  require_precision(precision_, device_);
  const ConvolutionKind convolution = to_convolution_kind(options.convolution, precision_);
  tf32_ = std::make_unique<Tf32Hold>(precision_, device_.device);
  set_up(device_.device);
  c10::AutoGradMode no_grad(false);
  network_ = build_network(options.architecture, {options.classes, options.seed, options.dropout, options.channels,
                                                  convolution, options.random});
  for (NamedTensor& each : network_->tensors()) {
    if (!device_.device.is_cpu()) each.tensor.set_data(place(each.tensor, device_.device));
    if (!each.is_parameter) continue;
    each.tensor.requires_grad_(true);
    parameters_.push_back(each.tensor);
    parameter_names_.push_back(each.name);
  }
  optimizer_ = std::make_unique<Optimizer>(parameter_names_);
}

ForwardPass Learner::training_pass(const TrainStepOptions& options) const {
  ForwardPass pass;
  pass.training = true;
  pass.dropout = make_generator(device_.device, options.dropout_seed);
  pass.stop = &stop_;
  return pass;
}

std::optional<Outputs> Learner::train_step(const Input& input, const TrainStepOptions& options) {
  Readback step = run_step(input, options);
  if (!options.deferred) return read(std::move(step));
  enqueue(std::move(step));
  return std::nullopt;
}

Readback Learner::run_step(const Input& input, const TrainStepOptions& options) {
  const auto* batch = std::get_if<Batch>(&input);
  if (batch != nullptr) network_->weights_changed();  // The step updates the running statistics of batch norms.
  try {
    const at::Tensor x = batch != nullptr ? prepare(*batch, device_.device, channels_) : at::Tensor();
    ForwardPass pass = training_pass(options);
    c10::AutoGradMode with_grad(true);
    if (batch != nullptr) return backward(forward(x, pass), *batch->labels, options);
    const auto& features = std::get<Features>(input);
    return backward(head(features, pass), features.labels, options);
  } catch (...) {
    zero_grad();
    throw;
  }
}

at::Tensor Learner::forward(const at::Tensor& x, ForwardPass& pass) const {
  const Autocast autocast(precision_, device_.device.type());
  return network_->forward(x, pass).to(at::kFloat);
}

Readback Learner::backward(const at::Tensor& logits, const std::vector<int64_t>& labels,
                           const TrainStepOptions& options) {
  if (!logits.requires_grad()) {
    throw Failure("ERR_INVALID_OPTION", "no trainable parameter takes part in this step: all that run are frozen");
  }
  at::Tensor weights;
  if (!options.class_weights.empty())
    weights = to_device(at::tensor(options.class_weights, at::kFloat), device_.device);
  const at::Tensor targets = to_labels(labels);
  const at::Tensor objective = at::cross_entropy_loss(logits, targets, weights, at::Reduction::Sum,
                                                      /*ignore_index=*/-100, options.label_smoothing)
                                   .div(options.divisor);
  // Queued before backward(), so that readers wait for the forward pass only.
  Readback outputs = to_readback(logits.detach(), targets, objective.detach());
  objective.backward();
  return outputs;
}

void Learner::enqueue(Readback step) {
  c10::AutoGradMode no_grad(false);
  const at::Tensor not_finite =
      step.tensor(kLosses).sum().add_(step.tensor(kObjective)).isfinite().logical_not().to(at::kFloat);
  found_inf_ = found_inf_.defined() ? at::maximum(found_inf_, not_finite) : not_finite;
  pending_outputs_.push_back(std::move(step));
}

Outputs Learner::read_outputs() {
  if (pending_outputs_.empty()) throw Failure("ERR_NATIVE", "the outputs of every deferred step have been read");
  Readback oldest = std::move(pending_outputs_.front());
  pending_outputs_.pop_front();
  return read(std::move(oldest));
}

void Learner::configure_optimizer(std::optional<OptimizerOptions> options) {
  if (options)
    optimizer_->configure(std::move(*options));
  else
    optimizer_->clear();
  pending_outputs_.clear();
  found_inf_ = at::Tensor();
  zero_grad();
  release();
}

std::optional<double> Learner::optimizer_step(double learning_rate) {
  network_->weights_changed();
  const double norm = optimizer_->step(parameters_, learning_rate, found_inf_);
  zero_grad();
  return optimizer_->clips() ? std::optional(norm) : std::nullopt;
}

void Learner::zero_grad() {
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad() = at::Tensor();
}

void Learner::average(AverageOp op, double decay) {
  switch (op) {
    case AverageOp::kUpdate:
      return average_.update(network_->tensors(), decay, found_inf_);
    case AverageOp::kSwap:
      network_->weights_changed();
      return average_.swap(network_->tensors());
    case AverageOp::kDrop:
      return average_.drop();
  }
}

Outputs Learner::predict(const Input& input) {
  c10::AutoGradMode no_grad(false);
  ForwardPass pass;
  pass.stop = &stop_;
  if (const auto* features = std::get_if<Features>(&input)) {
    return to_outputs(to_readback(head(*features, pass), to_labels(features->labels)), !features->labels.empty());
  }
  const auto& batch = std::get<Batch>(input);
  const std::vector<int64_t> labels = batch.labels.value_or(std::vector<int64_t>{});
  const at::Tensor x = prepare(batch, device_.device, channels_);
  const at::Tensor logits = [&] {
    const Autocast autocast(precision_, device_.device.type());
    return network_->predict(x, pass).to(at::kFloat);
  }();
  return to_outputs(to_readback(logits, to_labels(labels)), !labels.empty());
}

at::Tensor Learner::to_labels(const std::vector<int64_t>& labels) const {
  return labels.empty() ? at::Tensor() : to_device(at::tensor(labels, at::kLong), device_.device);
}

Readback Learner::to_readback(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& objective) const {
  c10::AutoGradMode no_grad(false);
  std::vector<at::Tensor> parts = {logits, at::softmax(logits, 1)};
  if (labels.defined()) parts.push_back(at::cross_entropy_loss(logits, labels, {}, at::Reduction::None));
  if (objective.defined()) parts.push_back(objective);
  return Readback(std::move(parts));
}

Outputs Learner::to_outputs(Readback readback, bool labeled) {
  std::vector<std::vector<float>> parts = readback.wait();
  Outputs result{std::move(parts[0]), std::move(parts[1]), {}};
  if (labeled) result.losses = std::move(parts[kLosses]);
  if (parts.size() == 4) result.objective = parts[kObjective].front();
  return result;
}

CamOutputs Learner::grad_cam(const Batch& batch, const std::string& layer, const std::vector<int64_t>& classes) {
  const GradCamResult cam =
      covidct::grad_cam(*network_, prepare(batch, device_.device, channels_), layer, classes, precision_, &stop_);
  return {to_vector(cam.maps), cam.maps.size(1), cam.maps.size(2), to_vector(cam.logits),
          to_vector(at::softmax(cam.logits, 1))};
}

std::vector<float> Learner::input(const Batch& batch, const InputOptions& options) {
  const auto format = options.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  const at::Tensor x = prepare(batch, device_.device, channels_, format);
  return options.discard ? std::vector<float>() : to_vector(x);
}

void Learner::release() {
  network_->weights_changed();
  arena_.trim();
}

int64_t Learner::held_bytes() const { return bytes() + scratch_bytes() + arena_.idle_bytes(); }

int64_t Learner::bytes() const {
  int64_t total = optimizer_->bytes() + average_.bytes() + network_->prepared_bytes();
  for (const NamedTensor& each : network_->tensors()) {
    total += static_cast<int64_t>(each.tensor.nbytes());
    if (each.is_parameter && each.tensor.grad().defined()) total += static_cast<int64_t>(each.tensor.grad().nbytes());
  }
  return total;
}

}  // namespace covidct
