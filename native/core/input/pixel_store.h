// Decoded images on the network's device, within a budget, so that a later epoch sends nothing but boxes to cut out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace covidct {

// Thread-safe. What find() returned stays valid when the image is dropped.
class PixelStore {
 public:
  // From now on at most so many bytes are kept, and all that is kept now is let go. 0: the store is off.
  void set_budget(int64_t bytes);
  bool on() const;
  // uint8, height x width x 3, on the device; undefined where it is not kept.
  at::Tensor find(int64_t key) const;
  // Whether so many bytes would fit.
  bool has_room(int64_t bytes) const;
  // Does nothing where it is kept already or does not fit.
  void keep(int64_t key, const at::Tensor& image);
  int64_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<int64_t, at::Tensor> kept_;
  int64_t budget_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace covidct
