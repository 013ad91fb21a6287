#include "core/runtime/precision.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>

#include <chrono>

#include "core/runtime/failure.h"
#include "core/runtime/shared_setting.h"

namespace covidct {

namespace {

constexpr std::chrono::milliseconds kPatience{2000};

// By the older of LibTorch's two interfaces, which keeps the flags of both in step; asking by the one for what was set
// by the other is an error there.
void allow_tf32(bool allowed) {
  at::globalContext().setAllowTF32CuBLAS(allowed);
  at::globalContext().setAllowTF32CuDNN(allowed);
}

SharedSetting& tf32() {
  static SharedSetting setting(allow_tf32);
  return setting;
}

}  // namespace

Precision to_precision(const std::string& name) {
  if (name == "float32") return Precision::kFloat32;
  if (name == "tf32") return Precision::kTf32;
  if (name == "bf16") return Precision::kBf16;
  throw Failure("ERR_INVALID_OPTION", "expected a precision of float32, tf32, bf16; got '" + name + "'");
}

void require_precision(Precision precision, const DeviceChoice& device) {
  if (precision != Precision::kTf32 || device.device.is_cuda()) return;
  throw Failure("ERR_INVALID_OPTION", "precision 'tf32' is arithmetic of CUDA GPUs, and this classifier would run on " +
                                          device.device.str() + " (" + device.reason +
                                          "); use precision 'float32' or 'bf16', or a CUDA device");
}

Autocast::Autocast(Precision precision, c10::DeviceType device) : on_(precision == Precision::kBf16), device_(device) {
  if (!on_) return;
  was_enabled_ = at::autocast::is_autocast_enabled(device_);
  was_dtype_ = at::autocast::get_autocast_dtype(device_);
  was_caching_ = at::autocast::is_autocast_cache_enabled();
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  at::autocast::set_autocast_cache_enabled(true);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!on_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_cache_enabled(was_caching_);
  at::autocast::set_autocast_dtype(device_, was_dtype_);
  at::autocast::set_autocast_enabled(device_, was_enabled_);
}

Tf32Hold::Tf32Hold(Precision precision, c10::Device device)
    : holds_(device.is_cuda() && precision != Precision::kBf16) {
  if (!holds_) return;
  const bool wanted = precision == Precision::kTf32;
  if (tf32().join(wanted, kPatience)) return;
  throw Failure("ERR_DEVICE", std::string("precision '") + (wanted ? "tf32" : "float32") +
                                  "' is not available: a classifier with precision '" + (wanted ? "float32" : "tf32") +
                                  "' lives on CUDA in this process, where the choice between the two is one for " +
                                  "all; dispose of it first, use its precision or 'bf16', or another process");
}

Tf32Hold::~Tf32Hold() {
  if (holds_) tf32().leave();
}

}  // namespace covidct
