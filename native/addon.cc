// The table of exports: what `require` of the addon returns.
#include "classifier_wrap.h"
#include "convert/convert.h"
#include "core/nn/registry.h"
#include "core/runtime/arena.h"
#include "core/runtime/device.h"
#include "core/runtime/threads.h"
#include "environment.h"
#include "resizer_wrap.h"

namespace covidct {

namespace {

Napi::Value info(const Napi::CallbackInfo& call) {
  const LibtorchInfo facts = libtorch_info();
  Napi::Object object = Napi::Object::New(call.Env());
  object.Set("libtorchVersion", facts.version);
  object.Set("cpuCapability", facts.cpu_capability);
  object.Set("threads", facts.threads);
  object.Set("cudaBuilt", facts.cuda_built);
  object.Set("cudaDevices", from_strings(call.Env(), facts.cuda_devices));
  return object;
}

Napi::Value architectures(const Napi::CallbackInfo& call) { return from_strings(call.Env(), architecture_names()); }

Napi::Value join(const Napi::CallbackInfo& call) {
  Environment::of(call.Env()).join_all();
  return call.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Environment::install(env);
  Arena::install();
  default_threads();  // before any thread is given a number
  exports.Set("info", Napi::Function::New<info>(env, "info"));
  exports.Set("architectures", Napi::Function::New<architectures>(env, "architectures"));
  exports.Set("join", Napi::Function::New<join>(env, "join"));
  exports.Set("Classifier", ClassifierWrap::define(env));
  exports.Set("Resizer", ResizerWrap::define(env));
  return exports;
}

}  // namespace

}  // namespace covidct

static Napi::Object covidct_init(Napi::Env env, Napi::Object exports) { return covidct::initialize(env, exports); }
NODE_API_MODULE(covidct_torch, covidct_init)
