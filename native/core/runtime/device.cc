#include "core/runtime/device.h"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/headeronly/version.h>

#include <cctype>

#include "core/runtime/failure.h"
#include "core/runtime/threads.h"

namespace covidct {

namespace {

int64_t cuda_count() { return at::hasCUDA() ? static_cast<int64_t>(at::detail::getCUDAHooks().getNumGPUs()) : 0; }

#ifdef COVIDCT_WITH_CUDA
constexpr bool kCudaBuilt = true;
#else
constexpr bool kCudaBuilt = false;
#endif

std::string why_no_cuda() {
  return kCudaBuilt ? "LibTorch has CUDA but sees no GPU or driver" : "this LibTorch is built for the CPU alone";
}

bool is_number(const std::string& text) {
  if (text.empty() || text.size() > 3) return false;
  for (unsigned char c : text) {
    if (std::isdigit(c) == 0) return false;
  }
  return true;
}

}  // namespace

DeviceChoice choose_device(const std::string& name) {
  if (name == "cpu") return {c10::Device(c10::kCPU), "the CPU was asked for"};
  const int64_t gpus = cuda_count();
  if (name == "auto") {
    if (gpus > 0) return {c10::Device(c10::kCUDA, 0), "auto: a CUDA GPU is there"};
    return {c10::Device(c10::kCPU), "auto: no CUDA GPU, because " + why_no_cuda()};
  }
  const bool bare = name == "cuda";
  if (!bare && !(name.rfind("cuda:", 0) == 0 && is_number(name.substr(5)))) {
    throw Failure("ERR_DEVICE", "expected a device of 'cpu', 'cuda', 'cuda:N' or 'auto', got '" + name + "'");
  }
  if (gpus == 0) {
    throw Failure("ERR_DEVICE", "the device '" + name + "' is not available: " + why_no_cuda() +
                                    "; use device 'cpu', or a LibTorch with CUDA (see `covidct doctor`)");
  }
  const int64_t index = bare ? 0 : std::stoll(name.substr(5));
  if (index >= gpus) {
    throw Failure("ERR_DEVICE", "the device '" + name + "' is not available: there are " + std::to_string(gpus) +
                                    " CUDA GPUs, cuda:0 to cuda:" + std::to_string(gpus - 1));
  }
  return {c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index)), "'" + name + "' was asked for"};
}

void set_up(c10::Device device) {
  if (device.is_cuda()) at::globalContext().setBenchmarkCuDNN(true);
}

void release_cached_memory(c10::Device device) noexcept {
  if (device.is_cpu()) return;
  try {
    at::getDeviceAllocator(device.type())->emptyCache();
  } catch (...) {
    // A device that has failed cannot be freed of anything; what failed first is what is told.
  }
}

LibtorchInfo libtorch_info() {
  LibtorchInfo info;
  info.version = TORCH_VERSION;
  info.cpu_capability = at::get_cpu_capability();
  info.threads = default_threads();
  info.cuda_built = kCudaBuilt;
  for (int64_t i = 0; i < cuda_count(); ++i) info.cuda_devices.push_back("cuda:" + std::to_string(i));
  return info;
}

}  // namespace covidct
