#include <c10/core/GradMode.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/runtime/failure.h"
#include "core/training/weights.h"

namespace covidct {

namespace {

// Small enough that a write that is stopped ends soon.
constexpr size_t kPiece = 4 << 20;

std::string reason() { return std::generic_category().message(errno); }

// A file that exists, written from a place on.
class WriteFile {
 public:
  // Opened to read as well, since a pipe would wait for its reader otherwise.
  WriteFile(const std::string& path, int64_t offset)
      : path_(path), handle_(open(path.c_str(), O_RDWR | O_CLOEXEC)), offset_(static_cast<off_t>(offset)) {
    if (handle_ < 0) throw Failure("ERR_RUN_FOLDER", "cannot open '" + path + "' for writing: " + reason());
  }
  ~WriteFile() {
    if (handle_ >= 0) ::close(handle_);
  }
  WriteFile(const WriteFile&) = delete;
  WriteFile& operator=(const WriteFile&) = delete;

  void write(const char* data, size_t bytes, const std::atomic<bool>* stop) {
    while (bytes > 0) {
      if (stop != nullptr && stop->load(std::memory_order_relaxed))
        throw Failure("ERR_ABORTED", "writing '" + path_ + "' was stopped; what stands in the file is a part");
      const ssize_t written = pwrite(handle_, data, std::min(bytes, kPiece), offset_);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail();
      data += written, bytes -= static_cast<size_t>(written), offset_ += written;
    }
  }

  // Some file systems tell only now that the disk is full.
  void close() {
    if (::close(std::exchange(handle_, -1)) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw Failure("ERR_RUN_FOLDER", "cannot write '" + path_ + "': " + reason() + "; is the disk full?");
  }

  std::string path_;
  int handle_;
  off_t offset_;
};

}  // namespace

void write_tensors(const std::string& path, int64_t offset, const std::vector<at::Tensor>& tensors,
                   const std::atomic<bool>* stop) {
  c10::AutoGradMode no_grad(false);
  WriteFile file(path, offset);
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor flat = tensor.detach().cpu().contiguous();
    file.write(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes(), stop);
  }
  file.close();
}

}  // namespace covidct
