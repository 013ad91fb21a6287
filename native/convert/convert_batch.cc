// A micro-batch: checked so that nothing in it can corrupt memory, its pixels copied once.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "convert/convert_parts.h"

namespace covidct {

namespace {

int64_t to_side(const Napi::Value& value, const char* what) {
  const double side = to_number(value, what);
  if (!(side >= 1 && side <= 16384) || side != std::floor(side)) {
    bad_batch(value, std::string("expected a whole number of pixels in [1, 16384] for ") + what);
  }
  return static_cast<int64_t>(side);
}

std::array<double, 3> to_triple(const Napi::Value& value, const char* what) {
  const std::vector<double> numbers = to_numbers<double>(value, napi_float64_array, what);
  if (numbers.size() != 3) bad_batch(value, std::string("expected 3 numbers for ") + what);
  return {numbers[0], numbers[1], numbers[2]};
}

// The rows of real numbers, one for each row of the programs; without `factors` all are 0.
std::vector<double> to_factors(const Napi::Value& value, size_t rows) {
  if (value.IsUndefined()) return std::vector<double>(rows * kPixelFactorStride, 0.0);
  std::vector<double> factors = to_numbers<double>(value, napi_float64_array, "factors");
  if (factors.size() != rows * kPixelFactorStride ||
      !std::all_of(factors.begin(), factors.end(), [](double each) { return std::isfinite(each); })) {
    bad_batch(value,
              "factors must hold " + std::to_string(kPixelFactorStride) + " finite numbers for each row of programs");
  }
  return factors;
}

// The rows of each image.
std::vector<Program> to_programs(const Napi::Object& object, size_t images) {
  const Napi::Value value = object.Get("programs");
  const auto rows = to_numbers<int32_t>(value, napi_int32_array, "programs");
  const auto offsets = to_numbers<int32_t>(object.Get("programOffsets"), napi_int32_array, "programOffsets");
  const auto count = static_cast<int64_t>(rows.size()) / kPixelOpStride;
  if (static_cast<int64_t>(rows.size()) % kPixelOpStride != 0 || offsets.size() != images + 1 || offsets.front() != 0 ||
      offsets.back() != count || !std::is_sorted(offsets.begin(), offsets.end())) {
    bad_batch(value, "programs and programOffsets do not fit the images");
  }
  const std::vector<double> factors = to_factors(object.Get("factors"), static_cast<size_t>(count));
  std::vector<Program> programs(images);
  for (size_t i = 0; i < images; ++i) {
    for (int64_t row = offsets[i]; row < offsets[i + 1]; ++row) {
      PixelStep& step = programs[i].emplace_back();
      std::copy_n(rows.begin() + row * kPixelOpStride, kPixelOpStride, step.whole.begin());
      std::copy_n(factors.begin() + row * kPixelFactorStride, kPixelFactorStride, step.factors.begin());
    }
  }
  return programs;
}

// Whether the program begins by cutting out a box that lies in the image.
bool begins_inside(const Program& program, int32_t height, int32_t width) {
  if (program.empty() || program[0].op() != kCrop) return false;
  const auto [op, top, left, box_height, box_width] = program[0].whole;
  return top >= 0 && left >= 0 && box_height >= 1 && box_width >= 1 && int64_t{top} + box_height <= height &&
         int64_t{left} + box_width <= width;
}

// Where an image's pixels come from and how many bytes of them are needed.
struct Wanted {
  size_t skip = 0, rows = 0, row = 0, stride = 0;
  size_t bytes() const { return rows * row; }
};

// All of the image, or, where it is cut first and need not be whole, only the box: copying runs on the event loop.
// Takes the cut off the program.
Wanted wanted_of(int32_t height, int32_t width, bool whole, Program& program) {
  const size_t stride = static_cast<size_t>(width) * 3;
  if (whole || !begins_inside(program, height, width)) return {0, static_cast<size_t>(height), stride, stride};
  const auto [op, top, left, box_height, box_width] = program[0].whole;
  program.erase(program.begin());
  return {top * stride + left * size_t{3}, static_cast<size_t>(box_height), box_width * size_t{3}, stride};
}

const uint8_t* bytes_of(const Napi::Value& value, int32_t height, int32_t width) {
  const Napi::TypedArray array = to_typed(value, napi_uint8_array, "an image");
  if (array.ByteLength() != static_cast<size_t>(height) * static_cast<size_t>(width) * 3) {
    bad_batch(value, "an image has " + std::to_string(array.ByteLength()) + " bytes, expected height x width x 3 = " +
                         std::to_string(height) + " x " + std::to_string(width) + " x 3");
  }
  return static_cast<const uint8_t*>(data_of(array, "an image"));
}

void copy_image(const uint8_t* bytes, const Wanted& wanted, uint8_t* to) {
  const uint8_t* from = bytes + wanted.skip;
  if (wanted.row == wanted.stride) {
    std::memcpy(to, from, wanted.bytes());
    return;
  }
  for (size_t y = 0; y < wanted.rows; ++y) std::memcpy(to + y * wanted.row, from + y * wanted.stride, wanted.row);
}

// One for each image, 0 for none; without `keys` none has one.
std::vector<int32_t> to_keys(const Napi::Value& value, uint32_t count) {
  if (value.IsUndefined()) return std::vector<int32_t>(count, 0);
  std::vector<int32_t> keys = to_numbers<int32_t>(value, napi_int32_array, "keys");
  if (keys.size() != count || std::any_of(keys.begin(), keys.end(), [](int32_t key) { return key < 0; })) {
    bad_batch(value, "expected one key for each image, each 0 or more");
  }
  return keys;
}

// What the store has of this image; undefined where it has nothing.
at::Tensor kept_of(const Napi::Value& at, const Batch& batch, int32_t key, int32_t height, int32_t width) {
  const at::Tensor kept = batch.store && key != 0 ? batch.store->find(key) : at::Tensor();
  if (kept.defined() && (kept.size(0) != height || kept.size(1) != width)) {
    bad_batch(at, "the key " + std::to_string(key) + " was given to an image of " + std::to_string(kept.size(0)) +
                      " x " + std::to_string(kept.size(1)) + " pixels before, now to one of " + std::to_string(height) +
                      " x " + std::to_string(width));
  }
  return kept;
}

void read_images(const Napi::Object& object, const Napi::Array& images, uint32_t count, Batch& batch) {
  const auto sizes = to_numbers<int32_t>(object.Get("sizes"), napi_int32_array, "sizes");
  if (sizes.size() != 2 * size_t{count}) bad_batch(object, "sizes must hold height and width of each image");
  std::vector<Program> programs = to_programs(object, count);
  std::vector<int32_t> keys = to_keys(object.Get("keys"), count);
  std::vector<Wanted> wanted;
  std::vector<at::Tensor> kept;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const int32_t height = sizes[2 * i], width = sizes[2 * i + 1];
    if (height < 1 || width < 1 || int64_t{height} * width > kMaxPixels) {
      bad_batch(object,
                "an image of " + std::to_string(height) + " x " + std::to_string(width) + " pixels cannot be taken");
    }
    bytes_of(images[i], height, width);  // before any memory is asked for; again when it is copied
    if (!runs_on_device(programs[i])) keys[i] = 0;
    kept.push_back(kept_of(object, batch, keys[i], height, width));
    // What would find no room in the store is better made ready on the host.
    if (!kept.back().defined() && !(batch.store && batch.store->has_room(int64_t{height} * width * 3))) keys[i] = 0;
    wanted.push_back(wanted_of(height, width, /*whole=*/keys[i] != 0, programs[i]));
    if (kept.back().defined()) continue;
    bytes += wanted.back().bytes();
  }
  try {
    batch.pixels = PixelBuffer(bytes);
  } catch (const std::bad_alloc&) {
    throw_js(object.Env(), "ERR_OUT_OF_MEMORY",
             "the process ran out of memory for " + std::to_string(bytes) + " bytes of pixels");
  }
  uint8_t* to = batch.pixels.data();
  for (uint32_t i = 0; i < count; ++i) {
    const bool here = !kept[i].defined();
    if (here) copy_image(bytes_of(images[i], sizes[2 * i], sizes[2 * i + 1]), wanted[i], to);
    batch.images.push_back({here ? to : nullptr, static_cast<int64_t>(wanted[i].rows),
                            static_cast<int64_t>(wanted[i].row / 3), std::move(programs[i]), keys[i], kept[i]});
    if (here) to += wanted[i].bytes();
  }
}

}  // namespace

