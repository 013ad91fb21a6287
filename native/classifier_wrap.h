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

    // On out-of-memory, releases the cached memory of the device so that the next call can succeed.
    Executor::Resolve run(const std::function<Executor::Resolve(Learner&)>& work);
  };

  // The calls are documented in src/addon/types.ts, in the same order.
  Napi::Value ready(const Napi::CallbackInfo& info);
  Napi::Value train_step(const Napi::CallbackInfo& info);
  Napi::Value read_outputs(const Napi::CallbackInfo& info);
  Napi::Value configure_optimizer(const Napi::CallbackInfo& info);
  Napi::Value optimizer_step(const Napi::CallbackInfo& info);
  Napi::Value average(const Napi::CallbackInfo& info);
  Napi::Value set_trainable(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value features(const Napi::CallbackInfo& info);
  Napi::Value grad_cam(const Napi::CallbackInfo& info);
  Napi::Value input(const Napi::CallbackInfo& info);
  Napi::Value keep_pixels(const Napi::CallbackInfo& info);
  Napi::Value training_state(const Napi::CallbackInfo& info);
  Napi::Value write_tensors(const Napi::CallbackInfo& info);
  Napi::Value finish_write(const Napi::CallbackInfo& info);
  Napi::Value read_tensors(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  // Queues `work`, which gets the learner, and tells V8 how much memory the learner holds. What changes parameters,
  // optimizer state or average has Turn::kUnheld, for a write in the background reads them.
  Napi::Promise enqueue(const Napi::CallbackInfo& info, Executor::Turn turn,
                        std::function<Executor::Resolve(Learner&)> work);
  // Converts the first argument: a batch of images or of features.
  std::shared_ptr<Input> input_of(const Napi::CallbackInfo& info, bool labeled) const;
  std::shared_ptr<Batch> batch_of(const Napi::CallbackInfo& info) const;
  static Executor::Resolve outputs_of(Outputs outputs) {
    return [outputs = std::move(outputs)](Napi::Env env) { return from_outputs(env, outputs); };
  }
  // Resolves with undefined.
  static Executor::Resolve nothing() {
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
  int64_t feature_width_ = 0;
};

}  // namespace covidct
