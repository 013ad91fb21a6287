// Converts options from JavaScript to those of the core.
#include <tuple>
#include <utility>

#include "convert/convert_parts.h"

namespace covidct {

LearnerOptions to_learner_options(const Napi::Value& value, int& threads) {
  const Napi::Object object = to_object(value, "the classifier's options");
  LearnerOptions options;
  options.architecture = to_string(object.Get("architecture"), "architecture");
  options.classes = static_cast<int64_t>(to_number_between(object.Get("classes"), 1, 65536, "classes"));
  options.device = to_string(object.Get("device"), "device");
  options.seed = static_cast<uint64_t>(to_number_between(object.Get("seed"), 0, kMaxSafeInteger, "seed"));
  if (!object.Get("dropout").IsUndefined())
    options.dropout = to_number_between(object.Get("dropout"), 0, 0.999, "dropout");
  const Napi::Value channels = object.Get("channels");
  options.channels = channels.IsUndefined() ? 3 : static_cast<int64_t>(to_number_between(channels, 1, 3, "channels"));
  if (options.channels == 2) throw_js(value.Env(), "ERR_INVALID_OPTION", "expected 3 (RGB) or 1 (gray) channels");
  const Napi::Value convolution = object.Get("convolution");
  if (!convolution.IsUndefined()) options.convolution = to_string(convolution, "convolution");
  const Napi::Value random = object.Get("random");
  options.random = random.IsUndefined() || random.ToBoolean();
  const Napi::Value precision = object.Get("precision");
  if (!precision.IsUndefined()) options.precision = to_string(precision, "precision");
  threads = static_cast<int>(to_number_between(object.Get("threads"), 0, 1024, "threads"));
  return options;
}

TrainStepOptions to_train_step_options(const Napi::Value& value, int64_t classes) {
  const Napi::Object object = to_object(value, "the train step's options");
  TrainStepOptions options;
  options.divisor = to_number(object.Get("divisor"), "divisor");
  if (!(options.divisor > 0)) throw_js(value.Env(), "ERR_INVALID_OPTION", "divisor must be greater than 0");
  options.dropout_seed =
      static_cast<uint64_t>(to_number_between(object.Get("dropoutSeed"), 0, kMaxSafeInteger, "dropoutSeed"));
  options.class_weights = to_numbers<float>(object.Get("classWeights"), napi_float32_array, "classWeights");
  if (!options.class_weights.empty() && static_cast<int64_t>(options.class_weights.size()) != classes) {
    throw_js(value.Env(), "ERR_INVALID_OPTION", "classWeights must hold one number for each class");
  }
  const Napi::Value smoothing = object.Get("labelSmoothing");
  if (!smoothing.IsUndefined()) options.label_smoothing = to_number_between(smoothing, 0, 0.999999, "labelSmoothing");
  options.deferred = object.Get("deferred").ToBoolean().Value();
  return options;
}

namespace {

OptimizerKind to_kind(const Napi::Value& value) {
  const std::string kind = value.IsUndefined() ? "sgd" : to_string(value, "kind");
  if (kind == "sgd") return OptimizerKind::kSgd;
  if (kind == "adam") return OptimizerKind::kAdam;
  if (kind == "adamw") return OptimizerKind::kAdamW;
  if (kind == "rmsprop") return OptimizerKind::kRmsprop;
  throw_js(value.Env(), "ERR_INVALID_OPTION", "expected an optimizer of sgd, adam, adamw, rmsprop; got '" + kind + "'");
}

std::pair<double, double> to_betas(const Napi::Value& value) {
  if (!value.IsArray()) throw_js(value.Env(), "ERR_INVALID_OPTION", "expected an array for betas");
  const Napi::Array array = value.As<Napi::Array>();
  const double beta1 = to_number_between(array.Get(uint32_t{0}), 0, 1, "betas");
  const double beta2 = to_number_between(array.Get(uint32_t{1}), 0, 1, "betas");
  // 1 - beta is divided by.
  if (beta1 == 1 || beta2 == 1) throw_js(value.Env(), "ERR_INVALID_OPTION", "expected betas below 1");
  return {beta1, beta2};
}

std::vector<OptimizerGroup> to_groups(const Napi::Value& value) {
  std::vector<OptimizerGroup> groups;
  if (value.IsUndefined()) return groups;
  if (!value.IsArray()) throw_js(value.Env(), "ERR_INVALID_OPTION", "expected an array for groups");
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Object each = to_object(array[i], "a group of the optimizer");
    groups.push_back({to_strings(each.Get("names"), "names"), to_number(each.Get("learningRate"), "learningRate"),
                      to_number(each.Get("weightDecay"), "weightDecay")});
  }
  return groups;
}

}  // namespace

OptimizerOptions to_optimizer_options(const Napi::Value& value) {
  const Napi::Object object = to_object(value, "the optimizer's options");
  OptimizerOptions options;
  options.kind = to_kind(object.Get("kind"));
  options.learning_rate = to_number(object.Get("learningRate"), "learningRate");
  if (!(options.learning_rate > 0))  // The rates of groups are scaled by a ratio to it.
    throw_js(value.Env(), "ERR_INVALID_OPTION", "learningRate must be greater than 0");
  options.weight_decay = to_number(object.Get("weightDecay"), "weightDecay");
  options.groups = to_groups(object.Get("groups"));
  const Napi::Value norm = object.Get("maxGradientNorm");
  if (!norm.IsUndefined()) {
    options.max_gradient_norm = to_number(norm, "maxGradientNorm");
    if (!(options.max_gradient_norm > 0))
      throw_js(value.Env(), "ERR_INVALID_OPTION", "maxGradientNorm must be greater than 0");
  }
  switch (options.kind) {
    case OptimizerKind::kSgd:
      options.momentum = to_number(object.Get("momentum"), "momentum");
      options.dampening = to_number(object.Get("dampening"), "dampening");
      options.nesterov = object.Get("nesterov").ToBoolean().Value();
      break;
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
      std::tie(options.beta1, options.beta2) = to_betas(object.Get("betas"));
      options.epsilon = to_number_between(object.Get("epsilon"), 0, 1, "epsilon");
      break;
    case OptimizerKind::kRmsprop:
      options.alpha = to_number_between(object.Get("alpha"), 0, 1, "alpha");
      options.epsilon = to_number_between(object.Get("epsilon"), 0, 1, "epsilon");
      options.momentum = to_number_between(object.Get("momentum"), 0, 1, "momentum");
      options.centered = object.Get("centered").ToBoolean().Value();
      break;
  }
  return options;
}

}  // namespace covidct
