// One write to a file on a thread of its own, while its tensors stay as they are.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace covidct {

// For one owning thread, which begins and finishes.
class BackgroundWrite {
 public:
  // `stop` outlives it; when it turns true, the write ends soon, with ERR_ABORTED.
  explicit BackgroundWrite(const std::atomic<bool>& stop) : stop_(stop) {}
  ~BackgroundWrite() { join(); }
  BackgroundWrite(const BackgroundWrite&) = delete;
  BackgroundWrite& operator=(const BackgroundWrite&) = delete;

  // Begins what write_tensors() does, after the end of the write before, whose failure is forgotten. `hold` is let go
  // at the end of the write, on its thread; until then the tensors must not change.
  void begin(const std::string& path, int64_t offset, std::vector<at::Tensor> tensors, std::shared_ptr<void> hold);
  // Waits for the end of the latest write, and throws what it failed with.
  void finish();

 private:
  void join();

  const std::atomic<bool>& stop_;
  std::thread thread_;
  std::exception_ptr failure_;  // the thread's until it is joined
};

}  // namespace covidct
