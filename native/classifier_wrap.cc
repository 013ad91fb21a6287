#include "classifier_wrap.h"

#include <ATen/Parallel.h>

#include "core/runtime/threads.h"

namespace covidct {

using Deliver = Executor::Deliver;

Napi::Function ClassifierWrap::define(Napi::Env env) {
  return DefineClass(env, "Classifier",
                     {InstanceMethod<&ClassifierWrap::ready>("ready"),
                      InstanceMethod<&ClassifierWrap::tensors>("tensors"),
                      InstanceMethod<&ClassifierWrap::layers>("layers"),
                      InstanceMethod<&ClassifierWrap::train_step>("trainStep"),
                      InstanceMethod<&ClassifierWrap::start_step>("startStep"),
                      InstanceMethod<&ClassifierWrap::fetch_outputs>("fetchOutputs"),
                      InstanceMethod<&ClassifierWrap::optimizer_step>("optimizerStep"),
                      InstanceMethod<&ClassifierWrap::zero_grad>("zeroGrad"),
                      InstanceMethod<&ClassifierWrap::reset_optimizer>("resetOptimizer"),
                      InstanceMethod<&ClassifierWrap::predict>("predict"),
                      InstanceMethod<&ClassifierWrap::grad_cam>("gradCam"),
                      InstanceMethod<&ClassifierWrap::set_trainable>("setTrainable"),
                      InstanceMethod<&ClassifierWrap::parts>("parts"),
                      InstanceMethod<&ClassifierWrap::features>("features"),
                      InstanceMethod<&ClassifierWrap::train_features>("trainFeatures"),
                      InstanceMethod<&ClassifierWrap::start_features>("startFeatures"),
                      InstanceMethod<&ClassifierWrap::predict_features>("predictFeatures"),
                      InstanceMethod<&ClassifierWrap::update_average>("updateAverage"),
                      InstanceMethod<&ClassifierWrap::swap_average>("swapAverage"),
                      InstanceMethod<&ClassifierWrap::drop_average>("dropAverage"),
                      InstanceMethod<&ClassifierWrap::write_tensors>("writeTensors"),
                      InstanceMethod<&ClassifierWrap::read_tensors>("readTensors"),
                      InstanceMethod<&ClassifierWrap::pixels>("pixels"),
                      InstanceMethod<&ClassifierWrap::prepare_input>("prepareInput"),
                      InstanceMethod<&ClassifierWrap::keep_pixels>("keepPixels"),
                      InstanceMethod<&ClassifierWrap::bytes>("bytes"),
                      InstanceMethod<&ClassifierWrap::dispose>("dispose")});
}

ClassifierWrap::ClassifierWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ClassifierWrap>(info) {
  options_ = to_learner_options(info[0], threads_);
  executor_ = Executor::start(
      info.Env(), [threads = threads_ > 0 ? threads_ : default_threads()] { use_threads(threads); },
      [shared = shared_] {
        const std::optional<c10::Device> device =
            shared->learner ? std::optional(shared->learner->device().device) : std::nullopt;
        shared->store->set_budget(0);
        shared->learner.reset();
        if (device) release_cached_memory(*device);
        shared->bytes = 0;
        shared->held = 0;
      });
}

ClassifierWrap::~ClassifierWrap() {
  if (!executor_) return;
  executor_->close(Env());
  Napi::MemoryManagement::AdjustExternalMemory(Env(), -reported_);
}

Executor::Deliver ClassifierWrap::Shared::run(const std::function<Executor::Deliver(Learner&)>& work) {
  try {
    return work(*learner);
  } catch (...) {
    const Failure failure = current_failure();
    // What LibTorch keeps for later is in pieces of the wrong size now.
    if (failure.code() == "ERR_OUT_OF_MEMORY") {
      store->set_budget(0);
      release_cached_memory(learner->device().device);
      learner->release();
    }
    throw failure;
  }
}

Napi::Promise ClassifierWrap::enqueue(const Napi::CallbackInfo& info, bool ahead,
                                      std::function<Deliver(Learner&)> work) {
  return executor_->submit(info.Env(), info.This().As<Napi::Object>(), ahead,
                           [this, shared = shared_, work = std::move(work)]() -> Deliver {
                             const Deliver deliver = shared->run(work);
                             shared->bytes = shared->learner->bytes() + shared->store->bytes();
                             shared->held = shared->learner->held_bytes() + shared->store->bytes();
                             // The promise's owner is this wrap, kept alive until it is settled.
                             return [this, deliver](Napi::Env env) {
                               report_bytes(env);
                               return deliver(env);
                             };
                           });
}

void ClassifierWrap::report_bytes(Napi::Env env) {
  const int64_t now = shared_->held;
  // Growth only: gradients come and go at every step, and each swing would make V8 collect everything.
  if (executor_->stopping() || now <= reported_) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, now - reported_);
  reported_ = now;
}

void ClassifierWrap::require_ready(Napi::Env env) const {
  if (executor_->stopping()) throw_js(env, "ERR_DISPOSED", "the classifier was disposed");
  if (!ready_) throw_js(env, "ERR_NATIVE", "the network is not built: wait for ready() first");
}

