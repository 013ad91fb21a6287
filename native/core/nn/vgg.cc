#include "core/nn/vgg.h"

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>

#include "core/kernels/folded.h"
#include "core/kernels/fused.h"
#include "core/kernels/small_batch_linear.h"
#include "core/nn/initialize.h"

namespace covidct {

namespace {

constexpr int64_t kMaxPool = 0;  // a max pool among the channel counts

struct Row {
  const char* name;
  std::vector<int64_t> channels;
  bool batch_norm;
  int64_t pooled;     // side of the adaptive pool
  int64_t hidden;     // width of the two hidden linear layers
  double linear_std;  // torchvision's 0.01 suits 4096 inputs; a narrow head would start all but dead with it
};

const std::vector<int64_t> kA = {64,  kMaxPool, 128,      kMaxPool, 256, 256,     kMaxPool,
                                 512, 512,      kMaxPool, 512,      512, kMaxPool};
const std::vector<int64_t> kB = {64,       64,  kMaxPool, 128,      128, kMaxPool, 256,     256,
                                 kMaxPool, 512, 512,      kMaxPool, 512, 512,      kMaxPool};
const std::vector<int64_t> kD = {64,       64,  kMaxPool, 128, 128,      kMaxPool, 256, 256, 256,
                                 kMaxPool, 512, 512,      512, kMaxPool, 512,      512, 512, kMaxPool};
const std::vector<int64_t> kE = {64,  64,  kMaxPool, 128, 128,      kMaxPool, 256, 256, 256, 256,     kMaxPool,
                                 512, 512, 512,      512, kMaxPool, 512,      512, 512, 512, kMaxPool};
const std::vector<int64_t> kTiny = {16, kMaxPool, 32, kMaxPool, 64, kMaxPool};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"vgg11", kA, false, 7, 4096, 0.01}, {"vgg11_bn", kA, true, 7, 4096, 0.01},
      {"vgg13", kB, false, 7, 4096, 0.01}, {"vgg13_bn", kB, true, 7, 4096, 0.01},
      {"vgg16", kD, false, 7, 4096, 0.01}, {"vgg16_bn", kD, true, 7, 4096, 0.01},
      {"vgg19", kE, false, 7, 4096, 0.01}, {"vgg19_bn", kE, true, 7, 4096, 0.01},
      {"tiny", kTiny, true, 4, 64, 0.08},
  };
  return table;
}

enum class Kind { kConv, kNorm, kRelu, kPool };

struct Layer {
  Kind kind;
  std::string name;
  at::Tensor weight, bias;  // of a convolution
  Norm norm;
};

struct Dense {
  at::Tensor weight, bias;
};

class Vgg final : public Network {
 public:
  Vgg(const Row& row, const NetworkOptions& options)
      : Network(options.convolution), side_(row.pooled), dropout_(options.dropout), folded_(options.convolution) {
    Initializer draw = options.random ? Initializer(options.seed) : Initializer();
    make_features(row, options.channels, draw);
    make_classifier(row, options.classes, draw);
    initialize(row, draw);
    name_tensors();
    fold_features();
  }

  at::Tensor features(at::Tensor x, ForwardPass& pass) override {
    x = to_layout(x, kind(pass));
    // Every layer by itself where one is to be looked at.
    if (pass.watch.empty() && takes_fused(x, kind(pass)))
      x = run_fused(x, pass);
    else
      for (Layer& layer : features_) x = after_layer(layer.name, run(layer, x, pass), pass);
    return pooled(x);
  }

  void weights_changed() override { folded_.forget(); }
  int64_t prepared_bytes() const override { return folded_.bytes(); }

  at::Tensor head(at::Tensor x, ForwardPass& pass) override {
    for (size_t i = 0; i < dense_.size(); ++i) {
      const bool last = i + 1 == dense_.size();
      if (!pass.training && kind(pass) != ConvolutionKind::kLibTorch && takes_few_rows(x, dense_[i].weight)) {
        x = after_layer("", few_rows_linear(x, dense_[i].weight, dense_[i].bias, /*relu=*/!last), pass);
        continue;
      }
      x = after_layer("", at::linear(x, dense_[i].weight, dense_[i].bias), pass);
      if (!last) x = dropout(x.relu_(), dropout_, pass);
    }
    return x;
  }

  std::string head_prefix() const override { return "classifier."; }

  std::vector<std::pair<std::string, Norm*>> norms() override {
    std::vector<std::pair<std::string, Norm*>> found;
    for (Layer& layer : features_) {
      if (layer.kind == Kind::kNorm) found.emplace_back(layer.name, &layer.norm);
    }
    return found;
  }

  std::vector<NamedTensor>& tensors() override { return tensors_; }

  std::vector<std::string> layers() const override {
    std::vector<std::string> names;
    for (const Layer& layer : features_) names.push_back(layer.name);
    return names;
  }

  // The ReLU before the last pool: the last convolutional block at its full resolution.
  std::string default_layer() const override {
    for (auto layer = features_.rbegin(); layer != features_.rend(); ++layer) {
      if (layer->kind == Kind::kRelu) return layer->name;
    }
    return "";
  }

  Bounded folded_features(const Bounded& pixels, ForwardPass& pass) override {
    folded_.begin();
    Bounded x = pixels;
    for (const size_t layer : folded_layers_) {
      x = folded_.run(layer, x);
      after_layer("", x.x, pass);
    }
    return {pooled(x.x), x.most};
  }

 private:
  at::Tensor pooled(const at::Tensor& x) const { return at::adaptive_avg_pool2d(x, {side_, side_}).flatten(1); }

