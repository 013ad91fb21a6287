#include "core/nn/densenet.h"

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>

#include <algorithm>

#include "core/kernels/folded.h"
#include "core/kernels/fused.h"
#include "core/nn/initialize.h"

namespace covidct {

namespace {

constexpr double kLooseInBlock = 1e6;  // bounds of a layer's output beyond this are measured
constexpr int64_t kBottleneck = 4;     // channels of a layer's 1 x 1 convolution, in growth rates

struct Row {
  const char* name;
  int64_t growth;               // channels that each layer adds
  std::vector<int64_t> layers;  // of each of the four blocks
  int64_t initial;              // channels behind the first convolution
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"densenet121", 32, {6, 12, 24, 16}, 64},
      {"densenet161", 48, {6, 12, 36, 24}, 96},
      {"densenet169", 32, {6, 12, 32, 32}, 64},
      {"densenet201", 32, {6, 12, 48, 32}, 64},
  };
  return table;
}

// A batch norm, a ReLU and a convolution without bias; in the stem the convolution comes first.
struct Unit {
  std::string norm_name, conv_name;
  Norm norm;
  at::Tensor weight;
  size_t folded = 0;  // its convolution's number among the folded ones
};

struct Block {
  std::string name;
  std::vector<std::pair<Unit, Unit>> layers;  // 1 x 1, then 3 x 3
  std::string transition_name;
  std::vector<Unit> transition;  // one behind every block but the last
};

class DenseNet final : public Network {
 public:
  DenseNet(const Row& row, const NetworkOptions& options) : Network(options.convolution), folded_(options.convolution) {
    Initializer draw = options.random ? Initializer(options.seed) : Initializer();
    stem_ = {"features.norm0", "features.conv0", make_norm(row.initial),
             make_weight(row.initial, options.channels, 7, draw)};
    int64_t channels = row.initial;
    for (size_t i = 0; i < row.layers.size(); ++i) channels = add_block(row, i, channels, draw);
    last_norm_ = make_norm(channels);
    weight_ = at::empty({options.classes, channels}, at::kFloat);
    bias_ = at::empty({options.classes}, at::kFloat);
    draw.weight_and_bias(weight_, bias_);
    initialize(draw);
    name_tensors();
    fold_units();
  }

  void weights_changed() override { folded_.forget(); }
  int64_t prepared_bytes() const override { return folded_.bytes(); }

