#include "weights.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

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

int64_t bytes_of(const TensorSource& source, const at::Tensor& tensor) {
  return tensor.numel() * static_cast<int64_t>(c10::elementSize(dtype_of(source)));
}

void check_source(const TensorSource& source, const at::Tensor& tensor, int64_t file_bytes) {
  if (!tensor.sizes().equals(source.shape)) {
    throw Failure("ERR_WEIGHTS", "tensor '" + source.name + "': expected shape " + shape_text(tensor.sizes()) +
                                     ", the file has " + shape_text(source.shape));
  }
  if (source.offset < 0 || source.offset > file_bytes || bytes_of(source, tensor) > file_bytes - source.offset) {
    throw Failure("ERR_WEIGHTS", "tensor '" + source.name + "' reaches beyond the end of the file; it is truncated or damaged");
  }
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
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Failure("ERR_WEIGHTS", "cannot open '" + path + "': " + std::strerror(errno));
  const auto file_bytes = static_cast<int64_t>(file.tellg());
  for (size_t i = 0; i < sources.size(); ++i) check_source(sources[i], tensors[i], file_bytes);

  c10::AutoGradMode no_grad(false);
  // Read everything first: a disk that fails in the middle must not leave a mixture.
  std::vector<at::Tensor> staged;
  for (size_t i = 0; i < sources.size(); ++i) {
    at::Tensor values = at::empty(tensors[i].sizes(), dtype_of(sources[i]));
    file.seekg(sources[i].offset);
    file.read(static_cast<char*>(values.mutable_data_ptr()), static_cast<std::streamsize>(values.nbytes()));
    if (!file) {
      throw Failure("ERR_WEIGHTS", "reading '" + path + "' failed at tensor '" + sources[i].name + "'; the network is as it was");
    }
    staged.push_back(std::move(values));
  }
  for (size_t i = 0; i < sources.size(); ++i) tensors[i].copy_(staged[i]);
}

}  // namespace covidct
