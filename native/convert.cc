#include "convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "convert_parts.h"

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

using Program = std::vector<std::array<int32_t, kPixelOpStride>>;

// The rows of each image.
std::vector<Program> to_programs(const Napi::Object& object, size_t images) {
  const Napi::Value value = object.Get("programs");
  const auto rows = to_numbers<int32_t>(value, napi_int32_array, "programs");
  const auto offsets = to_numbers<int32_t>(object.Get("programOffsets"), napi_int32_array, "programOffsets");
  const auto count = static_cast<int64_t>(rows.size()) / kPixelOpStride;
  if (static_cast<int64_t>(rows.size()) % kPixelOpStride != 0 || offsets.size() != images + 1 ||
      offsets.front() != 0 || offsets.back() != count || !std::is_sorted(offsets.begin(), offsets.end())) {
    bad_batch(value, "programs and programOffsets do not fit the images");
  }
  std::vector<Program> programs(images);
  for (size_t i = 0; i < images; ++i) {
    for (int64_t row = offsets[i]; row < offsets[i + 1]; ++row) {
      std::copy_n(rows.begin() + row * kPixelOpStride, kPixelOpStride, programs[i].emplace_back().begin());
    }
  }
  return programs;
}

// Whether the program begins by cutting out a box that lies in the image.
bool begins_inside(const Program& program, int32_t height, int32_t width) {
  if (program.empty() || program[0][0] != kCrop) return false;
  const auto [op, top, left, box_height, box_width] = program[0];
  return top >= 0 && left >= 0 && box_height >= 1 && box_width >= 1 && int64_t{top} + box_height <= height &&
         int64_t{left} + box_width <= width;
}

// Where an image's pixels come from and how many bytes of them are needed.
struct Wanted {
  size_t skip = 0, rows = 0, row = 0, stride = 0;
  size_t bytes() const { return rows * row; }
};

// All of the image, or, where it is cut first, only the box: copying runs on the event loop. Takes the cut off the program.
Wanted wanted_of(int32_t height, int32_t width, Program& program) {
  const size_t stride = static_cast<size_t>(width) * 3;
  if (!begins_inside(program, height, width)) return {0, static_cast<size_t>(height), stride, stride};
  const auto [op, top, left, box_height, box_width] = program[0];
  program.erase(program.begin());
  return {top * stride + left * size_t{3}, static_cast<size_t>(box_height), box_width * size_t{3}, stride};
}

void copy_image(const Napi::Value& value, int32_t height, int32_t width, const Wanted& wanted, uint8_t* to) {
  const Napi::TypedArray array = to_typed(value, napi_uint8_array, "an image");
  if (array.ByteLength() != static_cast<size_t>(height) * static_cast<size_t>(width) * 3) {
    bad_batch(value, "an image has " + std::to_string(array.ByteLength()) + " bytes, expected height x width x 3 = " +
                         std::to_string(height) + " x " + std::to_string(width) + " x 3");
  }
  const auto* from = static_cast<const uint8_t*>(data_of(array, "an image")) + wanted.skip;
  if (wanted.row == wanted.stride) {
    std::memcpy(to, from, wanted.bytes());
    return;
  }
  for (size_t y = 0; y < wanted.rows; ++y) std::memcpy(to + y * wanted.row, from + y * wanted.stride, wanted.row);
}