Napi::Value ClassifierWrap::ready(const Napi::CallbackInfo& info) {
  auto build = [this, shared = shared_, options = options_, executor = executor_.get()]() -> Deliver {
    if (!shared->learner) shared->learner = std::make_unique<Learner>(options, executor->stopping());
    const Learner& learner = *shared->learner;
    shared->bytes = learner.bytes();
    shared->held = learner.held_bytes();
    return [this, norms = learner.norms(), head_prefix = learner.head_prefix(), width = learner.feature_width(),
            tensors = learner.tensors(), layers = learner.layers(), default_layer = learner.default_layer(),
            device = learner.device(), parameters = learner.parameter_count(),
            threads = at::get_num_threads()](Napi::Env env) {
      tensors_ = tensors;
      norms_ = norms;
      head_prefix_ = head_prefix;
      feature_width_ = width;
      layers_ = layers;
      default_layer_ = default_layer;
      ready_ = true;
      report_bytes(env);
      Napi::Object facts = Napi::Object::New(env);
      facts.Set("device", device.device.str());
      facts.Set("deviceReason", device.reason);
      facts.Set("parameters", static_cast<double>(parameters));
      facts.Set("bytes", static_cast<double>(shared_->bytes));
      facts.Set("threads", threads);
      return facts;
    };
  };
  return executor_->submit(info.Env(), info.This().As<Napi::Object>(), false, std::move(build));
}

Napi::Value ClassifierWrap::tensors(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return from_tensors(info.Env(), tensors_);
}

Napi::Value ClassifierWrap::layers(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("names", from_strings(info.Env(), layers_));
  object.Set("default", default_layer_);
  return object;
}

Napi::Value ClassifierWrap::train_step(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const auto batch = batch_of(info, /*labeled=*/true);
  return enqueue(info, false, [batch, options = to_train_step_options(info[1], options_.classes)](Learner& learner) {
    return outputs_of(learner.train_step(*batch, options));
  });
}

Napi::Value ClassifierWrap::optimizer_step(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return enqueue(info, false, [options = to_optimizer_options(info[0])](Learner& learner) -> Deliver {
    const double norm = learner.optimizer_step(options);
    if (options.max_gradient_norm == 0) return nothing();
    return [norm](Napi::Env env) {
      Napi::Object facts = Napi::Object::New(env);
      facts.Set("gradientNorm", norm);
      return facts;
    };
  });
}

Napi::Value ClassifierWrap::zero_grad(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return enqueue(info, false, [](Learner& learner) {
    learner.zero_grad();
    return nothing();
  });
}

Napi::Value ClassifierWrap::reset_optimizer(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  return enqueue(info, false, [](Learner& learner) {
    learner.reset_optimizer();
    return nothing();
  });
}

Napi::Value ClassifierWrap::predict(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const auto batch = batch_of(info, /*labeled=*/false);
  return enqueue(info, true, [batch](Learner& learner) -> Deliver {
    return [outputs = learner.predict(*batch)](Napi::Env env) { return from_outputs(env, outputs); };
  });
}

Napi::Value ClassifierWrap::grad_cam(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const auto batch = batch_of(info, /*labeled=*/false);
  if (!info[1].IsObject()) throw_js(info.Env(), "ERR_INVALID_OPTION", "expected an object with layer and classIndices");
  const Napi::Object options = info[1].As<Napi::Object>();
  auto layer = to_string(options.Get("layer"), "layer");
  auto classes = to_class_indices(options.Get("classIndices"), options_.classes, batch->images.size());
  return enqueue(info, true, [batch, layer, classes](Learner& learner) -> Deliver {
    return [outputs = learner.grad_cam(*batch, layer, classes)](Napi::Env env) { return from_cam(env, outputs); };
  });
}

Napi::Value ClassifierWrap::write_tensors(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const auto offset = static_cast<int64_t>(to_number_between(info[1], 0, kMaxSafeInteger, "offset"));
  return enqueue(info, false,
                 [path = to_string(info[0], "path"), offset, names = to_strings(info[2], "names")](Learner& learner) {
                   learner.write(path, offset, names);
                   return nothing();
                 });
}

Napi::Value ClassifierWrap::read_tensors(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const bool any = info[2].ToBoolean().Value();
  return enqueue(info, false,
                 [path = to_string(info[0], "path"), sources = to_sources(info[1]), any](Learner& learner) {
                   learner.read(path, sources, any);
                   return nothing();
                 });
}

Napi::Value ClassifierWrap::pixels(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const auto batch = batch_of(info, /*labeled=*/false);
  const auto format = info[1].ToBoolean().Value() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  return enqueue(info, true, [batch, format](Learner& learner) -> Deliver {
    return [values = learner.pixels(*batch, format)](Napi::Env env) { return from_floats(env, values); };
  });
}

Napi::Value ClassifierWrap::prepare_input(const Napi::CallbackInfo& info) {
  require_ready(info.Env());
  const auto batch = batch_of(info, /*labeled=*/false);
  return enqueue(info, true, [batch](Learner& learner) -> Deliver {
    return [bytes = learner.prepare_input(*batch)](Napi::Env env) {
      return Napi::Number::New(env, static_cast<double>(bytes));
    };
  });
}

Napi::Value ClassifierWrap::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(shared_->bytes));
}

void ClassifierWrap::dispose(const Napi::CallbackInfo& info) {
  executor_->close(info.Env());
  if (reported_ != 0) Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -reported_);
  reported_ = 0;
}

}  // namespace covidct