Batch to_batch(const Napi::Value& value, int64_t classes, bool labeled, const std::shared_ptr<PixelStore>& store) {
  const Napi::Object object = to_object(value, "the batch");
  const Napi::Value list = object.Get("images");
  if (!list.IsArray() || list.As<Napi::Array>().Length() == 0)
    bad_batch(value, "expected at least one image in the batch");
  const Napi::Array images = list.As<Napi::Array>();
  const uint32_t count = images.Length();  // once: an element that is an accessor could change it
  Batch batch;
  // Only where one is kept or may be: a batch without keys is made ready on the host.
  if (store->on() && !object.Get("keys").IsUndefined()) batch.store = store;
  batch.height = to_side(object.Get("height"), "height");
  batch.width = to_side(object.Get("width"), "width");
  batch.mean = to_triple(object.Get("mean"), "mean");
  batch.std = to_triple(object.Get("std"), "std");
  if (std::any_of(batch.std.begin(), batch.std.end(), [](double each) { return !(each > 0); })) {
    bad_batch(value, "every entry of std must be greater than 0");
  }
  read_images(object, images, count, batch);
  const Napi::Value labels = object.Get("labels");
  if (labeled || !labels.IsUndefined()) batch.labels = to_labels(labels, classes, batch.images.size());
  try {
    check_programs(batch);
  } catch (const Failure& failure) {
    bad_batch(value, failure.what());
  }
  return batch;
}

}  // namespace covidct
