// Resizes images before the step needs them, on one thread of its own with a lower priority than those that compute.
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
