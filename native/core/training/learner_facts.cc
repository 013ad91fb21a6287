// The part of the learner that tells what its network is.
#include "core/training/learner.h"

namespace covidct {

std::vector<TensorInfo> Learner::tensors() const {
  std::vector<TensorInfo> infos;
  for (const NamedTensor& each : network_->tensors()) {
    infos.push_back({each.name, dtype_name(each.tensor.scalar_type()), each.tensor.sizes().vec(),
                     each.is_parameter ? "parameter" : "buffer"});
  }
  return infos;
}

std::vector<NodeInfo> Learner::nodes() const {
  std::vector<NodeInfo> infos;
  for (const Node& node : network_->graph().nodes()) {
    NodeInfo info{
        op_name(node.op),   node.name, node.layer, node.inputs, {{"channels", static_cast<double>(node.channels)}},
        node.pool.ceil_mode};
    const auto set = [&](const char* name, auto value) {
      info.attributes.emplace_back(name, static_cast<double>(value));
    };
    if (node.op == Op::kConv) {
      set("kernel", node.weight.size(2));
      set("stride", node.geometry.stride);
      set("padding", node.geometry.padding);
      set("groups", node.geometry.groups);
    }
    if (node.op == Op::kMaxPool || node.op == Op::kAvgPool) {
      set("kernel", node.pool.kernel);
      set("stride", node.pool.stride);
      set("padding", node.pool.padding);
    }
    if (node.op == Op::kAdaptiveAvgPool) set("side", node.side);
    if (node.op == Op::kDropout || node.op == Op::kStochasticDepth) set("p", node.p);
    infos.push_back(std::move(info));
  }
  return infos;
}

Facts Learner::facts() const {
  int64_t parameters = 0;
  for (const at::Tensor& each : parameters_) parameters += each.numel();
  return {device_,
          parameters,
          tensors(),
          network_->graph().layers(),
          network_->graph().default_layer(),
          norms(),
          network_->graph().head_prefix(),
          network_->graph().feature_width(),
          nodes()};
}

}  // namespace covidct
