// SPDX-License-Identifier: Apache-2.0
#pragma once

// What pools and convolutions have in common: windows that slide over [image, channel, row,
// column].

#include <array>
#include <cstdint>
#include <optional>

#include "compute/cpu/pool.hpp"
#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// As ops::conv2d and ops::pool2d have them.
struct sliding_window {
  const char* op_name;
  std::array<std::int64_t, 2> size, stride, dilation;
  std::array<std::int64_t, 4> padding;

  /// Rows and columns of the output for an input of that shape.
  /// Errors: invalid_argument, too_large.
  result<std::array<std::int64_t, 2>> outputs(const dimensions& shape) const;

  bool has_padding() const noexcept { return padding != std::array<std::int64_t, 4>{}; }
  /// Without strides and dilations that have no effect, as there is one place only.
  sliding_window simplified(const dimensions& out_shape) const noexcept;
  cpu_windows on_cpu(const operand& x, const dimensions& out_shape) const noexcept;
  /// Errors: unsupported (more rows or columns than 30 bits count).
  result<void> check_on_device(const planner& to, const dimensions& shape) const;
};

/// An operand and its memory.
struct placed_operand {
  slot memory;
  operand what;
};

/// A window of one plane each, of the planner's first input and into its output.
struct plane_windows {
  sliding_window window;
  window_kind kind;
  bool counts_padding = false;
  /// Of `weighted`: dense; f32 on the processor, else the input's type.
  std::optional<placed_operand> weights, bias;
};
/// Errors: unsupported.
result<void> plan_plane_windows(const plane_windows& what, planner& to);

/// A stride as kernels count it.   Errors: unsupported.
result<std::int32_t> window_step(std::int64_t stride, const planner& to);

/// Drivers that end a kernel's loops, all of them together, after so many rounds.
inline constexpr std::uint64_t software_rounds_max = 60000;

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