  at::Tensor features(at::Tensor x, ForwardPass& pass) override {
    x = after_layer("", convolve(to_layout(x, kind(pass)), stem_.weight, {}, {2, 3}, kind(pass)), pass);
    x = after_layer("features.relu0", norm_relu(x, stem_.norm, pass, kind(pass)), pass);
    x = after_layer("features.pool0", at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}), pass);
    for (Block& block : blocks_) {
      x = after_layer(block.name, run(block, x, pass), pass);
      if (block.transition.empty()) continue;
      x = run(block.transition.front(), x, 0, pass);
      x = after_layer(block.transition_name, at::avg_pool2d(x, {2, 2}, {2, 2}), pass);
    }
    x = after_layer("features.norm5", batch_norm(x, last_norm_, pass), pass);
    // In place it would overwrite the output of a watched layer.
    x = after_layer("features", pass.watch.empty() ? x.relu_() : x.relu(), pass);
    return at::adaptive_avg_pool2d(x, {1, 1}).flatten(1);
  }

  at::Tensor head(at::Tensor x, ForwardPass& pass) override {
    return after_layer("", at::linear(x, weight_, bias_), pass);
  }

  std::string head_prefix() const override { return "classifier."; }

  std::vector<std::pair<std::string, Norm*>> norms() override {
    std::vector<std::pair<std::string, Norm*>> found;
    for (Unit* unit : units()) found.emplace_back(unit->norm_name, &unit->norm);
    found.emplace_back("features.norm5", &last_norm_);
    return found;
  }

  std::vector<NamedTensor>& tensors() override { return tensors_; }

  std::vector<std::string> layers() const override {
    std::vector<std::string> names = {"features.relu0", "features.pool0"};
    for (const Block& block : blocks_) {
      names.push_back(block.name);
      if (!block.transition.empty()) names.push_back(block.transition_name);
    }
    names.insert(names.end(), {"features.norm5", "features"});
    return names;
  }

  // The last block behind its batch norm and ReLU: what is pooled.
  std::string default_layer() const override { return "features"; }

  // A batch norm behind a convolution folds into it; one behind a sum of channels runs with its ReLU.
  Bounded folded_features(const Bounded& pixels, ForwardPass& pass) override {
    folded_.begin();
    Bounded x = folded_.run(stem_.folded, pixels);
    x.x = at::max_pool2d(after_layer("", x.x, pass), {3, 3}, {2, 2}, {1, 1});
    for (Block& block : blocks_) {
      x = predict(block, x, pass);
      if (block.transition.empty()) continue;
      Unit& transition = block.transition.front();
      x = folded_.run(transition.folded, folded_.norm_relu(x, transition.norm, pass));
      x.x = at::avg_pool2d(x.x, {2, 2}, {2, 2});
    }
    x = folded_.norm_relu(x, last_norm_, pass);
    return {at::adaptive_avg_pool2d(x.x, {1, 1}).flatten(1), x.most};
  }

 private:
  Bounded predict(Block& block, const Bounded& x, ForwardPass& pass) {
    std::vector<at::Tensor> outputs = {x.x};
    double most = x.most;
    for (auto& [narrow, wide] : block.layers) {
      const Bounded joined = {at::cat(outputs, 1), most};
      // All that follow in the block start from this bound, so it is to be a true one.
      const Bounded y =
          tightened(folded_.run(wide.folded, folded_.run(narrow.folded, folded_.norm_relu(joined, narrow.norm, pass))),
                    kLooseInBlock);
      most = std::max(most, y.most);
      outputs.push_back(after_layer("", y.x, pass));
    }
    return {at::cat(outputs, 1), most};
  }

  at::Tensor run(Unit& unit, const at::Tensor& x, int64_t padding, ForwardPass& pass) {
    return after_layer("", norm_relu_convolve(x, unit.norm, unit.weight, {}, {1, padding}, pass, kind(pass)), pass);
  }

  at::Tensor run(Block& block, const at::Tensor& x, ForwardPass& pass) {
    std::vector<at::Tensor> outputs = {x};
    for (auto& [narrow, wide] : block.layers) {
      const at::Tensor y = run(narrow, at::cat(outputs, 1), 0, pass);
      outputs.push_back(run(wide, y, 1, pass));
    }
    return at::cat(outputs, 1);
  }

  void fold_units() {
    stem_.folded = folded_.add({stem_.weight, {}, &stem_.norm, {2, 3}});
    for (Block& block : blocks_) {
      for (auto& [narrow, wide] : block.layers) {
        narrow.folded = folded_.add({narrow.weight, {}, &wide.norm, {1, 0}});
        wide.folded = folded_.add({wide.weight, {}, nullptr, {1, 1}, /*relu=*/false});
      }
      for (Unit& unit : block.transition) unit.folded = folded_.add({unit.weight, {}, nullptr, {1, 0}, /*relu=*/false});
    }
  }

  static at::Tensor make_weight(int64_t out, int64_t in, int64_t side, Initializer& draw) {
    at::Tensor weight = at::empty({out, in, side, side}, at::kFloat);
    draw.weight_and_bias(weight, {});
    return weight;
  }

  // Gives the number of channels that come out.
  int64_t add_block(const Row& row, size_t index, int64_t channels, Initializer& draw) {
    const std::string number = std::to_string(index + 1);
    Block block{"features.denseblock" + number, {}, "features.transition" + number, {}};
    for (int64_t i = 0; i < row.layers[index]; ++i) {
      const std::string name = block.name + ".denselayer" + std::to_string(i + 1);
      const int64_t middle = kBottleneck * row.growth;
      Unit narrow{name + ".norm1", name + ".conv1", make_norm(channels), make_weight(middle, channels, 1, draw)};
      Unit wide{name + ".norm2", name + ".conv2", make_norm(middle), make_weight(row.growth, middle, 3, draw)};
      block.layers.emplace_back(std::move(narrow), std::move(wide));
      channels += row.growth;
    }
    if (index + 1 < row.layers.size()) {
      const std::string& name = block.transition_name;
      block.transition.push_back(
          {name + ".norm", name + ".conv", make_norm(channels), make_weight(channels / 2, channels, 1, draw)});
      channels /= 2;
    }
    blocks_.push_back(std::move(block));
    return channels;
  }

  // torchvision initializes once more, after everything has been made with PyTorch's defaults.
  void initialize(Initializer& draw) {
    for (Unit* unit : units()) draw.kaiming_normal_fan_in(unit->weight);
    bias_.zero_();
  }

  // In the order of torchvision's modules.
  std::vector<Unit*> units() {
    std::vector<Unit*> all = {&stem_};
    for (Block& block : blocks_) {
      for (auto& [narrow, wide] : block.layers) all.insert(all.end(), {&narrow, &wide});
      for (Unit& unit : block.transition) all.push_back(&unit);
    }
    return all;
  }

  void name_tensors() {
    for (Unit* unit : units()) {
      const NamedTensor weight{unit->conv_name + ".weight", unit->weight, true};
      if (unit == &stem_) tensors_.push_back(weight);
      append_norm(tensors_, unit->norm_name, unit->norm);
      if (unit != &stem_) tensors_.push_back(weight);
    }
    append_norm(tensors_, "features.norm5", last_norm_);
    tensors_.push_back({"classifier.weight", weight_, true});
    tensors_.push_back({"classifier.bias", bias_, true});
  }

  Unit stem_;
  std::vector<Block> blocks_;
  Norm last_norm_;
  at::Tensor weight_, bias_;
  Folded folded_;  // refers to the units
  std::vector<NamedTensor> tensors_;
};

}  // namespace

std::vector<std::string> densenet_names() {
  std::vector<std::string> names;
  for (const Row& row : rows()) names.emplace_back(row.name);
  return names;
}

std::unique_ptr<Network> build_densenet(const std::string& name, const NetworkOptions& options) {
  for (const Row& row : rows()) {
    if (name == row.name) return std::make_unique<DenseNet>(row, options);
  }
  return nullptr;
}

}  // namespace covidct
