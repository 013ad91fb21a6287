// Convolution 3 x 3 of stride 1 and padding 1 with a quarter of the multiplications, on the CPU in float32.
#pragma once

#include <ATen/core/Tensor.h>

namespace covidct {

// How the work is shared between threads.
enum class WinogradWork {
  kBlocks,    // each thread takes blocks of tiles through all three stages, in scratch that stays in its cache
  kProducts,  // the stages one after another, the threads sharing the 36 products: for few tiles and many channels
};

// How it is shared best, by the number of channels.
WinogradWork winograd_work(int64_t in, int64_t out);

// Filters (out x in x 3 x 3, contiguous) as 36 matrices of out x in, strided, in this thread's scratch: good until the next
// call. `turned`: by 180 degrees, for the gradient.
at::Tensor winograd_filters(const at::Tensor& weight, bool turned);

// x: n x in x h x w, channels last. With `transposed` the filters take out to in, as the gradient of the input does.
// bias may be undefined. Returns n x out x h x w, channels last.
at::Tensor winograd_convolve(const at::Tensor& x, const at::Tensor& filters, bool transposed, const at::Tensor& bias, WinogradWork work);

// The gradient of the filters, out x in x 3 x 3: x as above, gradient n x out x h x w, both channels last.
at::Tensor winograd_filter_gradient(const at::Tensor& x, const at::Tensor& gradient);

}  // namespace covidct
