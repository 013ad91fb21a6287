#include "errors.h"

#include <c10/util/Exception.h>

#include <new>

namespace covidct {

namespace {

// The first lines of a c10 message say what happened; what follows is LibTorch's own source position.
std::string clean(const c10::Error& error) { return error.what_without_backtrace(); }

bool has(const std::string& message, const char* part) { return message.find(part) != std::string::npos; }

Failure out_of_memory(const char* who, const std::string& message) {
  return {"ERR_OUT_OF_MEMORY", std::string(who) + " ran out of memory: " + message};
}

Failure from_c10(const c10::Error& error) {
  const std::string message = clean(error);
  // The CPU allocator has no exception class of its own, nor have the libraries beneath LibTorch.
  if (has(message, "DefaultCPUAllocator")) return out_of_memory("the machine", message);
  if (has(message, "STATUS_ALLOC_FAILED")) return out_of_memory("the device", message);
  return {"ERR_NATIVE", message};
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const c10::OutOfMemoryError& error) {
    return out_of_memory("the device", clean(error));
  } catch (const c10::AcceleratorError& error) {
    if (has(clean(error), "out of memory")) return out_of_memory("the device", clean(error));
    return {"ERR_NATIVE", clean(error) + " (the device cannot be used again in this process; restart it)"};
  } catch (const c10::Error& error) {
    return from_c10(error);
  } catch (const std::bad_alloc&) {
    return {"ERR_OUT_OF_MEMORY", "the process ran out of memory"};
  } catch (const std::exception& error) {
    return {"ERR_NATIVE", error.what()};
  } catch (...) {
    return {"ERR_NATIVE", "an unknown C++ exception"};
  }
}

Napi::Value to_js_error(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("code", Napi::String::New(env, failure.code()));
  return error.Value();
}

void throw_js(Napi::Env env, const char* code, const std::string& message) {
  Napi::TypeError error = Napi::TypeError::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

}  // namespace covidct
