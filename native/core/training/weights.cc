#include "core/training/weights.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include "core/kernels/bounds.h"
#include "core/runtime/arena.h"
#include "core/runtime/failure.h"

namespace covidct {

namespace {

constexpr std::pair<const char*, at::ScalarType> kDtypes[] = {
    {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16}, {"F64", at::kDouble}, {"I64", at::kLong},
    {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},       {"U8", at::kByte},    {"BOOL", at::kBool},
};

at::ScalarType dtype_of(const TensorSource& source) {
  for (const auto& [name, dtype] : kDtypes) {
    if (source.dtype == name) return dtype;
  }
  throw Failure("ERR_WEIGHTS",
                "tensor '" + source.name + "' has the dtype " + source.dtype + ", which is not supported");
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
    if (__builtin_mul_overflow(source.shape[i] - 1, source.strides[i], &step) ||
        __builtin_add_overflow(last, step, &last))
      return -1;
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
    throw Failure("ERR_WEIGHTS",
                  "tensor '" + source.name + "' reaches beyond the end of the file; it is truncated or damaged");
  }
}

// A file that is read at any place, from several threads.
class ReadFile {
 public:
  explicit ReadFile(const std::string& path) : path_(path), handle_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat facts{};
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

  // Whether `count` bytes from `offset` on could be read, the threads sharing the work. look(part, bytes, position of
  // the part) sees every part while it is near.
  template <typename Look>
  bool read(char* data, int64_t count, int64_t offset, const Look& look) const {
    constexpr int64_t kPiece = 4 << 20, kPart = 256 << 10;
    std::atomic<bool> whole{true};
    at::parallel_for(0, (count + kPiece - 1) / kPiece, 1, [&](int64_t begin, int64_t end) {
      const int64_t stop = std::min(count, end * kPiece);
      for (int64_t at = begin * kPiece; at < stop; at += kPart) {
        const int64_t bytes = std::min(kPart, stop - at);
        if (!read_range(data + at, bytes, offset + at)) {
          whole = false;
          return;
        }
        look(data + at, bytes, at);
      }
    });
    return whole;
  }

 private:
  bool read_range(char* to, int64_t count, int64_t offset) const {
    while (count > 0) {
      const ssize_t got = pread(handle_, to, static_cast<size_t>(count), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      to += got, offset += got, count -= got;
    }
    return true;
  }

  std::string path_;
  int handle_;
  int64_t bytes_ = 0;
};

std::string index_text(int64_t position, at::IntArrayRef shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t i = shape.size(); i-- > 0; position /= shape[i]) index[i] = position % shape[i];
  return shape_text(index);
}

std::string value_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char text[64];
  std::snprintf(text, sizeof text, "%g, more than float32 holds,", value);
  return text;
}

[[noreturn]] void refuse(const ReadFile& file, const TensorSource& source, int64_t position, double value) {
  throw Failure("ERR_WEIGHTS",
                "'" + file.path() + "': tensor '" + source.name + "' has " + value_text(value) + " at " +
                    index_text(position, source.sum_input ? std::vector<int64_t>{source.shape[0], 1, source.shape[2],
                                                                                 source.shape[3]}
                                                          : source.shape) +
                    "; expected finite numbers alone, since no prediction with others means anything. Take an earlier "
                    "checkpoint, or, for a look "
                    "inside, set allowNonFinite (--allow-non-finite). Nothing was loaded");
}

[[noreturn]] void cannot_read(const ReadFile& file, const TensorSource& source) {
  throw Failure("ERR_WEIGHTS", "reading '" + file.path() + "' failed at tensor '" + source.name +
                                   "': its disk failed, or the file was cut off meanwhile. Nothing was loaded");
}

