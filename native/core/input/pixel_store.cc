#include "core/input/pixel_store.h"

namespace covidct {

void PixelStore::set_budget(int64_t bytes) {
  std::unordered_map<int64_t, at::Tensor> gone;  // freed after the lock
  const std::lock_guard<std::mutex> lock(mutex_);
  kept_.swap(gone);
  budget_ = bytes;
  bytes_ = 0;
}

bool PixelStore::on() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return budget_ > 0;
}

at::Tensor PixelStore::find(int64_t key) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = kept_.find(key);
  return found == kept_.end() ? at::Tensor() : found->second;
}

bool PixelStore::has_room(int64_t bytes) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_ + bytes <= budget_;
}

void PixelStore::keep(int64_t key, const at::Tensor& image) {
  const auto bytes = static_cast<int64_t>(image.nbytes());
  const std::lock_guard<std::mutex> lock(mutex_);
  if (bytes_ + bytes > budget_ || !kept_.emplace(key, image).second) return;
  bytes_ += bytes;
}

int64_t PixelStore::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

}  // namespace covidct
