#include "resizer_wrap.h"

#ifdef __linux__
#include <unistd.h>
#endif

#include <cstring>

#include "convert/convert_parts.h"
#include "core/input/augment.h"
#include "core/runtime/threads.h"

namespace covidct {

namespace {

// Where the cores are busy with a step, this thread gets a tenth of what one of its threads gets.
constexpr int kNicer = 10;

void lower_priority() {
#ifdef __linux__
  // nice() acts on this thread alone, relative to the process. A failure changes nothing but the order of work.
  [[maybe_unused]] const int niceness = nice(kNicer);
#endif
}

int64_t to_side(const Napi::Value& value, const char* what) {
  return static_cast<int64_t>(to_number_between(value, 1, static_cast<double>(kMaxPixels), what));
}

}  // namespace

Napi::Function ResizerWrap::define(Napi::Env env) {
  return DefineClass(
      env, "Resizer",
      {InstanceMethod<&ResizerWrap::resize>("resize"), InstanceMethod<&ResizerWrap::dispose>("dispose")});
}

ResizerWrap::ResizerWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ResizerWrap>(info) {
  executor_ = Executor::start(
      info.Env(),
      [] {
        lower_priority();
        use_one_thread();  // a second team beside the classifier's would take its cores
      },
      [] {});
}

ResizerWrap::~ResizerWrap() {
  if (executor_) executor_->close(Env());
}

// resize(image, height, width, toHeight, toWidth): Promise<Uint8Array>
Napi::Value ResizerWrap::resize(const Napi::CallbackInfo& info) {
  if (executor_->stopping()) throw_js(info.Env(), "ERR_DISPOSED", "the resizer was disposed");
  const int64_t height = to_side(info[1], "height"), width = to_side(info[2], "width");
  const int64_t to_height = to_side(info[3], "toHeight"), to_width = to_side(info[4], "toWidth");
  if (height * width > kMaxPixels || to_height * to_width > kMaxPixels ||
      pixels_between(height, width, to_height, to_width) > kMaxPixelsBetween) {
    bad_batch(info[0], "an image has too many pixels, before the resize, on its way or after it");
  }
  const Napi::TypedArray array = to_typed(info[0], napi_uint8_array, "an image");
  const auto bytes = static_cast<size_t>(height * width * 3);
  if (array.ByteLength() != bytes) {
    bad_batch(info[0], "an image has " + std::to_string(array.ByteLength()) +
                           " bytes, expected height x width x 3 = " + std::to_string(bytes));
  }
  std::shared_ptr<PixelBuffer> pixels;
  try {
    pixels = std::make_shared<PixelBuffer>(bytes);
  } catch (const std::bad_alloc&) {
    throw_js(info.Env(), "ERR_OUT_OF_MEMORY",
             "the process ran out of memory for " + std::to_string(bytes) + " bytes of pixels");
  }
  std::memcpy(pixels->data(), data_of(array, "an image"), bytes);
  return executor_->submit(info.Env(), info.This().As<Napi::Object>(), Executor::Turn::kInOrder,
                           [=]() -> Executor::Resolve {
                             const auto size = static_cast<size_t>(to_height * to_width * 3);
                             auto resized = std::make_shared<PixelBuffer>(size);
                             resize_image(pixels->data(), height, width, resized->data(), to_height, to_width);
                             return [resized, size](Napi::Env env) {
                               Napi::Uint8Array out = Napi::Uint8Array::New(env, size);
                               std::memcpy(out.Data(), resized->data(), size);
                               return out;
                             };
                           });
}

void ResizerWrap::dispose(const Napi::CallbackInfo& info) { executor_->close(info.Env()); }

}  // namespace covidct
