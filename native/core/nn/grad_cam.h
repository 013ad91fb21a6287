// Where in the image the evidence for a class lies.
// Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, 2017.
#pragma once

#include <string>
#include <vector>

#include "core/nn/network.h"
#include "core/runtime/precision.h"

namespace covidct {

struct GradCamResult {
  at::Tensor maps;    // float32, [n, h, w] at the layer's resolution: ReLU of the weighted activations
  at::Tensor logits;  // float32, n x classes
};

// x: float32, [n, channels, height, width]; classes[i] is the class to explain for image i, -1 for the predicted one.
// Throws ERR_LAYER for a layer that does not exist.
GradCamResult grad_cam(Network& network, const at::Tensor& x, const std::string& layer,
                       const std::vector<int64_t>& classes, Precision precision, const std::atomic<bool>* stop);

}  // namespace covidct
