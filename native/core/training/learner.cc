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
#include <ATen/ops/zeros_like.h>
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

// Positions among a step's figures.
constexpr size_t kLosses = 2, kObjective = 3;

bool strip_prefix(const std::string& name, const std::string& prefix, std::string& rest) {
  if (name.rfind(prefix, 0) != 0) return false;
  rest = name.substr(prefix.size());
  return true;
}

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

Readback Learner::run_step(const Batch& batch, const TrainStepOptions& options) {
  network_->weights_changed();  // batch norm's running statistics
  return whole_or_nothing([&] {
    const at::Tensor x = prepare(batch, device_.device, channels_);
    ForwardPass pass = training_pass(options);
    c10::AutoGradMode with_grad(true);
    return learn(forward(x, pass), *batch.labels, options);
  });
}

at::Tensor Learner::forward(const at::Tensor& x, ForwardPass& pass) const {
  const Autocast autocast(precision_, device_.device.type());
  return network_->forward(x, pass).to(at::kFloat);
}

Readback Learner::learn(const at::Tensor& logits, const std::vector<int64_t>& labels, const TrainStepOptions& options) {
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
  // Before the backward pass: who waits for it waits for the forward pass alone.
  Readback coming = figures(logits.detach(), targets, objective.detach());
  objective.backward();
  return coming;
}

void Learner::later(Readback step) {
  c10::AutoGradMode no_grad(false);
  const at::Tensor unusable =
      step.tensor(kLosses).sum().add_(step.tensor(kObjective)).isfinite().logical_not().to(at::kFloat);
  halt_ = halt_.defined() ? at::maximum(halt_, unusable) : unusable;
  coming_.push_back(std::move(step));
}

Outputs Learner::fetch_outputs() {
  if (coming_.empty()) throw Failure("ERR_NATIVE", "every step's outputs have been fetched");
  Readback oldest = std::move(coming_.front());
  coming_.pop_front();
  return now(std::move(oldest));
}

double Learner::optimizer_step(const OptimizerOptions& options) {
  network_->weights_changed();
  const double norm = optimizer_->step(parameters_, options, halt_);
  zero_grad();
  return norm;
}

void Learner::zero_grad() {
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad() = at::Tensor();
}

void Learner::reset_optimizer() {
  optimizer_->reset();
  coming_.clear();
  halt_ = at::Tensor();
  zero_grad();
  release();
}

Outputs Learner::predict(const Batch& batch) {
  c10::AutoGradMode no_grad(false);
  ForwardPass pass;
  pass.stop = &stop_;
  const std::vector<int64_t> labels = batch.labels.value_or(std::vector<int64_t>{});
  const at::Tensor x = prepare(batch, device_.device, channels_);
  const at::Tensor logits = [&] {
    const Autocast autocast(precision_, device_.device.type());
    return network_->predict(x, pass).to(at::kFloat);
  }();
  return to_outputs(figures(logits, to_labels(labels)), !labels.empty());
}

at::Tensor Learner::to_labels(const std::vector<int64_t>& labels) const {
  return labels.empty() ? at::Tensor() : to_device(at::tensor(labels, at::kLong), device_.device);
}

Readback Learner::figures(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& objective) const {
  c10::AutoGradMode no_grad(false);
  std::vector<at::Tensor> parts = {logits, at::softmax(logits, 1)};
  if (labels.defined()) parts.push_back(at::cross_entropy_loss(logits, labels, {}, at::Reduction::None));
  if (objective.defined()) parts.push_back(objective);
  return Readback(std::move(parts));
}

Outputs Learner::to_outputs(Readback figures, bool labeled) {
  std::vector<std::vector<float>> parts = figures.wait();
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

std::vector<float> Learner::pixels(const Batch& batch, at::MemoryFormat format) {
  return to_vector(prepare(batch, device_.device, channels_, format));
}

int64_t Learner::prepare_input(const Batch& batch) {
  return static_cast<int64_t>(prepare(batch, device_.device, channels_).nbytes());
}

at::Tensor Learner::find(const std::string& name) const {
  std::string rest;
  const bool gradient = strip_prefix(name, "grad.", rest),
             momentum = !gradient && strip_prefix(name, "momentum.", rest);
  if (gradient || momentum) {
    for (size_t i = 0; i < parameters_.size(); ++i) {
      if (parameter_names_[i] != rest) continue;
      const at::Tensor found = gradient ? parameters_[i].grad() : optimizer_->momentum(i);
      return found.defined() ? found : at::zeros_like(parameters_[i].detach());
    }
  }
  for (const NamedTensor& each : network_->tensors()) {
    if (each.name == name) return each.tensor;
  }
  throw Failure("ERR_WEIGHTS", "the network has no tensor '" + name + "'");
}

void Learner::write(const std::string& path, int64_t offset, const std::vector<std::string>& names) {
  std::vector<at::Tensor> tensors;
  for (const std::string& name : names) tensors.push_back(find(name));
  write_tensors(path, offset, tensors);
}

void Learner::read(const std::string& path, const std::vector<TensorSource>& sources, bool allow_not_finite) {
  std::vector<at::Tensor> tensors;
  for (const TensorSource& source : sources) {
    std::string rest;
    if (strip_prefix(source.name, "grad.", rest) || strip_prefix(source.name, "momentum.", rest)) {
      throw Failure("ERR_WEIGHTS", "'" + source.name + "' can be written to a file, not read from one");
    }
    tensors.push_back(find(source.name));
  }
  release();
  read_tensors(path, sources, tensors, {allow_not_finite, undefined_});
  undefined_ = false;
  // An average of other weights would be put back over these.
  average_.drop();
}

std::vector<TensorInfo> Learner::tensors() const {
  std::vector<TensorInfo> infos;
  for (const NamedTensor& each : network_->tensors()) {
    infos.push_back({each.name, dtype_name(each.tensor.scalar_type()), each.tensor.sizes().vec(), each.is_parameter});
  }
  return infos;
}

int64_t Learner::parameter_count() const {
  int64_t total = 0;
  for (const at::Tensor& each : parameters_) total += each.numel();
  return total;
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
