// SPDX-License-Identifier: Apache-2.0
// A matrix times a vector reads each element of the matrix once: memory is what limits, so nothing
// is packed, and the matrix is read along its contiguous direction, whichever that is.
#include <algorithm>

#include "compute/cpu/gemm_kernels.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Of weighted sums of rows: so many results stay in the L1 cache while rows pass by.
constexpr std::size_t gemv_strip = 4096;

void dots_of_rows(const gemm_kernels& kernels, gemv_dots d, std::size_t count) {
  while (count > 0) {
    const std::size_t rows = count >= gemm_kernels::dots_rows ? gemm_kernels::dots_rows : 1;
    (rows > 1 ? kernels.dots : kernels.one_dot)(d);
    d.rows += static_cast<std::ptrdiff_t>(rows) * d.stride;
    d.out += rows;
    count -= rows;
  }
}

void sums_of_rows(const gemm_kernels& kernels, gemv_sums s, std::size_t count) {
  while (count > 0) {
    const std::size_t rows = count >= gemm_kernels::sums_rows ? gemm_kernels::sums_rows : 1;
    (rows > 1 ? kernels.sums : kernels.one_sum)(s);
    s.rows += static_cast<std::ptrdiff_t>(rows) * s.stride;
    s.x += rows;
    s.add = true;
    count -= rows;
  }
}

void gemv_strided(const gemv_call& call, float* out) {
  for (std::size_t i = 0; i < call.outputs; ++i) {
    const float* from = call.matrix + static_cast<std::ptrdiff_t>(i) * call.output_stride;
    const float* x = call.x;
    float sum = 0;
    for (std::size_t p = 0; p < call.depth; ++p, from += call.depth_stride, x += call.x_stride)
      sum += *from * *x;
    out[i] = sum;
  }
}

}  // namespace

std::size_t gemv_scratch_bytes(std::size_t outputs, std::size_t depth) noexcept {
  return (outputs + depth) * sizeof(float);
}

void gemv(const gemm_kernels& kernels, const gemv_call& call, std::byte* scratch) noexcept {
  // The matrix' contiguous direction is the outputs', and so is that of their memory: add in place.
  const bool sums = call.depth_stride != 1 && call.output_stride == 1;
  const bool in_place = call.out_stride == 1 && (sums || !call.add);
  float* out = in_place ? call.out : reinterpret_cast<float*>(scratch);
  const float* x = call.x;
  if (call.x_stride != 1) {
    float* copy = reinterpret_cast<float*>(scratch) + call.outputs;
    for (std::size_t p = 0; p < call.depth; ++p)
      copy[p] = call.x[static_cast<std::ptrdiff_t>(p) * call.x_stride];
    x = copy;
  }
  if (call.depth_stride == 1) {
    dots_of_rows(kernels, {call.matrix, call.output_stride, call.depth, x, out}, call.outputs);
  } else if (sums) {
    for (std::size_t j = 0; j < call.outputs; j += gemv_strip)
      sums_of_rows(kernels,
                   {call.matrix + j, call.depth_stride, std::min(gemv_strip, call.outputs - j), x,
                    out + j, in_place && call.add},
                   call.depth);
  } else {
    gemv_strided(call, out);
  }
  if (in_place) return;
  for (std::size_t i = 0; i < call.outputs; ++i) {
    float& to = call.out[static_cast<std::ptrdiff_t>(i) * call.out_stride];
    to = call.add ? to + out[i] : out[i];
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
