// SPDX-License-Identifier: Apache-2.0
#pragma once

// An op on operands of known types, shapes and strides becomes a plan: launches of kernels in
// order. Making one looks at no memory and calls no driver, so it may be made once and used often,
// with other buffers each time. executor.hpp runs it on a device.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "beamlet/base/dtype.hpp"
#include "beamlet/compute/ops.hpp"
#include "compute/backend.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Elements in some memory. Strides count elements, and may be 0 or negative.
struct operand {
  dtype type = dtypes::f32;
  dimensions shape, strides;
  std::uint64_t offset_bytes = 0;  ///< of the first element, from the memory's beginning

  /// Side by side in the order of their indices, from the memory's beginning.
  static operand dense(dtype type, const dimensions& shape, std::uint64_t offset_bytes = 0);
  static operand dense(const tensor_type& what) { return dense(what.type, what.shape); }

  std::uint64_t elements() const noexcept;
  bool is_dense() const noexcept;
  /// Where the elements lie, in bytes from the memory's beginning: [first, end). Both 0 of none.
  struct extent {
    std::uint64_t first = 0, end = 0;
  };
  extent bytes() const noexcept;
  tensor_type what() const { return {type, shape}; }
};

/// Who a launch's binding means: an input or output of the op, counted together, or scratch memory.
struct slot {
  bool is_scratch = false;
  std::uint16_t index = 0;
};

struct planned_binding {
  slot memory;
  std::uint64_t offset = 0, bytes = 0;
};

struct planned_launch {
  static constexpr std::size_t bindings_max = 6, parameter_bytes_max = 640;

  const kernel_source* what = nullptr;
  kernel_constants constants;
  std::array<planned_binding, bindings_max> bindings{};
  std::uint32_t binding_count = 0;
  /// Of the cpu backend they have numbers of 8 bytes.
  alignas(8) std::array<std::byte, parameter_bytes_max> parameters{};
  std::uint32_t parameter_bytes = 0;
  std::array<std::uint32_t, 3> groups{1, 1, 1};

  template <class T>
  void set_parameters(const T& values) noexcept {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= parameter_bytes_max);
    std::memcpy(parameters.data(), &values, sizeof(T));
    parameter_bytes = sizeof(T);
  }
};

/// What an op costs wherever it runs: the least there is to compute, and to read and write.
struct op_cost {
  double bytes = 0;      ///< read and written
  double flops = 0;      ///< of sums of products: matrices, convolutions
  double functions = 0;  ///< exp and others that take tens of operations
};

struct plan {
  std::vector<planned_launch> launches;
  std::vector<std::uint64_t> scratch_bytes;
  std::uint32_t ways = 1;  ///< in which it could be made; plan_for makes the one it is asked for
};

/// What a plan is made for, and the plan as it grows. `operands` are the inputs, then the outputs.
class planner {
 public:
  planner(const device_info& device, std::span<const operand> operands, std::size_t inputs,
          std::uint32_t way = 0)
      : device_(&device), operands_(operands.begin(), operands.end()), inputs_(inputs), way_(way) {}

  const device_info& device() const noexcept { return *device_; }
  bool on_cpu() const noexcept { return device_->kind == device_kind::cpu; }
  std::size_t input_count() const noexcept { return inputs_; }
  const operand& input(std::size_t i) const noexcept { return operands_[i]; }
  const operand& output(std::size_t i) const noexcept { return operands_[inputs_ + i]; }
  slot input_slot(std::size_t i) const noexcept { return {false, static_cast<std::uint16_t>(i)}; }
  slot output_slot(std::size_t i) const noexcept {
    return {false, static_cast<std::uint16_t>(inputs_ + i)};
  }

  slot scratch(std::uint64_t bytes);

  /// The one that is asked for of the ways in which something can be done, all with equal results:
  /// the first is what is best as far as one knows without trying.
  template <class Way>
  const Way& pick(std::span<const Way> ways) {
    plan_.ways = std::max(plan_.ways, static_cast<std::uint32_t>(ways.size()));
    return ways[way_ < ways.size() ? way_ : 0];
  }

  /// A launch that binds nothing yet.
  planned_launch& launch(const kernel_source& what);
  /// Binds all elements of `what`, which lies in `memory`, to the next of the launch's buffers.
  /// Returns the index of its first element as the kernel has to count: what the device's
  /// alignment leaves over.
  /// Errors: unsupported (more than the device can bind, or than 32 bits count).
  result<std::uint32_t> bind(planned_launch& to, slot memory, const operand& what);

  /// The same for kernels of the cpu backend, which see the first element as their buffer's first,
  /// and strides from there.
  void bind_from_first(planned_launch& to, slot memory, const operand& what);

  /// So many groups, of which kernels of the cpu backend see the product only.
  /// Errors: unsupported (more than the device has).
  result<void> set_groups(planned_launch& to, std::uint64_t x, std::uint64_t y = 1,
                          std::uint64_t z = 1) const;
  /// Groups of `group` items, of which each takes one of `items` and goes on by GLOBAL_COUNT(0).
  result<void> set_items(planned_launch& to, std::uint32_t group, std::uint64_t items) const;
  /// The same of a kernel to which the size of its groups does not matter: where it may matter to
  /// the device, there are ways.
  result<void> set_items_of_any_group(planned_launch& to, std::uint32_t group, std::uint64_t items);

  /// What the device cannot do, with the reason.
  error unsupported(std::string why) const;

  plan take() && { return std::move(plan_); }

 private:
  const device_info* device_;
  std::vector<operand> operands_;
  std::size_t inputs_;
  std::uint32_t way_;
  plan plan_;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
