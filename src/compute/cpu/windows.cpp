// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/windows.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Behind each run of columns: whole vectors may be read.
constexpr std::int64_t window_slack = 8;

std::int64_t divided_up_from(std::int64_t n, std::int64_t by) {
  return n <= 0 ? 0 : (n + by - 1) / by;
}

bool is_phase_read(const cpu_windows& of, std::int64_t phase) {
  const std::int64_t phases = of.stride[1];
  for (std::int64_t j = 0; j < std::min(of.size[1], phases); ++j)
    if (j * of.dilation[1] % phases == phase) return true;
  return false;
}

}  // namespace

std::uint64_t plane_part::floats(const cpu_windows& of, std::int64_t rows,
                                 std::int64_t columns) noexcept {
  constexpr std::int64_t most = std::int64_t{1} << 20;
  if (of.is_read_in_place()) return 0;
  const std::int64_t phases = of.stride[1];
  if (std::max({rows, columns, phases, of.stride[0], of.reach(0), of.reach(1)}) > most)
    return std::numeric_limits<std::uint64_t>::max();
  const std::int64_t row = phases * (columns + (of.reach(1) - 1) / phases + window_slack);
  const std::int64_t all = (rows - 1) * of.stride[0] + of.reach(0);
  return row > most || all > most ? std::numeric_limits<std::uint64_t>::max()
                                  : static_cast<std::uint64_t>(all * row);
}

void plane_part::load(isa set, const cpu_windows& of, const std::byte* plane,
                      const output_part& part, float around, float* memory) noexcept {
  of_ = &of;
  const std::int64_t row = part.row * of.stride[0] - of.before[0];
  const std::int64_t column = part.column * of.stride[1] - of.before[1];
  if (of.is_read_in_place()) {
    row_ = of.step[0];
    first_ =
        reinterpret_cast<const float*>(plane) + static_cast<std::ptrdiff_t>(row * row_ + column);
    return;
  }
  const std::int64_t phases = of.stride[1];
  phase_ = part.columns + (of.reach(1) - 1) / phases + window_slack;
  row_ = phases * phase_;
  first_ = memory;
  const std::int64_t rows = (part.rows - 1) * of.stride[0] + of.reach(0);
  for (std::int64_t phase = 0; phase < phases; ++phase) {
    if (!is_phase_read(of, phase)) continue;
    for (std::int64_t r = 0; r < rows; ++r)
      load_window_row(set, of, plane, row + r, column + phase, phases,
                      static_cast<std::size_t>(phase_), around,
                      memory + static_cast<std::ptrdiff_t>(r * row_ + phase * phase_));
  }
}

void load_window_row(isa set, const cpu_windows& of, const std::byte* plane, std::int64_t row,
                     std::int64_t column, std::int64_t by, std::size_t count, float around,
                     float* to) noexcept {
  const auto all = static_cast<std::int64_t>(count);
  const bool is_inside = row >= 0 && row < of.in[0];
  const std::int64_t first = is_inside ? std::min(all, divided_up_from(-column, by)) : all;
  const std::int64_t end = std::max(first, std::min(all, divided_up_from(of.in[1] - column, by)));
  std::fill_n(to, first, around);
  std::fill_n(to + end, all - end, around);
  if (first == end) return;
  const std::int64_t at = row * of.step[0] + (column + first * by) * of.step[1];
  const std::int64_t step = end - first == 1 ? 1 : by * of.step[1];
  if (of.type == number::f32) {
    const float* from = reinterpret_cast<const float*>(plane) + static_cast<std::ptrdiff_t>(at);
    if (step == 1) {
      std::memcpy(to + first, from, static_cast<std::size_t>(end - first) * sizeof(float));
    } else {
      for (std::int64_t i = first; i < end; ++i)
        to[i] = from[static_cast<std::ptrdiff_t>((i - first) * step)];
    }
    return;
  }
  const auto bytes = static_cast<std::int64_t>(bytes_of(of.type));
  const strided along{1, {end - first}, {step}};
  const std::byte* from = plane + static_cast<std::ptrdiff_t>(at * bytes);
  float_block block;
  for (std::int64_t i = first; i < end; i += static_cast<std::int64_t>(block_elements)) {
    const std::size_t some = std::min(block_elements, static_cast<std::size_t>(end - i));
    const float* made =
        load_block(set, of.type, from, along, static_cast<std::uint64_t>(i - first), some, block);
    std::memcpy(to + i, made, some * sizeof(float));
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
