// SPDX-License-Identifier: Apache-2.0
// Which device tasks take about the same time.
#include <algorithm>
#include <cstdint>
#include <ranges>
#include <span>
#include <variant>

#include "runtime/device_work.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {

// FNV-1a.
class work_hash {
 public:
  std::uint64_t value() const noexcept { return value_; }

  template <class... T>
  void add(const T&... each) noexcept {
    (add_one(each), ...);
  }

 private:
  template <class T>
  void add_one(const T& one) noexcept {
    if constexpr (std::ranges::range<T>) {
      add(one.size());
      for (const auto& each : one) add(each);
    } else {
      const auto word = static_cast<std::uint64_t>(one);
      for (int i = 0; i < 8; ++i) value_ = (value_ ^ (word >> (8 * i) & 0xff)) * 0x100000001b3u;
    }
  }

  std::uint64_t value_ = 0xcbf29ce484222325u;
};

// What of an op changes how long it takes, and does not show in types and shapes. The numbers that
// it computes with do not: they may be others each time.
void add_op(work_hash& to, const ops::elementwise& op) noexcept {
  to.add(op.steps.size());
  for (const ops::step& one : op.steps) to.add(one.what, one.with);
}
void add_op(work_hash&, const ops::cast&) noexcept {}
void add_op(work_hash&, const ops::copy&) noexcept {}
void add_op(work_hash& to, const ops::concat& op) noexcept { to.add(op.dimension); }
void add_op(work_hash& to, const ops::pad& op) noexcept { to.add(op.before, op.after, op.how); }
void add_op(work_hash& to, const ops::reduce& op) noexcept { to.add(op.what, op.over); }
void add_op(work_hash& to, const ops::argmax& op) noexcept { to.add(op.dimension); }
void add_op(work_hash& to, const ops::softmax& op) noexcept { to.add(op.dimension, op.logarithm); }
void add_op(work_hash&, const ops::layer_norm&) noexcept {}
void add_op(work_hash&, const ops::rms_norm&) noexcept {}
void add_op(work_hash&, const ops::matmul&) noexcept {}
void add_op(work_hash& to, const ops::resize& op) noexcept { to.add(op.how); }
void add_op(work_hash& to, const ops::convert_color& op) noexcept { to.add(op.from, op.to); }
void add_op(work_hash& to, const ops::crop_normalize& op) noexcept { to.add(op.is_channels_first); }
void add_op(work_hash& to, const ops::filter2d& op) noexcept {  // zeros are left out
  to.add(op.rows, op.columns, op.edges, std::ranges::count(op.coefficients, 0.0f));
}
void add_op(work_hash& to, const ops::separable_filter& op) noexcept {
  to.add(op.horizontal.size(), op.vertical.size(), op.edges);
}
void add_op(work_hash& to, const ops::sobel& op) noexcept { to.add(op.what, op.edges); }
void add_op(work_hash&, const ops::histogram&) noexcept {}
void add_op(work_hash&, const ops::nms&) noexcept {}
void add_op(work_hash& to, const ops::attention& op) noexcept { to.add(op.causal); }
void add_op(work_hash& to, const ops::fft& op) noexcept { to.add(op.what); }
void add_op(work_hash& to, const ops::conv2d& op) noexcept {
  to.add(op.stride, op.dilation, op.padding, op.groups);
}
void add_op(work_hash& to, const ops::pool2d& op) noexcept {
  to.add(op.what, op.size, op.stride, op.dilation, op.padding, op.counts_padding);
}

void add_operand(work_hash& to, const compute::operand& one) noexcept {
  to.add(one.type.kind, one.type.bits, one.shape);
  for (std::size_t i = 0; i < one.shape.size(); ++i)
    if (one.shape[i] > 1) to.add(one.strides[i]);  // nobody steps along the others
}

}  // namespace

std::uint64_t key_of(const device_work& what, std::span<const compute::operand> inputs,
                     std::span<const compute::operand> outputs) noexcept {
  work_hash made;
  made.add(what.index());
  if (const auto* op = std::get_if<compute::op>(&what)) {
    made.add(op->index());
    std::visit([&](const auto& one) { add_op(made, one); }, *op);
  } else {
    const auto& call = std::get<kernel_call>(what);
    made.add(reinterpret_cast<std::uintptr_t>(call.kernel.get()), call.groups);
  }
  for (const auto& list : {inputs, outputs}) {
    made.add(list.size());
    for (const compute::operand& one : list) add_operand(made, one);
  }
  return made.value();
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
