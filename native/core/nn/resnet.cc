#include "core/nn/resnet.h"

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>

#include "core/kernels/folded.h"
#include "core/kernels/fused.h"
#include "core/nn/initialize.h"

namespace covidct {

namespace {

struct Row {
  const char* name;
  std::vector<int64_t> blocks;  // of each of the four layers
  bool bottleneck;              // 1 x 1, 3 x 3, 1 x 1 with four times the channels; otherwise twice 3 x 3
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"resnet18", {2, 2, 2, 2}, false},  {"resnet34", {3, 4, 6, 3}, false},  {"resnet50", {3, 4, 6, 3}, true},
      {"resnet101", {3, 4, 23, 3}, true}, {"resnet152", {3, 8, 36, 3}, true},
  };
  return table;
}

// A convolution without bias and the batch norm behind it.
struct Unit {
  std::string conv_name, norm_name;
  at::Tensor weight;
  int64_t stride = 1, padding = 0;
  Norm norm;
  size_t folded = 0;  // its number among the folded ones
};

struct Block {
  std::string name;
  std::vector<Unit> units;
  std::vector<Unit> shortcut;  // one where the shape changes, none elsewhere
};

class ResNet final : public Network {
 public:
  ResNet(const Row& row, const NetworkOptions& options) : Network(options.convolution), folded_(options.convolution) {
    Initializer draw = options.random ? Initializer(options.seed) : Initializer();
    stem_ = make_unit("conv1", "bn1", options.channels, 64, 7, 2, draw);
    int64_t in = 64;
    for (size_t layer = 0; layer < row.blocks.size(); ++layer) {
      const int64_t width = int64_t{64} << layer;
      for (int64_t i = 0; i < row.blocks[layer]; ++i) {
        const std::string name = "layer" + std::to_string(layer + 1) + "." + std::to_string(i);
        in = add_block(name, row.bottleneck, in, width, layer > 0 && i == 0 ? 2 : 1, draw);
      }
    }
    weight_ = at::empty({options.classes, in}, at::kFloat);
    bias_ = at::empty({options.classes}, at::kFloat);
    draw.weight_and_bias(weight_, bias_);
    // torchvision initializes the convolutions once more, after everything has been made with PyTorch's defaults.
    for (Unit* unit : units()) draw.kaiming_normal_fan_out(unit->weight);
    name_tensors();
    fold_units();
  }

  void weights_changed() override { folded_.forget(); }
  int64_t prepared_bytes() const override { return folded_.bytes(); }