  // Batch norm and ReLU wait for the convolution or the pool behind them.
  at::Tensor run_fused(at::Tensor x, ForwardPass& pass) {
    Norm* waiting = nullptr;
    for (size_t i = 0; i < features_.size(); ++i) {
      Layer& layer = features_[i];
      if (layer.kind == Kind::kConv && waiting != nullptr) {
        x = norm_relu_convolve(x, *waiting, layer.weight, layer.bias, {1, 1}, pass, kind(pass));
        waiting = nullptr;
      } else if (layer.kind == Kind::kConv) {
        const bool relu = features_[i + 1].kind == Kind::kRelu;
        x = relu ? convolve_relu(x, layer.weight, layer.bias, {1, 1}, kind(pass))
                 : convolve(x, layer.weight, layer.bias, {1, 1}, kind(pass));
      } else if (layer.kind == Kind::kNorm) {
        waiting = &layer.norm;
      } else if (layer.kind == Kind::kPool) {
        x = waiting != nullptr ? norm_relu_pool(x, *waiting, pass, kind(pass)) : at::max_pool2d(x, {2, 2}, {2, 2});
        waiting = nullptr;
      }
      x = after_layer("", x, pass);
    }
    return x;
  }

  at::Tensor run(Layer& layer, const at::Tensor& x, ForwardPass& pass) {
    switch (layer.kind) {
      case Kind::kConv:
        return convolve(x, layer.weight, layer.bias, {1, 1}, kind(pass));
      case Kind::kNorm:
        return batch_norm(x, layer.norm, pass);
      case Kind::kRelu:
        // In place it would overwrite the output of a watched layer.
        return pass.watch.empty() ? x.relu_() : x.relu();
      case Kind::kPool:
        return at::max_pool2d(x, {2, 2}, {2, 2});
    }
    return x;
  }

  void make_features(const Row& row, int64_t channels, Initializer& draw) {
    int64_t in = channels;
    for (const int64_t out : row.channels) {
      if (out == kMaxPool) {
        add(Kind::kPool);
        continue;
      }
      Layer& conv = add(Kind::kConv);
      conv.weight = at::empty({out, in, 3, 3}, at::kFloat);
      conv.bias = at::empty({out}, at::kFloat);
      draw.weight_and_bias(conv.weight, conv.bias);
      if (row.batch_norm) add(Kind::kNorm).norm = make_norm(out);
      add(Kind::kRelu);
      in = out;
    }
    last_channels_ = in;
  }

  Layer& add(Kind kind) {
    features_.push_back({kind, "features." + std::to_string(features_.size()), {}, {}, {}});
    return features_.back();
  }

  void make_classifier(const Row& row, int64_t classes, Initializer& draw) {
    const std::vector<int64_t> widths = {last_channels_ * row.pooled * row.pooled, row.hidden, row.hidden, classes};
    for (size_t i = 0; i + 1 < widths.size(); ++i) {
      Dense dense{at::empty({widths[i + 1], widths[i]}, at::kFloat), at::empty({widths[i + 1]}, at::kFloat)};
      draw.weight_and_bias(dense.weight, dense.bias);
      dense_.push_back(dense);
    }
  }

  // torchvision initializes once more, module by module, after everything has been made with PyTorch's defaults.
  void initialize(const Row& row, Initializer& draw) {
    for (Layer& layer : features_) {
      if (layer.kind != Kind::kConv) continue;
      draw.kaiming_normal_fan_out(layer.weight);
      layer.bias.zero_();
    }
    for (Dense& dense : dense_) {
      draw.normal(dense.weight, row.linear_std);
      dense.bias.zero_();
    }
  }

  void fold_features() {
    for (size_t i = 0; i < features_.size(); ++i) {
      if (features_[i].kind != Kind::kConv) continue;
      const bool normed = features_[i + 1].kind == Kind::kNorm;
      const size_t next = i + (normed ? 3 : 2);  // behind the ReLU
      folded_layers_.push_back(folded_.add({features_[i].weight,
                                            features_[i].bias,
                                            normed ? &features_[i + 1].norm : nullptr,
                                            {1, 1},
                                            /*relu=*/true,
                                            features_[next].kind == Kind::kPool}));
    }
  }

  void name_tensors() {
    for (Layer& layer : features_) {
      if (layer.kind == Kind::kNorm) append_norm(tensors_, layer.name, layer.norm);
      if (layer.kind != Kind::kConv) continue;
      tensors_.push_back({layer.name + ".weight", layer.weight, true});
      tensors_.push_back({layer.name + ".bias", layer.bias, true});
    }
    for (size_t i = 0; i < dense_.size(); ++i) {
      const std::string name = "classifier." + std::to_string(3 * i);  // linear, ReLU, dropout
      tensors_.push_back({name + ".weight", dense_[i].weight, true});
      tensors_.push_back({name + ".bias", dense_[i].bias, true});
    }
  }

  std::vector<Layer> features_;
  std::vector<Dense> dense_;
  std::vector<NamedTensor> tensors_;
  int64_t last_channels_ = 0;
  int64_t side_;
  double dropout_;
  Folded folded_;  // refers to features_
  std::vector<size_t> folded_layers_;
};

}  // namespace

std::vector<std::string> vgg_names() {
  std::vector<std::string> names;
  for (const Row& row : rows()) names.emplace_back(row.name);
  return names;
}

std::unique_ptr<Network> build_vgg(const std::string& name, const NetworkOptions& options) {
  for (const Row& row : rows()) {
    if (name == row.name) return std::make_unique<Vgg>(row, options);
  }
  return nullptr;
}

}  // namespace covidct
