#include "classifier_wrap.h"

#include <ATen/Parallel.h>

#include <limits>

#include "convert/convert_parts.h"
#include "core/runtime/threads.h"

namespace covidct {

using Resolve = Executor::Resolve;
using Turn = Executor::Turn;

Napi::Function ClassifierWrap::define(Napi::Env env) {
  return DefineClass(
      env, "Classifier",
      {InstanceMethod<&ClassifierWrap::ready>("ready"), InstanceMethod<&ClassifierWrap::train_step>("trainStep"),
       InstanceMethod<&ClassifierWrap::read_outputs>("readOutputs"),
       InstanceMethod<&ClassifierWrap::configure_optimizer>("configureOptimizer"),
       InstanceMethod<&ClassifierWrap::optimizer_step>("optimizerStep"),
       InstanceMethod<&ClassifierWrap::average>("average"),
       InstanceMethod<&ClassifierWrap::set_trainable>("setTrainable"),
       InstanceMethod<&ClassifierWrap::predict>("predict"), InstanceMethod<&ClassifierWrap::features>("features"),
       InstanceMethod<&ClassifierWrap::grad_cam>("gradCam"), InstanceMethod<&ClassifierWrap::input>("input"),
       InstanceMethod<&ClassifierWrap::keep_pixels>("keepPixels"),
       InstanceMethod<&ClassifierWrap::training_state>("trainingState"),
       InstanceMethod<&ClassifierWrap::write_tensors>("writeTensors"),
       InstanceMethod<&ClassifierWrap::finish_write>("finishWrite"),
       InstanceMethod<&ClassifierWrap::read_tensors>("readTensors"), InstanceMethod<&ClassifierWrap::bytes>("bytes"),
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

Executor::Resolve ClassifierWrap::Shared::run(const std::function<Executor::Resolve(Learner&)>& work) {
  try {
    return work(*learner);
  } catch (...) {
    const Failure failure = current_failure();
    // The memory that LibTorch keeps for later is in pieces of the wrong size now.
    if (failure.code() == "ERR_OUT_OF_MEMORY") {
      store->set_budget(0);
      release_cached_memory(learner->device().device);
      learner->release();
    }
    throw failure;
  }
}

Napi::Promise ClassifierWrap::enqueue(const Napi::CallbackInfo& info, Turn turn,
                                      std::function<Resolve(Learner&)> work) {
  require_ready(info.Env());
  return executor_->submit(info.Env(), info.This().As<Napi::Object>(), turn,
                           [this, shared = shared_, work = std::move(work)]() -> Resolve {
                             const Resolve resolve = shared->run(work);
                             shared->bytes = shared->learner->bytes() + shared->store->bytes();
                             shared->held = shared->learner->held_bytes() + shared->store->bytes();
                             // The promise's owner is this wrap, kept alive until it is settled.
                             return [this, resolve](Napi::Env env) {
                               report_bytes(env);
                               return resolve(env);
                             };
                           });
}

void ClassifierWrap::report_bytes(Napi::Env env) {
  const int64_t now = shared_->held;
  // V8 hears of growth only: gradients come and go at every step, and each swing would make V8 collect everything.
  if (executor_->stopping() || now <= reported_) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, now - reported_);
  reported_ = now;
}

void ClassifierWrap::require_ready(Napi::Env env) const {
  if (executor_->stopping()) throw_js(env, "ERR_DISPOSED", "the classifier was disposed");
  if (!ready_) throw_js(env, "ERR_NATIVE", "the network is not built: wait for ready() first");
}

Napi::Value ClassifierWrap::ready(const Napi::CallbackInfo& info) {
  auto build = [this, shared = shared_, options = options_, executor = executor_.get()]() -> Resolve {
    if (!shared->learner) shared->learner = std::make_unique<Learner>(options, executor->stopping());
    shared->bytes = shared->learner->bytes();
    shared->held = shared->learner->held_bytes();
    return [this, facts = shared->learner->facts(), threads = at::get_num_threads()](Napi::Env env) {
      feature_width_ = facts.feature_width;
      ready_ = true;
      report_bytes(env);
      return from_facts(env, facts, threads);
    };
  };
  return executor_->submit(info.Env(), info.This().As<Napi::Object>(), Turn::kInOrder, std::move(build));
}

// trainStep(input, options)
Napi::Value ClassifierWrap::train_step(const Napi::CallbackInfo& info) {
  const auto input = input_of(info, /*labeled=*/true);
  return enqueue(info, Turn::kInOrder,
                 [input, options = to_train_step_options(info[1], options_.classes)](Learner& learner) {
                   auto outputs = learner.train_step(*input, options);
                   return outputs ? outputs_of(std::move(*outputs)) : nothing();
                 });
}

// readOutputs()
Napi::Value ClassifierWrap::read_outputs(const Napi::CallbackInfo& info) {
  return enqueue(info, Turn::kInOrder, [](Learner& learner) { return outputs_of(learner.read_outputs()); });
}

// configureOptimizer(options or null)
Napi::Value ClassifierWrap::configure_optimizer(const Napi::CallbackInfo& info) {
  std::optional<OptimizerOptions> options;
  if (!info[0].IsNull()) options = to_optimizer_options(info[0]);
  return enqueue(info, Turn::kUnheld, [options = std::move(options)](Learner& learner) {
    learner.configure_optimizer(options);
    return nothing();
  });
}

// optimizerStep(learningRate)
Napi::Value ClassifierWrap::optimizer_step(const Napi::CallbackInfo& info) {
  const double learning_rate = to_number_between(info[0], 0, std::numeric_limits<double>::max(), "learningRate");
  return enqueue(info, Turn::kUnheld, [learning_rate](Learner& learner) -> Resolve {
    const std::optional<double> norm = learner.optimizer_step(learning_rate);
    return [norm](Napi::Env env) -> Napi::Value {
      if (norm) return Napi::Number::New(env, *norm);
      return env.Null();
    };
  });
}

// average(op, decay)
Napi::Value ClassifierWrap::average(const Napi::CallbackInfo& info) {
  const AverageOp op = to_average_op(info[0]);
  const double decay = op == AverageOp::kUpdate ? to_number_between(info[1], 0, 1, "decay") : 0;
  return enqueue(info, Turn::kUnheld, [op, decay](Learner& learner) {
    learner.average(op, decay);
    return nothing();
  });
}

// setTrainable({parameters, frozenNorms})
Napi::Value ClassifierWrap::set_trainable(const Napi::CallbackInfo& info) {
  const Napi::Object options = to_object(info[0], "setTrainable's options");
  return enqueue(info, Turn::kUnheld,
                 [parameters = to_strings(options.Get("parameters"), "parameters"),
                  norms = to_strings(options.Get("frozenNorms"), "frozenNorms")](Learner& learner) {
                   learner.set_trainable(parameters, norms);
                   return nothing();
                 });
}

// predict(input)
Napi::Value ClassifierWrap::predict(const Napi::CallbackInfo& info) {
  const auto input = input_of(info, /*labeled=*/false);
  return enqueue(info, Turn::kAhead, [input](Learner& learner) { return outputs_of(learner.predict(*input)); });
}

// features(batch, {prediction})
Napi::Value ClassifierWrap::features(const Napi::CallbackInfo& info) {
  const auto batch = batch_of(info);
  const bool prediction = flag_of(info[1], "prediction");
  return enqueue(info, Turn::kInOrder, [batch, prediction](Learner& learner) -> Resolve {
    return [values = learner.features(*batch, prediction)](Napi::Env env) { return from_floats(env, values); };
  });
}

// gradCam(batch, {layer, classIndices})
Napi::Value ClassifierWrap::grad_cam(const Napi::CallbackInfo& info) {
  const auto batch = batch_of(info);
  const Napi::Object options = to_object(info[1], "gradCam's options");
  auto layer = to_string(options.Get("layer"), "layer");
  auto classes = to_class_indices(options.Get("classIndices"), options_.classes, batch->images.size());
  return enqueue(info, Turn::kAhead, [batch, layer, classes](Learner& learner) -> Resolve {
    return [outputs = learner.grad_cam(*batch, layer, classes)](Napi::Env env) { return from_cam(env, outputs); };
  });
}

// input(batch, {channelsLast, discard})
Napi::Value ClassifierWrap::input(const Napi::CallbackInfo& info) {
  const auto batch = batch_of(info);
  const InputOptions options{flag_of(info[1], "channelsLast"), flag_of(info[1], "discard")};
  return enqueue(info, Turn::kAhead, [batch, options](Learner& learner) -> Resolve {
    return [values = learner.input(*batch, options)](Napi::Env env) { return from_floats(env, values); };
  });
}

// keepPixels(bytes)
Napi::Value ClassifierWrap::keep_pixels(const Napi::CallbackInfo& info) {
  const auto bytes = static_cast<int64_t>(to_number_between(info[0], 0, kMaxSafeInteger, "bytes"));
  return enqueue(info, Turn::kInOrder, [store = shared_->store, bytes](Learner&) {
    store->set_budget(bytes);
    return nothing();
  });
}

// trainingState()
Napi::Value ClassifierWrap::training_state(const Napi::CallbackInfo& info) {
  return enqueue(info, Turn::kInOrder, [](Learner& learner) -> Resolve {
    return [tensors = learner.training_state()](Napi::Env env) { return from_tensors(env, tensors); };
  });
}

// writeTensors(path, offset, names, {background})
Napi::Value ClassifierWrap::write_tensors(const Napi::CallbackInfo& info) {
  const auto offset = static_cast<int64_t>(to_number_between(info[1], 0, kMaxSafeInteger, "offset"));
  return enqueue(info, Turn::kUnheld,
                 [path = to_string(info[0], "path"), offset, names = to_strings(info[2], "names"),
                  background = flag_of(info[3], "background"), executor = executor_.get()](Learner& learner) {
                   if (background)
                     learner.begin_write(path, offset, names, executor->hold());
                   else
                     learner.write(path, offset, names);
                   return nothing();
                 });
}

// finishWrite()
Napi::Value ClassifierWrap::finish_write(const Napi::CallbackInfo& info) {
  return enqueue(info, Turn::kAside, [](Learner& learner) {
    learner.finish_write();
    return nothing();
  });
}

// readTensors(path, sources, {allowNonFinite, restore})
Napi::Value ClassifierWrap::read_tensors(const Napi::CallbackInfo& info) {
  const ReadOptions options{flag_of(info[2], "allowNonFinite"), flag_of(info[2], "restore")};
  return enqueue(info, Turn::kUnheld,
                 [path = to_string(info[0], "path"), sources = to_sources(info[1]), options](Learner& learner) {
                   learner.read(path, sources, options);
                   return nothing();
                 });
}

// bytes()
Napi::Value ClassifierWrap::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(shared_->bytes));
}

// dispose()
void ClassifierWrap::dispose(const Napi::CallbackInfo& info) {
  executor_->close(info.Env());
  if (reported_ != 0) Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -reported_);
  reported_ = 0;
}

std::shared_ptr<Input> ClassifierWrap::input_of(const Napi::CallbackInfo& info, bool labeled) const {
  require_ready(info.Env());
  const Napi::Object object = to_object(info[0], "the batch");
  if (object.Get("features").IsUndefined())
    return std::make_shared<Input>(to_batch(object, options_.classes, labeled, shared_->store));
  return std::make_shared<Input>(to_features(object, feature_width_, options_.classes, labeled));
}

std::shared_ptr<Batch> ClassifierWrap::batch_of(const Napi::CallbackInfo& info) const {
  require_ready(info.Env());
  return std::make_shared<Batch>(to_batch(info[0], options_.classes, /*labeled=*/false, shared_->store));
}

}  // namespace covidct
