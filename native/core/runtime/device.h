// Chooses the device a network lives on, and tells what this LibTorch can do.
#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

namespace covidct {

struct DeviceChoice {
  c10::Device device;
  std::string reason;  // one sentence for a person
};

// `cpu`, `cuda`, `cuda:N` or `auto`; throws ERR_DEVICE with the reason when it is not available.
DeviceChoice choose_device(const std::string& name);

// Must be called before a network is built there. CUDA: cuDNN tries its algorithms on each new shape and keeps the
// fastest.
void set_up(c10::Device device);

// Returns memory that LibTorch's allocator caches to the device. Never throws.
void release_cached_memory(c10::Device device) noexcept;

struct LibtorchInfo {
  std::string version;
  std::string cpu_capability;
  int threads;
  bool cuda_built;
  std::vector<std::string> cuda_devices;
};

LibtorchInfo libtorch_info();

}  // namespace covidct
