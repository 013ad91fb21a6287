// The one object JavaScript holds: unwraps, guards, and hands work to the classifier's thread.
#pragma once

#include <memory>

#include "convert/convert.h"
#include "core/training/learner.h"
#include "executor.h"

namespace covidct {

class ClassifierWrap : public Napi::ObjectWrap<ClassifierWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ClassifierWrap(const Napi::CallbackInfo& info);
  ~ClassifierWrap() override;

 private:
  // Shared with the jobs: outlives the wrap while one of them runs.
  struct Shared {
    std::unique_ptr<Learner> learner;                                    // classifier's thread only
    std::shared_ptr<PixelStore> store = std::make_shared<PixelStore>();  // any thread
    std::atomic<int64_t> bytes{0}, held{0};

    // After a want of memory everything that is not in use goes back to the device, so that the next call has a chance.
    Executor::Deliver run(const std::function<Executor::Deliver(Learner&)>& work);
  };

  Napi::Value ready(const Napi::CallbackInfo& info);
  Napi::Value tensors(const Napi::CallbackInfo& info);
  Napi::Value layers(const Napi::CallbackInfo& info);
  Napi::Value train_step(const Napi::CallbackInfo& info);
  Napi::Value optimizer_step(const Napi::CallbackInfo& info);
  Napi::Value zero_grad(const Napi::CallbackInfo& info);
  Napi::Value reset_optimizer(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value grad_cam(const Napi::CallbackInfo& info);
  // classifier_device.cc
  Napi::Value start_step(const Napi::CallbackInfo& info);
  Napi::Value fetch_outputs(const Napi::CallbackInfo& info);
  Napi::Value keep_pixels(const Napi::CallbackInfo& info);
  // classifier_tuning.cc
  Napi::Value set_trainable(const Napi::CallbackInfo& info);
  Napi::Value parts(const Napi::CallbackInfo& info);
  Napi::Value features(const Napi::CallbackInfo& info);
  Napi::Value train_features(const Napi::CallbackInfo& info);
  Napi::Value start_features(const Napi::CallbackInfo& info);
  Napi::Value predict_features(const Napi::CallbackInfo& info);
  Napi::Value update_average(const Napi::CallbackInfo& info);
  Napi::Value swap_average(const Napi::CallbackInfo& info);
  Napi::Value drop_average(const Napi::CallbackInfo& info);

  Napi::Value write_tensors(const Napi::CallbackInfo& info);
  Napi::Value read_tensors(const Napi::CallbackInfo& info);
  Napi::Value pixels(const Napi::CallbackInfo& info);
  Napi::Value prepare_input(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  // Queues `work`, which gets the learner, and keeps V8's picture of our memory true.
  Napi::Promise enqueue(const Napi::CallbackInfo& info, bool ahead, std::function<Executor::Deliver(Learner&)> work);
  // The first argument.
  std::shared_ptr<Batch> batch_of(const Napi::CallbackInfo& info, bool labeled) const {
    return std::make_shared<Batch>(to_batch(info[0], options_.classes, labeled, shared_->store));
  }
  static Executor::Deliver outputs_of(Outputs outputs) {
    return [outputs = std::move(outputs)](Napi::Env env) { return from_outputs(env, outputs); };
  }
  // For work that ends in nothing.
  static Executor::Deliver nothing() {
    return [](Napi::Env env) { return env.Undefined(); };
  }
  void report_bytes(Napi::Env env);
  void require_ready(Napi::Env env) const;

  LearnerOptions options_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::shared_ptr<Executor> executor_;
  int threads_ = 0;
  int64_t reported_ = 0;
  bool ready_ = false;
  std::vector<TensorInfo> tensors_;
  std::vector<std::string> layers_;
  std::string default_layer_;
  std::vector<std::string> norms_;
  std::string head_prefix_;
  int64_t feature_width_ = 0;
};

}  // namespace covidct
