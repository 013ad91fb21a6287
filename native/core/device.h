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

// `cpu`, `cuda`, `cuda:N` or `auto`; throws ERR_DEVICE with the reason when it cannot be had.
DeviceChoice choose_device(const std::string& wish);

struct LibtorchInfo {
  std::string version;
  std::string cpu_capability;
  int threads;
  bool cuda_built;
  std::vector<std::string> cuda_devices;
};

LibtorchInfo libtorch_info();

}  // namespace covidct