void read_images(const Napi::Object& object, const Napi::Array& images, uint32_t count, Batch& batch) {
  const auto sizes = to_numbers<int32_t>(object.Get("sizes"), napi_int32_array, "sizes");
  if (sizes.size() != 2 * size_t{count}) bad_batch(object, "sizes must hold height and width of each image");
  std::vector<Program> programs = to_programs(object, count);
  std::vector<Wanted> wanted;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const int32_t height = sizes[2 * i], width = sizes[2 * i + 1];
    if (height < 1 || width < 1 || int64_t{height} * width > kMaxPixels) {
      bad_batch(object, "an image of " + std::to_string(height) + " x " + std::to_string(width) + " pixels cannot be taken");
    }
    wanted.push_back(wanted_of(height, width, programs[i]));
    bytes += wanted.back().bytes();
  }
  batch.pixels = PixelBuffer(bytes);
  uint8_t* to = batch.pixels.data();
  for (uint32_t i = 0; i < count; ++i) {
    copy_image(images[i], sizes[2 * i], sizes[2 * i + 1], wanted[i], to);
    batch.images.push_back({to, static_cast<int64_t>(wanted[i].rows), static_cast<int64_t>(wanted[i].row / 3), std::move(programs[i])});
    to += wanted[i].bytes();
  }
}

std::vector<int64_t> to_labels(const Napi::Value& value, int64_t classes, size_t images) {
  const auto labels = to_numbers<int32_t>(value, napi_int32_array, "labels");
  if (labels.size() != images) bad_batch(value, "there must be one label for each image");
  for (const int32_t label : labels) {
    if (label < 0 || label >= classes) {
      bad_batch(value, "label " + std::to_string(label) + " is not in [0, " + std::to_string(classes) + ")");
    }
  }
  return {labels.begin(), labels.end()};
}

}  // namespace

std::string to_string(const Napi::Value& value, const char* what) {
  if (!value.IsString()) throw_js(value.Env(), "ERR_INVALID_OPTION", std::string("expected a string for ") + what);
  return value.As<Napi::String>().Utf8Value();
}

double to_number(const Napi::Value& value, const char* what) {
  if (!value.IsNumber() || !std::isfinite(value.As<Napi::Number>().DoubleValue())) {
    throw_js(value.Env(), "ERR_INVALID_OPTION", std::string("expected a finite number for ") + what);
  }
  return value.As<Napi::Number>().DoubleValue();
}

double to_number_between(const Napi::Value& value, double low, double high, const char* what) {
  const double number = to_number(value, what);
  if (number < low || number > high) {
    throw_js(value.Env(), "ERR_INVALID_OPTION", std::string("the number for ") + what + " is out of range");
  }
  return number;
}

Batch to_batch(const Napi::Value& value, int64_t classes, bool labelled) {
  const Napi::Object object = to_object(value, "the batch");
  const Napi::Value list = object.Get("images");
  if (!list.IsArray() || list.As<Napi::Array>().Length() == 0) bad_batch(value, "expected at least one image in the batch");
  const Napi::Array images = list.As<Napi::Array>();
  const uint32_t count = images.Length();  // once: an element that is an accessor could change it
  Batch batch;
  batch.height = to_side(object.Get("height"), "height");
  batch.width = to_side(object.Get("width"), "width");
  batch.mean = to_triple(object.Get("mean"), "mean");
  batch.std = to_triple(object.Get("std"), "std");
  if (std::any_of(batch.std.begin(), batch.std.end(), [](double each) { return !(each > 0); })) {
    bad_batch(value, "every entry of std must be greater than 0");
  }
  read_images(object, images, count, batch);
  const Napi::Value labels = object.Get("labels");
  if (labelled || !labels.IsUndefined()) batch.labels = to_labels(labels, classes, batch.images.size());
  try {
    check_programs(batch);
  } catch (const Failure& failure) {
    bad_batch(value, failure.what());
  }
  return batch;
}

Features to_features(const Napi::Value& values, const Napi::Value& labels, int64_t width, int64_t classes, bool labelled) {
  Features features{to_numbers<float>(values, napi_float32_array, "features"), width, {}};
  const size_t row = static_cast<size_t>(width);
  if (features.values.empty() || features.values.size() % row != 0) {
    bad_batch(values, "expected n x " + std::to_string(width) + " features with n >= 1; got " + std::to_string(features.values.size()));
  }
  if (labelled || !labels.IsUndefined()) features.labels = to_labels(labels, classes, features.values.size() / row);
  return features;
}