// The bytes of a tensor as they stand in the file. `finite`: they are float32 and have to be finite.
void read_bytes(const ReadFile& file, const TensorSource& source, char* into, int64_t count, bool finite) {
  std::mutex mutex;
  int64_t bad = count;
  float value = 0;
  const auto look = [&](const char* part, int64_t bytes, int64_t at) {
    if (!finite) return;
    const auto* const numbers = reinterpret_cast<const float*>(part);
    const int64_t length = bytes / static_cast<int64_t>(sizeof(float)), first = first_not_finite(numbers, length);
    const int64_t position = at / static_cast<int64_t>(sizeof(float)) + first;
    if (first == length) return;
    const std::lock_guard<std::mutex> lock(mutex);
    if (position >= bad) return;
    bad = position;
    value = numbers[first];
  };
  if (!file.read(into, count, source.offset, look)) cannot_read(file, source);
  if (bad < count) refuse(file, source, bad, value);
}

// Whether the file has the very bytes of the tensor.
bool is_verbatim(const TensorSource& source, const at::Tensor& tensor) {
  return source.strides.empty() && !source.sum_input && tensor.is_cpu() && tensor.is_contiguous() &&
         tensor.scalar_type() == dtype_of(source);
}

// The values of a tensor that are not the file's bytes: in the file's dtype, or float32 where they are summed.
at::Tensor values_of(const ReadFile& file, const TensorSource& source) {
  at::Tensor flat = at::empty({span_of(source)}, dtype_of(source));
  read_bytes(file, source, static_cast<char*>(flat.mutable_data_ptr()), static_cast<int64_t>(flat.nbytes()),
             /*finite=*/false);
  const at::Tensor values = source.strides.empty() || flat.numel() == 0 ? flat.view(source.shape)
                                                                        : flat.as_strided(source.shape, source.strides);
  return source.sum_input ? values.to(at::kFloat).sum(1, /*keepdim=*/true) : values;
}

void require_finite(const ReadFile& file, const TensorSource& source, const at::Tensor& values) {
  if (!values.is_floating_point()) return;
  const at::Tensor numbers = values.to(at::kFloat).contiguous();  // what the network will hold
  const int64_t position = first_not_finite(numbers.const_data_ptr<float>(), numbers.numel());
  if (position < numbers.numel()) refuse(file, source, position, values.reshape({-1})[position].item<double>());
}

// Straight into the tensor where it is of no value yet and the file has its very bytes. Otherwise into memory, from
// which the tensor is filled by whoever is given it.
at::Tensor read_tensor(const ReadFile& file, const TensorSource& source, const Destination& destination) {
  const at::Tensor& tensor = destination.tensor;
  if (is_verbatim(source, tensor)) {
    const at::Tensor into = destination.valued ? at::empty_like(tensor) : tensor;
    read_bytes(file, source, static_cast<char*>(into.mutable_data_ptr()), static_cast<int64_t>(into.nbytes()),
               destination.finite && into.scalar_type() == at::kFloat);
    return into;
  }
  at::Tensor values = values_of(file, source);
  if (destination.finite) require_finite(file, source, values);
  return values;
}

}  // namespace

std::string dtype_name(at::ScalarType wanted) {
  for (const auto& [name, dtype] : kDtypes) {
    if (dtype == wanted) return name;
  }
  throw Failure("ERR_WEIGHTS", std::string("no safetensors name for dtype ") + c10::toString(wanted));
}

void read_tensors(const std::string& path, const std::vector<TensorSource>& sources,
                  const std::vector<Destination>& destinations) {
  const ReadFile file(path);
  for (size_t i = 0; i < sources.size(); ++i) check_source(sources[i], destinations[i].tensor, file.bytes());

  c10::AutoGradMode no_grad(false);
  const Arena::Pause pause;  // As much as a network is not worth keeping for the steps.
  std::vector<std::pair<at::Tensor, at::Tensor>> read;
  for (size_t i = 0; i < sources.size(); ++i) {
    at::Tensor tensor = destinations[i].tensor, values = read_tensor(file, sources[i], destinations[i]);
    if (destinations[i].valued)
      read.emplace_back(std::move(tensor), std::move(values));
    else if (!values.is_same(tensor))
      tensor.copy_(values);
  }
  for (auto& [tensor, values] : read) {
    tensor.copy_(values);
    values.reset();
  }
}

}  // namespace covidct
