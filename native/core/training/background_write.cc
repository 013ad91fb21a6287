#include "core/training/background_write.h"

#include <utility>

#include "core/runtime/threads.h"
#include "core/training/weights.h"

namespace covidct {

void BackgroundWrite::begin(const std::string& path, int64_t offset, std::vector<at::Tensor> tensors,
                            std::shared_ptr<void> hold) {
  join();
  failure_ = nullptr;
  thread_ = std::thread([this, path, offset, tensors = std::move(tensors), hold = std::move(hold)]() mutable {
    try {
      use_one_thread();  // A second team beside the learner's would take its cores.
      write_tensors(path, offset, tensors, &stop_);
    } catch (...) {
      failure_ = std::current_exception();
    }
    // Before the hold, so that copies are gone when the owner goes on.
    tensors.clear();
    hold.reset();
  });
}

void BackgroundWrite::finish() {
  join();
  if (failure_) std::rethrow_exception(failure_);
}

void BackgroundWrite::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace covidct
