#include "core/input/pixel_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace covidct {

namespace {

struct Piece {
  uint8_t* data;
  size_t capacity;
};

// Buffers go from thread to thread, so the pool is the process's.
class Pool {
 public:
  Piece take(size_t bytes) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto found =
          std::find_if(kept_.rbegin(), kept_.rend(), [bytes](const Piece& each) { return each.capacity >= bytes; });
      if (found != kept_.rend()) {
        const Piece piece = *found;
        kept_bytes_ -= piece.capacity;
        kept_.erase(std::next(found).base());
        return piece;
      }
    }
    auto* data = static_cast<uint8_t*>(std::malloc(bytes));
    if (data == nullptr) throw std::bad_alloc();
    return {data, bytes};
  }

  void put(Piece piece) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (piece.capacity > kKeptPixelBytes) return std::free(piece.data);
    // The oldest go: batches of another size than today's.
    while (kept_.size() == kMostKept || kept_bytes_ + piece.capacity > kKeptPixelBytes) {
      kept_bytes_ -= kept_.front().capacity;
      std::free(kept_.front().data);
      kept_.erase(kept_.begin());
    }
    kept_bytes_ += piece.capacity;
    kept_.push_back(piece);
  }

  Pool() { kept_.reserve(kMostKept); }

 private:
  static constexpr size_t kMostKept = 4;
  std::mutex mutex_;
  std::vector<Piece> kept_;
  size_t kept_bytes_ = 0;
};

// Never destroyed: a classifier's thread may still give back while the process ends.
Pool& pool() {
  static Pool& pool = *new Pool;
  return pool;
}

}  // namespace

PixelBuffer::PixelBuffer(size_t bytes) {
  const Piece piece = pool().take(std::max<size_t>(bytes, 1));
  data_ = piece.data;
  capacity_ = piece.capacity;
}

PixelBuffer::PixelBuffer(PixelBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), capacity_(std::exchange(other.capacity_, 0)) {}

PixelBuffer& PixelBuffer::operator=(PixelBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

PixelBuffer::~PixelBuffer() {
  if (data_ != nullptr) pool().put({data_, capacity_});
}

}  // namespace covidct
