#include "convert/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "convert/convert_parts.h"

namespace covidct {

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

Features to_features(const Napi::Object& object, int64_t width, int64_t classes, bool labeled) {
  const Napi::Value values = object.Get("features"), labels = object.Get("labels");
  if (width == 0) bad_batch(values, "expected images: the head of this network takes maps, which are not kept");
  Features features{to_numbers<float>(values, napi_float32_array, "features"), width, {}};
  const size_t row = static_cast<size_t>(width);
  if (features.values.empty() || features.values.size() % row != 0) {
    bad_batch(values, "expected n x " + std::to_string(width) + " features with n >= 1; got " +
                          std::to_string(features.values.size()));
  }
  if (labeled || !labels.IsUndefined()) features.labels = to_labels(labels, classes, features.values.size() / row);
  return features;
}

AverageOp to_average_op(const Napi::Value& value) {
  const std::string op = to_string(value, "the operation on the average");
  if (op == "update") return AverageOp::kUpdate;
  if (op == "swap") return AverageOp::kSwap;
  if (op == "drop") return AverageOp::kDrop;
  throw_js(value.Env(), "ERR_INVALID_OPTION", "expected an operation of update, swap, drop; got '" + op + "'");
}

bool flag_of(const Napi::Value& options, const char* name) {
  return options.IsObject() && options.As<Napi::Object>().Get(name).ToBoolean().Value();
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
    TensorSource source{to_string(each.Get("name"), "name"),     to_string(each.Get("dtype"), "dtype"), {}, 0, {},
                        each.Get("sumInput").ToBoolean().Value()};
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
    object.Set("kind", tensors[i].kind);
    array.Set(i, object);
  }
  return array;
}

namespace {

Napi::Array from_nodes(Napi::Env env, const std::vector<NodeInfo>& nodes) {
  Napi::Array array = Napi::Array::New(env, nodes.size());
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    const NodeInfo& node = nodes[i];
    Napi::Object object = Napi::Object::New(env);
    Napi::Array inputs = Napi::Array::New(env, node.inputs.size());
    for (uint32_t k = 0; k < node.inputs.size(); ++k) inputs.Set(k, static_cast<double>(node.inputs[k]));
    object.Set("op", node.op);
    object.Set("name", node.name);
    object.Set("inputs", inputs);
    if (!node.layer.empty()) object.Set("layer", node.layer);
    for (const auto& [name, value] : node.attributes) object.Set(name, value);
    if (node.op == "maxPool" || node.op == "avgPool") object.Set("ceilMode", node.ceil_mode);
    array.Set(i, object);
  }
  return array;
}

}  // namespace

Napi::Object from_facts(Napi::Env env, const Facts& facts, int threads) {
  Napi::Object layers = Napi::Object::New(env);
  layers.Set("names", from_strings(env, facts.layers));
  layers.Set("default", facts.default_layer);
  Napi::Object object = Napi::Object::New(env);
  object.Set("device", facts.device.device.str());
  object.Set("deviceReason", facts.device.reason);
  object.Set("threads", threads);
  object.Set("parameters", static_cast<double>(facts.parameters));
  object.Set("tensors", from_tensors(env, facts.tensors));
  object.Set("layers", layers);
  object.Set("norms", from_strings(env, facts.norms));
  object.Set("headPrefix", facts.head_prefix);
  object.Set("featureWidth", static_cast<double>(facts.feature_width));
  object.Set("nodes", from_nodes(env, facts.nodes));
  return object;
}

}  // namespace covidct
