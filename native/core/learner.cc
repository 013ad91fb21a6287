#include "learner.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cstring>

#include "architectures.h"
#include "failure.h"
#include "grad_cam.h"
#include "scratch.h"

namespace covidct {

namespace {

std::vector<float> to_vector(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = flat.const_data_ptr<float>();
  return {data, data + flat.numel()};
}

at::Tensor to_labels(const std::vector<int64_t>& labels, c10::Device device) {
  return at::tensor(labels, at::kLong).to(device);
}

at::Generator make_generator(c10::Device device, uint64_t seed) {
  if (device.is_cpu()) return at::make_generator<at::CPUGeneratorImpl>(seed);
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  return generator;
}

bool strip_prefix(const std::string& name, const std::string& prefix, std::string& rest) {
  if (name.rfind(prefix, 0) != 0) return false;
  rest = name.substr(prefix.size());
  return true;
}

}  // namespace

Learner::Learner(const LearnerOptions& options, const std::atomic<bool>& stop)
    : stop_(stop), device_(choose_device(options.device)), channels_(options.channels) {
  c10::AutoGradMode no_grad(false);
  network_ = build_network(options.architecture, {options.classes, options.seed, options.dropout, options.channels,
                                                  to_convolution_kind(options.convolution)});
  for (NamedTensor& each : network_->tensors()) {
    if (!device_.device.is_cpu()) each.tensor.set_data(each.tensor.to(device_.device));
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

Outputs Learner::train_step(const Batch& batch, const TrainStepOptions& options) {
  const at::Tensor x = prepare(batch, device_.device, channels_);
  ForwardPass pass = training_pass(options);
  c10::AutoGradMode with_grad(true);
  return learn(network_->forward(x, pass), *batch.labels, options);
}

Outputs Learner::learn(const at::Tensor& logits, const std::vector<int64_t>& labels, const TrainStepOptions& options) {
  if (!logits.requires_grad()) {
    throw Failure("ERR_INVALID_OPTION", "no trainable parameter takes part in this step: all that run are frozen");
  }
  at::Tensor weights;
  if (!options.class_weights.empty()) weights = at::tensor(options.class_weights, at::kFloat).to(device_.device);
  const at::Tensor objective = at::cross_entropy_loss(logits, to_labels(labels, device_.device), weights, at::Reduction::Sum,
                                                      /*ignore_index=*/-100, options.label_smoothing)
                                   .div(options.divisor);
  objective.backward();
  Outputs result = outputs(logits.detach(), labels);
  result.objective = objective.item<double>();
  return result;
}

double Learner::optimizer_step(const OptimizerOptions& options) {
  const double norm = optimizer_->step(parameters_, options);
  zero_grad();
  return norm;
}

void Learner::zero_grad() {
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad() = at::Tensor();
}

void Learner::reset_optimizer() {
  optimizer_->reset();
  zero_grad();
}

Outputs Learner::predict(const Batch& batch) {
  c10::AutoGradMode no_grad(false);
  ForwardPass pass;
  pass.stop = &stop_;
  return outputs(network_->forward(prepare(batch, device_.device, channels_), pass), batch.labels.value_or(std::vector<int64_t>{}));
}

Outputs Learner::outputs(const at::Tensor& logits, const std::vector<int64_t>& labels) const {
  c10::AutoGradMode no_grad(false);
  Outputs result;
  result.logits = to_vector(logits);
  result.probabilities = to_vector(at::softmax(logits, 1));
  if (!labels.empty()) {
    result.losses = to_vector(at::cross_entropy_loss(logits, to_labels(labels, device_.device), {}, at::Reduction::None));
  }
  return result;
}

CamOutputs Learner::grad_cam(const Batch& batch, const std::string& layer, const std::vector<int64_t>& classes) {
  const GradCamResult cam = covidct::grad_cam(*network_, prepare(batch, device_.device, channels_), layer, classes, &stop_);
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
  const bool gradient = strip_prefix(name, "grad.", rest), momentum = !gradient && strip_prefix(name, "momentum.", rest);
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

void Learner::read(const std::string& path, const std::vector<TensorSource>& sources) {
  std::vector<at::Tensor> tensors;
  for (const TensorSource& source : sources) {
    std::string rest;
    if (strip_prefix(source.name, "grad.", rest) || strip_prefix(source.name, "momentum.", rest)) {
      throw Failure("ERR_WEIGHTS", "'" + source.name + "' can be written to a file, not read from one");
    }
    tensors.push_back(find(source.name));
  }
  // An average of other weights would be put back over these.
  average_.drop();
  read_tensors(path, sources, tensors);
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

int64_t Learner::bytes() const {
  int64_t total = optimizer_->bytes() + average_.bytes() + scratch_bytes();
  for (const NamedTensor& each : network_->tensors()) {
    total += static_cast<int64_t>(each.tensor.nbytes());
    if (each.is_parameter && each.tensor.grad().defined()) total += static_cast<int64_t>(each.tensor.grad().nbytes());
  }
  return total;
}

}  // namespace covidct
