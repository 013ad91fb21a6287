// What a classifier on a GPU is driven by: steps that are started ahead of their figures, images that stay there.
#include "classifier_wrap.h"

namespace covidct {

Napi::Value ClassifierWrap::start_step(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const auto batch = batch_of(info, /*labeled=*/true);
  return enqueue(info, false, [batch, options = to_train_step_options(info[1], options_.classes)](Learner& learner) {
    learner.start_step(*batch, options);
    return nothing();
  });
}

Napi::Value ClassifierWrap::fetch_outputs(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return enqueue(info, false, [](Learner& learner) { return outputs_of(learner.fetch_outputs()); });
}

Napi::Value ClassifierWrap::keep_pixels(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return enqueue(info, false,
                 [store = shared_->store,
                  bytes = static_cast<int64_t>(to_number_between(info[0], 0, kMaxSafeInteger, "bytes"))](Learner&) {
                   store->set_budget(bytes);
                   return nothing();
                 });
}

}  // namespace covidct
