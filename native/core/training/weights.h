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
  bool valued;  // What it holds now is of value: it stays until everything has been read.
};

// Copies the sources into the destinations of the same position: into all that are `valued`, or into none of them.
// They are overwritten only after every byte has been read and, where asked for, looked at (ERR_WEIGHTS with tensor and
// index for a number that is not finite in the tensor's own dtype), which takes their size once more in memory; after a
// failure the others hold anything.
void read_tensors(const std::string& path, const std::vector<TensorSource>& sources,
                  const std::vector<Destination>& destinations);

}  // namespace covidct
