// The number formats a network computes in. Weights, gradients, optimizer state and losses are float32 in all of them.
#pragma once

#include <ATen/core/ScalarType.h>
#include <c10/core/Device.h>

#include <string>

#include "core/runtime/device.h"

namespace covidct {

enum class Precision {
  kFloat32,  // float32 throughout; on CUDA without TF32
  kTf32,     // CUDA: products of convolutions and linear layers from inputs rounded to 10 bits of mantissa
  kBf16,     // autocast: convolutions and linear layers in bfloat16
};

// `float32`, `tf32` or `bf16`. Throws ERR_INVALID_OPTION.
Precision to_precision(const std::string& name);

// Throws ERR_INVALID_OPTION where the device does not support it.
void require_precision(Precision precision, const DeviceChoice& device);

// Autocast of this thread, for one forward pass; nothing where the precision needs none. A cast weight is kept for the
// length of the pass. Backward passes run without it: each gradient gets the type of what it belongs to.
class Autocast {
 public:
  Autocast(Precision precision, c10::DeviceType device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_;
  c10::DeviceType device_;
  bool was_enabled_ = false;
  bool was_caching_ = false;
  at::ScalarType was_dtype_ = at::kFloat;
};

// CUDA: whether TF32 may be used is a setting of the whole process, which a network in float32 needs off and one in
// tf32 on. It stays as its owner needs it while the owner lives. On the CPU, and for bf16, which multiplies no float32
// at all, nothing is held.
class Tf32Hold {
 public:
  // Throws ERR_DEVICE where networks of the other kind live on CUDA in this process and do not go within two seconds.
  Tf32Hold(Precision precision, c10::Device device);
  ~Tf32Hold();
  Tf32Hold(const Tf32Hold&) = delete;
  Tf32Hold& operator=(const Tf32Hold&) = delete;

 private:
  bool holds_;
};

}  // namespace covidct