std::vector<int64_t> to_class_indices(const Napi::Value& value, int64_t classes, size_t images) {
  const auto indices = to_numbers<int32_t>(value, napi_int32_array, "classIndices");
  if (indices.size() != images) bad_batch(value, "there must be one class index for each image");
  for (const int32_t index : indices) {
    if (index < -1 || index >= classes) {
      bad_batch(value, "class index " + std::to_string(index) + " is not in [-1, " + std::to_string(classes) + ")");
    }
  }
  return {indices.begin(), indices.end()};
}

std::vector<std::string> to_strings(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) throw_js(value.Env(), "ERR_INVALID_OPTION", std::string("expected an array for ") + what);
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); ++i) strings.push_back(to_string(array[i], what));
  return strings;
}

std::vector<int64_t> to_sides(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) throw_js(value.Env(), "ERR_INVALID_OPTION", std::string("expected an array for ") + what);
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<int64_t> sides;
  for (uint32_t k = 0; k < array.Length(); ++k) {
    sides.push_back(static_cast<int64_t>(to_number_between(array[k], 0, kMaxSafeInteger, what)));
  }
  return sides;
}

std::vector<TensorSource> to_sources(const Napi::Value& value) {
  if (!value.IsArray()) throw_js(value.Env(), "ERR_INVALID_OPTION", "expected an array of tensor sources");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<TensorSource> sources;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Object each = to_object(array[i], "a tensor source");
    TensorSource source{to_string(each.Get("name"), "name"), to_string(each.Get("dtype"), "dtype"), {}, 0, {}, each.Get("sumInput").ToBoolean().Value()};
    source.shape = to_sides(each.Get("shape"), "shape");
    if (!each.Get("strides").IsUndefined()) source.strides = to_sides(each.Get("strides"), "strides");
    source.offset = static_cast<int64_t>(to_number_between(each.Get("offset"), 0, kMaxSafeInteger, "offset"));
    sources.push_back(std::move(source));
  }
  return sources;
}

Napi::Float32Array from_floats(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(float));
  return array;
}

Napi::Array from_strings(Napi::Env env, const std::vector<std::string>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) array.Set(i, Napi::String::New(env, values[i]));
  return array;
}

Napi::Object from_outputs(Napi::Env env, const Outputs& outputs) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("logits", from_floats(env, outputs.logits));
  object.Set("probabilities", from_floats(env, outputs.probabilities));
  object.Set("losses", from_floats(env, outputs.losses));
  object.Set("objective", Napi::Number::New(env, outputs.objective));
  return object;
}

Napi::Object from_cam(Napi::Env env, const CamOutputs& outputs) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("maps", from_floats(env, outputs.maps));
  object.Set("height", Napi::Number::New(env, static_cast<double>(outputs.height)));
  object.Set("width", Napi::Number::New(env, static_cast<double>(outputs.width)));
  object.Set("logits", from_floats(env, outputs.logits));
  object.Set("probabilities", from_floats(env, outputs.probabilities));
  return object;
}

Napi::Array from_tensors(Napi::Env env, const std::vector<TensorInfo>& tensors) {
  Napi::Array array = Napi::Array::New(env, tensors.size());
  for (uint32_t i = 0; i < tensors.size(); ++i) {
    Napi::Object object = Napi::Object::New(env);
    Napi::Array shape = Napi::Array::New(env, tensors[i].shape.size());
    for (uint32_t k = 0; k < tensors[i].shape.size(); ++k) shape.Set(k, static_cast<double>(tensors[i].shape[k]));
    object.Set("name", tensors[i].name);
    object.Set("shape", shape);
    object.Set("dtype", tensors[i].dtype);
    object.Set("kind", tensors[i].is_parameter ? "parameter" : "buffer");
    array.Set(i, object);
  }
  return array;
}

}  // namespace covidct