  at::Tensor features(at::Tensor x, ForwardPass& pass) override {
    x = convolve(to_layout(x, kind(pass)), stem_.weight, {}, {stem_.stride, stem_.padding}, kind(pass));
    x = after_layer("relu", norm_relu(after_layer("", x, pass), stem_.norm, pass, kind(pass)), pass);
    x = after_layer("maxpool", at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}), pass);
    for (Block& block : blocks_) x = after_layer(block.name, run(block, x, pass), pass);
    return at::adaptive_avg_pool2d(x, {1, 1}).flatten(1);
  }

  at::Tensor head(at::Tensor x, ForwardPass& pass) override {
    return after_layer("", at::linear(x, weight_, bias_), pass);
  }

  std::string head_prefix() const override { return "fc."; }

  std::vector<std::pair<std::string, Norm*>> norms() override {
    std::vector<std::pair<std::string, Norm*>> found;
    for (Unit* unit : units()) found.emplace_back(unit->norm_name, &unit->norm);
    return found;
  }

  std::vector<NamedTensor>& tensors() override { return tensors_; }

  std::vector<std::string> layers() const override {
    std::vector<std::string> names = {"relu", "maxpool"};
    for (const Block& block : blocks_) names.push_back(block.name);
    return names;
  }

  // The output of the last block: what is pooled.
  std::string default_layer() const override { return blocks_.back().name; }

  Bounded folded_features(const Bounded& pixels, ForwardPass& pass) override {
    folded_.begin();
    Bounded x = folded_.run(stem_.folded, pixels);
    x.x = at::max_pool2d(after_layer("", x.x, pass), {3, 3}, {2, 2}, {1, 1});
    for (const Block& block : blocks_) {
      x = predict(block, x);
      after_layer("", x.x, pass);
    }
    return {at::adaptive_avg_pool2d(x.x, {1, 1}).flatten(1), x.most};
  }

 private:
  at::Tensor run(Unit& unit, const at::Tensor& x, ForwardPass& pass) {
    const at::Tensor y = convolve(x, unit.weight, {}, {unit.stride, unit.padding}, kind(pass));
    return after_layer("", batch_norm(y, unit.norm, pass), pass);
  }

  // Batch norm and ReLU wait for the convolution behind them; behind the last one the shortcut is added first.
  at::Tensor run(Block& block, const at::Tensor& x, ForwardPass& pass) {
    at::Tensor y = x;
    Norm* waiting = nullptr;
    for (Unit& unit : block.units) {
      const Stride stride{unit.stride, unit.padding};
      y = waiting == nullptr ? convolve(y, unit.weight, {}, stride, kind(pass))
                             : norm_relu_convolve(y, *waiting, unit.weight, {}, stride, pass, kind(pass));
      y = after_layer("", y, pass);
      waiting = &unit.norm;
    }
    y = after_layer("", batch_norm(y, *waiting, pass), pass);
    return y.add_(block.shortcut.empty() ? x : run(block.shortcut.front(), x, pass)).relu_();
  }

  Bounded predict(const Block& block, const Bounded& x) {
    Bounded y = x;
    for (size_t i = 0; i + 1 < block.units.size(); ++i) y = folded_.run(block.units[i].folded, y);
    const Bounded shortcut = block.shortcut.empty() ? x : folded_.run(block.shortcut.front().folded, x);
    return folded_.run(block.units.back().folded, y, &shortcut);
  }

  void fold_units() {
    const auto fold = [&](Unit& unit, bool relu) {
      unit.folded = folded_.add({unit.weight, {}, &unit.norm, {unit.stride, unit.padding}, relu});
    };
    fold(stem_, true);
    for (Block& block : blocks_) {
      for (Unit& unit : block.units) fold(unit, true);
      for (Unit& unit : block.shortcut) fold(unit, false);
    }
  }

  static Unit make_unit(std::string conv, std::string norm, int64_t in, int64_t out, int64_t side, int64_t stride,
                        Initializer& draw) {
    Unit unit{std::move(conv), std::move(norm), at::empty({out, in, side, side}, at::kFloat),
              stride,          side / 2,        make_norm(out)};
    draw.weight_and_bias(unit.weight, {});
    return unit;
  }

  // Gives the number of channels that come out.
  int64_t add_block(const std::string& name, bool bottleneck, int64_t in, int64_t width, int64_t stride,
                    Initializer& draw) {
    const int64_t out = bottleneck ? 4 * width : width;
    Block block{name, {}, {}};
    // Made, and so drawn, before the block's own convolutions; named after them.
    if (stride != 1 || in != out) {
      block.shortcut.push_back(make_unit(name + ".downsample.0", name + ".downsample.1", in, out, 1, stride, draw));
    }
    const auto add = [&](int64_t from, int64_t to, int64_t side, int64_t step) {
      const std::string number = std::to_string(block.units.size() + 1);
      block.units.push_back(make_unit(name + ".conv" + number, name + ".bn" + number, from, to, side, step, draw));
    };
    if (bottleneck) {
      add(in, width, 1, 1);
      add(width, width, 3, stride);
      add(width, out, 1, 1);
    } else {
      add(in, width, 3, stride);
      add(width, width, 3, 1);
    }
    blocks_.push_back(std::move(block));
    return out;
  }

  // In the order of torchvision's modules.
  std::vector<Unit*> units() {
    std::vector<Unit*> all = {&stem_};
    for (Block& block : blocks_) {
      for (Unit& unit : block.units) all.push_back(&unit);
      for (Unit& unit : block.shortcut) all.push_back(&unit);
    }
    return all;
  }

  void name_tensors() {
    for (Unit* unit : units()) {
      tensors_.push_back({unit->conv_name + ".weight", unit->weight, true});
      append_norm(tensors_, unit->norm_name, unit->norm);
    }
    tensors_.push_back({"fc.weight", weight_, true});
    tensors_.push_back({"fc.bias", bias_, true});
  }

  Unit stem_;
  std::vector<Block> blocks_;
  at::Tensor weight_, bias_;
  Folded folded_;  // refers to the units
  std::vector<NamedTensor> tensors_;
};

}  // namespace

std::vector<std::string> resnet_names() {
  std::vector<std::string> names;
  for (const Row& row : rows()) names.emplace_back(row.name);
  return names;
}

std::unique_ptr<Network> build_resnet(const std::string& name, const NetworkOptions& options) {
  for (const Row& row : rows()) {
    if (name == row.name) return std::make_unique<ResNet>(row, options);
  }
  return nullptr;
}

}  // namespace covidct
