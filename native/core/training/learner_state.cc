// The part of the learner that moves tensors between files, the network and what a training has beside it.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <unordered_map>
#include <utility>

#include "core/runtime/failure.h"
#include "core/training/learner.h"

namespace covidct {

namespace {

template <typename Named>
std::unordered_map<std::string, Named*> by_name(std::vector<Named>& all) {
  std::unordered_map<std::string, Named*> map;
  for (Named& each : all) map.emplace(each.name, &each);
  return map;
}

at::Tensor kept_empty_like(const at::Tensor& tensor) {
  const Arena::Pause pause;
  return at::empty_like(tensor);
}

// Groups beside those of the parameters' positions.
constexpr int64_t kAlone = -1, kAverage = -2;

// Throws ERR_WEIGHTS where a group is there in part: nothing could go on from that.
void require_whole(const std::vector<StateSlot>& all) {
  std::unordered_map<int64_t, const StateSlot*> present;
  for (const StateSlot& slot : all) {
    if (slot.tensor->defined()) present.emplace(slot.group, &slot);
  }
  for (const StateSlot& slot : all) {
    const auto other = present.find(slot.group);
    if (slot.group == kAlone || !slot.possible || slot.tensor->defined() || other == present.end()) continue;
    throw Failure("ERR_WEIGHTS", "expected '" + slot.name + "' beside '" + other->second->name +
                                     "'; it is not among the sources. Name all tensors that belong together, or none");
  }
}

}  // namespace

TrainingState Learner::state() const {
  TrainingState state{{}, optimizer_->states(), average_.values()};
  for (const at::Tensor& parameter : parameters_) state.gradients.push_back(parameter.grad());
  return state;
}

std::vector<StateSlot> Learner::slots(TrainingState& state) const {
  const std::vector<NamedTensor>& tensors = network_->tensors();
  state.gradients.resize(parameters_.size());
  state.optimizer.resize(parameters_.size());
  state.average.resize(tensors.size());
  const at::Tensor scalar = at::empty({}, parameters_.front().detach().options());
  std::vector<StateSlot> all;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    all.push_back({"grad." + parameter_names_[i], &state.gradients[i], parameters_[i].detach(),
                   parameters_[i].requires_grad(), kAlone});
  }
  for (const auto& [name, field] : kOptimizerState) {
    for (size_t i = 0; i < parameters_.size(); ++i) {
      all.push_back({std::string(name) + "." + parameter_names_[i], &(state.optimizer[i].*field),
                     field == &OptimizerState::steps ? scalar : parameters_[i].detach(),
                     parameters_[i].requires_grad() && optimizer_->keeps(field), static_cast<int64_t>(i)});
    }
  }
  for (size_t i = 0; i < tensors.size(); ++i)
    all.push_back({"average." + tensors[i].name, &state.average[i], tensors[i].tensor.detach(), true, kAverage});
  return all;
}

void Learner::require_not_swapped() const {
  if (!average_.swapped()) return;
  throw Failure("ERR_INVALID_OPTION",
                "expected the trained weights in place; got their average. Swap them back, then ask for the state of "
                "the training");
}

std::vector<TensorInfo> Learner::training_state() const {
  require_not_swapped();
  TrainingState present = state();
  std::vector<TensorInfo> infos;
  for (const StateSlot& slot : slots(present)) {
    if (!slot.tensor->defined()) continue;
    infos.push_back({slot.name, dtype_name(slot.tensor->scalar_type()), slot.tensor->sizes().vec(), "state"});
  }
  return infos;
}

