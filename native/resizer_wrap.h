// Resizes images ahead of the step: on one thread of its own, which gives way to those that compute.
#pragma once

#include <memory>

#include "executor.h"
#include "napi_setup.h"

namespace covidct {

class ResizerWrap : public Napi::ObjectWrap<ResizerWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ResizerWrap(const Napi::CallbackInfo& info);
  ~ResizerWrap() override;

 private:
  Napi::Value resize(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<Executor> executor_;
};

}  // namespace covidct
