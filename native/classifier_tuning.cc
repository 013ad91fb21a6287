// The methods of fine-tuning: what trains, features, the average of the weights.
#include "classifier_wrap.h"
#include "convert/convert_parts.h"

namespace covidct {

using Deliver = Executor::Deliver;

Napi::Value ClassifierWrap::set_trainable(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const Napi::Object options = to_object(info[0], "setTrainable's options");
  return enqueue(info, false,
                 [parameters = to_strings(options.Get("parameters"), "parameters"),
                  norms = to_strings(options.Get("frozenNorms"), "frozenNorms")](Learner& learner) {
                   learner.set_trainable(parameters, norms);
                   return nothing();
                 });
}

Napi::Value ClassifierWrap::parts(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("norms", from_strings(info.Env(), norms_));
  object.Set("headPrefix", head_prefix_);
  object.Set("featureWidth", static_cast<double>(feature_width_));
  return object;
}

Napi::Value ClassifierWrap::features(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const auto batch = batch_of(info, /*labeled=*/false);
  const bool prediction = info[1].IsObject() && info[1].As<Napi::Object>().Get("prediction").ToBoolean();
  return enqueue(info, false, [batch, prediction](Learner& learner) -> Deliver {
    return [values = learner.features(*batch, prediction)](Napi::Env env) { return from_floats(env, values); };
  });
}

Napi::Value ClassifierWrap::train_features(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  auto features = std::make_shared<Features>(to_features(info[0], info[1], feature_width_, options_.classes, true));
  return enqueue(info, false, [features, options = to_train_step_options(info[2], options_.classes)](Learner& learner) {
    return outputs_of(learner.train_features(*features, options));
  });
}

Napi::Value ClassifierWrap::start_features(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  auto features = std::make_shared<Features>(to_features(info[0], info[1], feature_width_, options_.classes, true));
  return enqueue(info, false, [features, options = to_train_step_options(info[2], options_.classes)](Learner& learner) {
    learner.start_features(*features, options);
    return nothing();
  });
}

Napi::Value ClassifierWrap::predict_features(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  auto features = std::make_shared<Features>(to_features(info[0], info[1], feature_width_, options_.classes, false));
  return enqueue(info, true, [features](Learner& learner) -> Deliver {
    return [outputs = learner.predict_features(*features)](Napi::Env env) { return from_outputs(env, outputs); };
  });
}

Napi::Value ClassifierWrap::update_average(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return enqueue(info, false, [decay = to_number_between(info[0], 0, 1, "decay")](Learner& learner) {
    learner.update_average(decay);
    return nothing();
  });
}

Napi::Value ClassifierWrap::swap_average(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return enqueue(info, false, [](Learner& learner) {
    learner.swap_average();
    return nothing();
  });
}

Napi::Value ClassifierWrap::drop_average(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return enqueue(info, false, [](Learner& learner) {
    learner.drop_average();
    return nothing();
  });
}

}  // namespace covidct