std::vector<Learner::Found> Learner::find(const std::vector<std::string>& names) const {
  const auto own = by_name(network_->tensors());
  TrainingState present;
  std::vector<StateSlot> all;
  std::unordered_map<std::string, StateSlot*> places;
  std::vector<Found> found;
  for (const std::string& name : names) {
    if (const auto tensor = own.find(name); tensor != own.end()) {
      found.push_back({tensor->second->tensor, tensor->second->is_parameter});
      continue;
    }
    if (places.empty()) {
      present = state();
      all = slots(present);
      places = by_name(all);
    }
    const auto place = places.find(name);
    if (place == places.end()) throw Failure("ERR_WEIGHTS", "the network has no tensor '" + name + "'");
    const StateSlot& slot = *place->second;
    if (slot.group == kAverage) require_not_swapped();
    if (slot.group == kAverage && !slot.tensor->defined())
      throw Failure("ERR_WEIGHTS", "there is no average, and so no '" + name + "'; update the average first");
    if (slot.tensor->defined())
      found.push_back({*slot.tensor, /*steady=*/slot.group != kAlone});  // Gradients are added in place.
    else
      found.push_back({at::zeros_like(slot.like), /*steady=*/true});
  }
  return found;
}

void Learner::write(const std::string& path, int64_t offset, const std::vector<std::string>& names) {
  std::vector<at::Tensor> tensors;
  for (Found& each : find(names)) tensors.push_back(std::move(each.tensor));
  write_tensors(path, offset, tensors);
}

void Learner::begin_write(const std::string& path, int64_t offset, const std::vector<std::string>& names,
                          std::shared_ptr<void> hold) {
  c10::AutoGradMode no_grad(false);
  const Arena::Pause pause;  // The copies stay for longer than a step.
  std::vector<at::Tensor> tensors;
  for (const Found& each : find(names)) {
    const at::Tensor tensor = each.tensor.detach();
    tensors.push_back(each.steady ? tensor : tensor.to(at::kCPU, /*non_blocking=*/false, /*copy=*/true));
  }
  writer_.begin(path, offset, std::move(tensors), std::move(hold));
}

void Learner::read(const std::string& path, const std::vector<TensorSource>& sources, const ReadOptions& options) {
  if (options.restore && !optimizer_->configured()) {
    throw Failure("ERR_INVALID_OPTION",
                  "there is no optimizer whose state could be restored: call configureOptimizer() before readTensors() "
                  "with restore");
  }
  TrainingState next;
  const std::vector<Destination> places = destinations(sources, options, next);
  release();
  read_tensors(path, sources, places);
  undefined_ = false;
  if (options.restore)
    restore(std::move(next));
  else
    average_.drop();  // An average of other weights would be put back over these.
}

std::vector<Destination> Learner::destinations(const std::vector<TensorSource>& sources, const ReadOptions& options,
                                               TrainingState& next) const {
  const auto own = by_name(network_->tensors());
  std::vector<StateSlot> all = slots(next);
  const auto places = by_name(all);
  std::vector<Destination> result;
  for (const TensorSource& source : sources) {
    if (const auto tensor = own.find(source.name); tensor != own.end()) {
      result.push_back({tensor->second->tensor, !options.allow_not_finite, /*valued=*/!undefined_});
      continue;
    }
    const auto place = places.find(source.name);
    if (place == places.end()) throw Failure("ERR_WEIGHTS", "the network has no tensor '" + source.name + "'");
    if (!options.restore) {
      throw Failure("ERR_WEIGHTS", "expected names of the network's own tensors; got '" + source.name +
                                       "', which is read with restore alone");
    }
    const StateSlot& slot = *place->second;
    if (!slot.possible) {
      throw Failure("ERR_WEIGHTS", "this training has no '" + source.name +
                                       "': its optimizer keeps none, or the parameter is frozen. Configure the "
                                       "optimizer and the trainable parameters as in the training that was written");
    }
    if (!slot.tensor->defined()) *slot.tensor = kept_empty_like(slot.like);
    // A training may go on from any state that it was in. Its own stays until restore().
    result.push_back({*slot.tensor, /*finite=*/false, /*valued=*/false});
  }
  require_whole(all);
  return result;
}

void Learner::restore(TrainingState next) {
  for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].mutable_grad() = std::move(next.gradients[i]);
  optimizer_->restore(std::move(next.optimizer));
  if (!next.average.front().defined()) next.average.clear();
  average_.restore(std::move(next.average));
  pending_outputs_.clear();
  found_inf_ = at::Tensor();
}

}  // namespace covidct
