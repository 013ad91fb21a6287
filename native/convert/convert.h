// JavaScript values to C++ and back. Pixels are copied here, once; lengths and ranges that could corrupt memory are
// checked here, again.
#pragma once

#include "core/training/learner.h"
#include "napi_setup.h"

namespace covidct {

LearnerOptions to_learner_options(const Napi::Value& value, int& threads);
// `labeled` says whether labels must be there.
// `store`: where images with a key may be kept, so that their bytes are not copied.
Batch to_batch(const Napi::Value& value, int64_t classes, bool labeled, const std::shared_ptr<PixelStore>& store);
// One class index for each image, in [0, classes).
std::vector<int64_t> to_labels(const Napi::Value& value, int64_t classes, size_t images);
TrainStepOptions to_train_step_options(const Napi::Value& value, int64_t classes);
OptimizerOptions to_optimizer_options(const Napi::Value& value);
// {features, labels}: [n, width], with one label for each row where there are any.
Features to_features(const Napi::Object& object, int64_t width, int64_t classes, bool labeled);
AverageOp to_average_op(const Napi::Value& value);
// Returns whether the flag is set; options and flag may be left out.
bool flag_of(const Napi::Value& options, const char* name);
std::vector<int64_t> to_class_indices(const Napi::Value& value, int64_t classes, size_t images);
// Whole numbers >= 0: a shape, or strides.
std::vector<int64_t> to_sides(const Napi::Value& value, const char* what);
std::vector<TensorSource> to_sources(const Napi::Value& value);
std::vector<std::string> to_strings(const Napi::Value& value, const char* what);
std::string to_string(const Napi::Value& value, const char* what);
double to_number(const Napi::Value& value, const char* what);
double to_number_between(const Napi::Value& value, double low, double high, const char* what);
constexpr double kMaxSafeInteger = 9007199254740991.0;

Napi::Float32Array from_floats(Napi::Env env, const std::vector<float>& values);
Napi::Array from_strings(Napi::Env env, const std::vector<std::string>& values);
Napi::Array from_tensors(Napi::Env env, const std::vector<TensorInfo>& tensors);
Napi::Object from_outputs(Napi::Env env, const Outputs& outputs);
Napi::Object from_cam(Napi::Env env, const CamOutputs& outputs);
Napi::Object from_facts(Napi::Env env, const Facts& facts, int threads);

}  // namespace covidct
