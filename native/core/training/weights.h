// Moves the bytes of named tensors between a file and memory; what the bytes mean is decided in src/model.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace covidct {

struct TensorSource {
  std::string name;
  std::string dtype;  // as safetensors spells it
  std::vector<int64_t> shape;
  int64_t offset;
  std::vector<int64_t> strides;  // in elements; empty: contiguous
  bool sum_input = false;        // the file's second dimension is summed into one: RGB filters for gray input
};

// safetensors' name of a dtype; throws ERR_WEIGHTS for one it has none for.
std::string dtype_name(at::ScalarType dtype);

// Writes the raw bytes of the tensors, contiguous and one after another, at `offset` of a file that exists. Tensors
// that are not contiguous on the host are copied there, one at a time. Ends with ERR_ABORTED once `stop` is true.
void write_tensors(const std::string& path, int64_t offset, const std::vector<at::Tensor>& tensors,
                   const std::atomic<bool>* stop = nullptr);

// Where a source goes.
struct Destination {
  at::Tensor tensor;
  bool finite;  // NaN and infinite numbers are refused
};

// Copies the sources into the destinations of the same position. Everything is checked before anything is overwritten,
// also that numbers are finite in the tensor's own dtype, ERR_WEIGHTS with tensor and index otherwise; only a disk that
// fails in the middle leaves a mixture, and the error says so. `undefined`: what the tensors hold now is of no value,
// so that it may be overwritten before the last number has been looked at.
void read_tensors(const std::string& path, const std::vector<TensorSource>& sources,
                  const std::vector<Destination>& destinations, bool undefined);

}  // namespace covidct
