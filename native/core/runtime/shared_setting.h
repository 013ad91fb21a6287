// A setting of the whole process, for users that each need it to stay as they have it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace covidct {

// Thread-safe. At any time all users agree, so the setting changes only while nobody uses it.
class SharedSetting {
 public:
  explicit SharedSetting(std::function<void(bool)> apply) : apply_(std::move(apply)) {}

  // Joins those who want this value; the first one applies it. Where others hold another value, waits for them to
  // leave, for someone who has just been told to end may still be on the way out. False when they have not left in that
  // time.
  bool join(bool value, std::chrono::milliseconds patience) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!left_.wait_for(lock, patience, [&] { return users_ == 0 || value_ == value; })) return false;
    if (users_ == 0) apply_(value);
    value_ = value;
    ++users_;
    return true;
  }

  // Must be called once for every join() that returned true.
  void leave() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      --users_;
    }
    left_.notify_all();
  }

 private:
  std::function<void(bool)> apply_;
  std::mutex mutex_;
  std::condition_variable left_;
  bool value_ = false;
  int users_ = 0;
};

}  // namespace covidct
