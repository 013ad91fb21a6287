// Any C++ failure becomes a JavaScript error with a code of src/errors.ts and a message without a stack of C++ frames.
#pragma once

#include <exception>

#include "core/runtime/failure.h"
#include "napi_setup.h"

namespace covidct {

// Must be called inside a catch block.
Failure current_failure();

Napi::Value to_js_error(Napi::Env env, const Failure& failure);

// Throws a JavaScript TypeError with a code.
[[noreturn]] void throw_js(Napi::Env env, const char* code, const std::string& message);

}  // namespace covidct
