#include "weights.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "failure.h"

namespace covidct {

namespace {

constexpr std::pair<const char*, at::ScalarType> kDtypes[] = {
    {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"F64", at::kDouble}, {"I64", at::kLong},
    {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},      {"U8", at::kByte},    {"BOOL", at::kBool},
};

at::ScalarType dtype_of(const TensorSource& source) {
  for (const auto& [name, dtype] : kDtypes) {
    if (source.dtype == name) return dtype;
  }
  throw Failure("ERR_WEIGHTS", "tensor '" + source.name + "' has the dtype " + source.dtype + ", which is not supported");
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

bool fits(const TensorSource& source, const at::Tensor& tensor) {
  if (!source.sum_input) return tensor.sizes().equals(source.shape);
  std::vector<int64_t> summed = source.shape;
  if (summed.size() < 2) return false;
  summed[1] = 1;
  return tensor.sizes().equals(summed);
}

// Elements from the first to the last that the source uses, both counted; -1 when that is beyond all numbers.
int64_t span_of(const TensorSource& source) {
  int64_t count = 1, last = 0;
  for (size_t i = 0; i < source.shape.size(); ++i) {
    int64_t step = 0;
    if (__builtin_mul_overflow(count, source.shape[i], &count)) return -1;
    if (source.strides.empty() || source.shape[i] == 0) continue;
    if (__builtin_mul_overflow(source.shape[i] - 1, source.strides[i], &step) || __builtin_add_overflow(last, step, &last)) return -1;
  }
  if (count == 0) return 0;
  return source.strides.empty() ? count : last + 1;
}

void check_source(const TensorSource& source, const at::Tensor& tensor, int64_t file_bytes) {
  if (!fits(source, tensor)) {
    throw Failure("ERR_WEIGHTS", "tensor '" + source.name + "': expected shape " + shape_text(tensor.sizes()) +
                                     ", the file has " + shape_text(source.shape));
  }
  const auto size = static_cast<int64_t>(c10::elementSize(dtype_of(source)));
  const int64_t span = !source.strides.empty() && source.strides.size() != source.shape.size() ? -1 : span_of(source);
  if (span < 0 || source.offset < 0 || source.offset > file_bytes || span > (file_bytes - source.offset) / size) {
    throw Failure("ERR_WEIGHTS", "tensor '" + source.name + "' reaches beyond the end of the file; it is truncated or damaged");
  }
}

// A file that is read at any place, from several threads.
class ReadFile {
 public:
  explicit ReadFile(const std::string& path) : path_(path), handle_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat facts {};
    if (handle_ < 0 || fstat(handle_, &facts) != 0) {
      const std::string reason = std::strerror(errno);
      if (handle_ >= 0) close(handle_);
      throw Failure("ERR_WEIGHTS", "cannot open '" + path + "': " + reason);
    }
    bytes_ = static_cast<int64_t>(facts.st_size);
  }
  ~ReadFile() { close(handle_); }
  ReadFile(const ReadFile&) = delete;
  ReadFile& operator=(const ReadFile&) = delete;

  const std::string& path() const { return path_; }
  int64_t bytes() const { return bytes_; }

  // Whether `count` bytes from `offset` on could be read into `data`, the threads sharing the work.
  bool read(char* data, int64_t count, int64_t offset) const {
    constexpr int64_t kPiece = 4 << 20;
    std::atomic<bool> whole{true};
    at::parallel_for(0, (count + kPiece - 1) / kPiece, 1, [&](int64_t begin, int64_t end) {
      const int64_t stop = std::min(count, end * kPiece);
      if (!read_range(data, begin * kPiece, stop, offset)) whole = false;
    });
    return whole;
  }

 private:
  bool read_range(char* data, int64_t at, int64_t stop, int64_t offset) const {
    while (at < stop) {
      const ssize_t got = pread(handle_, data + at, static_cast<size_t>(stop - at), static_cast<off_t>(offset + at));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      at += got;
    }
    return true;
  }

  std::string path_;
  int handle_;
  int64_t bytes_ = 0;
};

void read_bytes(const ReadFile& file, const TensorSource& source, at::Tensor& into) {
  if (file.read(static_cast<char*>(into.mutable_data_ptr()), static_cast<int64_t>(into.nbytes()), source.offset)) return;
  throw Failure("ERR_WEIGHTS", "reading '" + file.path() + "' failed at tensor '" + source.name +
                                   "'; the network now holds some of the file's tensors and some of its own: load weights again");
}

// One tensor at a time is held beside the network, and none where the bytes can be read straight into it.
void read_tensor(const ReadFile& file, const TensorSource& source, at::Tensor tensor) {
  const at::ScalarType dtype = dtype_of(source);
  if (source.strides.empty() && !source.sum_input && tensor.is_cpu() && tensor.is_contiguous() && tensor.scalar_type() == dtype) {
    read_bytes(file, source, tensor);
    return;
  }
  at::Tensor flat = at::empty({span_of(source)}, dtype);
  read_bytes(file, source, flat);
  at::Tensor values = source.strides.empty() || flat.numel() == 0 ? flat.view(source.shape) : flat.as_strided(source.shape, source.strides);
  if (source.sum_input) values = values.to(at::kFloat).sum(1, /*keepdim=*/true);
  tensor.copy_(values);
}

}  // namespace

std::string dtype_name(at::ScalarType wanted) {
  for (const auto& [name, dtype] : kDtypes) {
    if (dtype == wanted) return name;
  }
  throw Failure("ERR_WEIGHTS", std::string("no safetensors name for dtype ") + c10::toString(wanted));
}

void write_tensors(const std::string& path, int64_t offset, const std::vector<at::Tensor>& tensors) {
  c10::AutoGradMode no_grad(false);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  if (!file) throw Failure("ERR_RUN_FOLDER", "cannot open '" + path + "' for writing: " + std::strerror(errno));
  file.seekp(offset);
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor flat = tensor.detach().cpu().contiguous();
    file.write(static_cast<const char*>(flat.const_data_ptr()), static_cast<std::streamsize>(flat.nbytes()));
  }
  file.flush();
  if (!file) throw Failure("ERR_RUN_FOLDER", "cannot write '" + path + "': " + std::strerror(errno) + "; is the disk full?");
}

void read_tensors(const std::string& path, const std::vector<TensorSource>& sources, const std::vector<at::Tensor>& tensors) {
  const ReadFile file(path);
  for (size_t i = 0; i < sources.size(); ++i) check_source(sources[i], tensors[i], file.bytes());

  c10::AutoGradMode no_grad(false);
  for (size_t i = 0; i < sources.size(); ++i) read_tensor(file, sources[i], tensors[i]);
}

}  // namespace covidct
