// Memory for the large tensors of one thread, kept from step to step: fresh pages cost more than the arithmetic on
// them.
#pragma once

#include <cstdint>
#include <memory>

namespace covidct {

// While it lives, tensors of kLeastBytes and more that its thread allocates on the CPU come from it, LibTorch's own
// among them.
// Memory of a tensor that outlives it goes back to the system with the tensor. Must end in the thread that it began in.
class Arena {
 public:
  static constexpr int64_t kLeastBytes = 256 << 10;

  // Puts itself in front of LibTorch's allocator, once a process; best before there is another thread.
  static void install();

  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // What it holds without a tensor in it.
  int64_t idle_bytes() const;
  // Returns to the system what holds no tensor.
  void trim();

  struct Pool;

  // While it lives, tensors that its thread makes come from the system: those that stay would cut up what comes again
  // in each step.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Pool* paused_;
  };

 private:
  std::shared_ptr<Pool> pool_;
  Pool* outer_;
};

}  // namespace covidct
