// What the conversions share: objects and typed arrays, checked and copied.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "convert/convert.h"
#include "errors.h"

namespace covidct {

[[noreturn]] inline void bad_batch(const Napi::Value& at, const std::string& message) {
  throw_js(at.Env(), "ERR_BAD_BATCH", message);
}

inline Napi::Object to_object(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) throw_js(value.Env(), "ERR_INVALID_OPTION", std::string("expected an object for ") + what);
  return value.As<Napi::Object>();
}

inline Napi::TypedArray to_typed(const Napi::Value& value, napi_typedarray_type type, const char* what) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    bad_batch(value, std::string("expected a typed array of another type for ") + what);
  }
  return value.As<Napi::TypedArray>();
}

// Where the elements lie. Asked for directly: the view may lie on a SharedArrayBuffer, which has no Napi::ArrayBuffer.
inline const void* data_of(const Napi::TypedArray& array, const char* what) {
  void* data = nullptr;
  napi_get_typedarray_info(array.Env(), array, nullptr, nullptr, &data, nullptr, nullptr);
  if (data == nullptr) bad_batch(array, std::string("the memory of ") + what + " cannot be read");
  return data;
}

template <typename T>
std::vector<T> to_numbers(const Napi::Value& value, napi_typedarray_type type, const char* what) {
  const Napi::TypedArray array = to_typed(value, type, what);
  std::vector<T> numbers(array.ElementLength());
  if (!numbers.empty()) std::memcpy(numbers.data(), data_of(array, what), numbers.size() * sizeof(T));
  return numbers;
}

}  // namespace covidct
