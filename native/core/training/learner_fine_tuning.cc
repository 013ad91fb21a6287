// The part of the learner that trains only some of the network.
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <unordered_set>

#include "core/runtime/failure.h"
#include "core/runtime/transfer.h"
#include "core/training/learner.h"

namespace covidct {

namespace {

// Throws ERR_INVALID_OPTION for the first name that is not among the known ones.
void require_known(const std::vector<std::string>& names, const std::vector<std::string>& known, const char* what) {
  const std::unordered_set<std::string> all(known.begin(), known.end());
  for (const std::string& name : names) {
    if (all.count(name) == 0)
      throw Failure("ERR_INVALID_OPTION", std::string("the network has no ") + what + " '" + name + "'");
  }
}

}  // namespace

void Learner::set_trainable(const std::vector<std::string>& parameters, const std::vector<std::string>& frozen_norms) {
  require_known(parameters, parameter_names_, "parameter");
  require_known(frozen_norms, norms(), "batch norm layer");
  if (parameters.empty()) throw Failure("ERR_INVALID_OPTION", "expected at least one parameter to train; got none");
  const std::unordered_set<std::string> trained(parameters.begin(), parameters.end());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const bool trains = trained.count(parameter_names_[i]) > 0;
    parameters_[i].requires_grad_(trains);
    if (trains) continue;
    parameters_[i].mutable_grad() = at::Tensor();
    optimizer_->forget(i);
  }
  const std::unordered_set<std::string> frozen(frozen_norms.begin(), frozen_norms.end());
  for (auto& [name, norm] : network_->graph().norms()) norm->frozen = frozen.count(name) > 0;
}

std::vector<std::string> Learner::norms() const {
  std::vector<std::string> names;
  for (const auto& [name, norm] : network_->graph().norms()) names.push_back(name);
  return names;
}

std::vector<float> Learner::features(const Batch& batch, bool prediction) {
  c10::AutoGradMode no_grad(false);
  ForwardPass pass;
  pass.stop = &stop_;
  const at::Tensor x = prepare(batch, device_.device, channels_);
  const Autocast autocast(precision_, device_.device.type());
  return to_vector(prediction ? network_->predict_features(x, pass) : network_->features(x, pass));
}

at::Tensor Learner::to_tensor(const Features& features) const {
  const auto rows = static_cast<int64_t>(features.values.size()) / features.width;
  return to_device(at::from_blob(const_cast<float*>(features.values.data()), {rows, features.width}, at::kFloat),
                   device_.device);
}

at::Tensor Learner::head(const Features& features, ForwardPass& pass) const {
  const at::Tensor x = to_tensor(features);
  const Autocast autocast(precision_, device_.device.type());
  return network_->head(x, pass).to(at::kFloat);
}

}  // namespace covidct
