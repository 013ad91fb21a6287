// Memory for the pixels of a batch on its way from JavaScript's thread to the classifier's. What one batch gives back
// the next one gets: memory that is touched for the first time costs a page fault for every 4 KiB, and those cost more
// than the copying itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace covidct {

// At most so many bytes are kept for later batches, by the whole process.
constexpr size_t kKeptPixelBytes = size_t{64} << 20;

class PixelBuffer {
 public:
  PixelBuffer() = default;
  // Undefined content. Throws std::bad_alloc.
  explicit PixelBuffer(size_t bytes);
  PixelBuffer(PixelBuffer&& other) noexcept;
  PixelBuffer& operator=(PixelBuffer&& other) noexcept;
  ~PixelBuffer();

  uint8_t* data() const { return data_; }

 private:
  uint8_t* data_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace covidct
