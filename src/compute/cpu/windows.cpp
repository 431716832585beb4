// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/windows.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Of a copied part; of fewer, whole vectors may be read.
std::int64_t columns_of_copy(std::int64_t columns) {
  return std::max(columns, cpu_windows::vector_columns);
}

std::int64_t divided_up_from(std::int64_t n, std::int64_t by) {
  return n <= 0 ? 0 : (n + by - 1) / by;
}

bool is_phase_read(const cpu_windows& of, std::int64_t phase) {
  const std::int64_t phases = of.stride[1];
  for (std::int64_t j = 0; j < std::min(of.size[1], phases); ++j)
    if (j * of.dilation[1] % phases == phase) return true;
  return false;
}

// The same for one value in all.
void fill_few(float* to, std::int64_t count, float value) {
  using four = floats<4>;
  const four all = value;
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) all.store(to + i);
  if ((count & 2) != 0) to[i] = to[i + 1] = value;
  if ((count & 1) != 0) to[count - 1] = value;
}

// Every second float. One more than the last of them is not read.
void copy_every_second(const float* from, std::int64_t count, float* to) {
  using four = floats<4>;
  std::int64_t i = 0;
  for (; i + 4 < count; i += 4) {
    const four a = four::load(from + 2 * i), b = four::load(from + 2 * i + 4);
    four(four::raw{a[0], a[2], b[0], b[2]}).store(to + i);
  }
  for (; i < count; ++i) to[i] = from[2 * i];
}

// Some columns of a plane: `count` from `column` on, every `by`-th one.
struct window_columns {
  std::int64_t column, by, count;
  std::int64_t first, end;  // those inside

  window_columns(const cpu_windows& of, std::int64_t from, std::int64_t every, std::int64_t number)
      : column(from), by(every), count(number) {
    first = std::min(count, divided_up_from(-column, by));
    end = std::max(first, std::min(count, divided_up_from(of.in[1] - column, by)));
  }

  void load(isa set, const cpu_windows& of, const std::byte* plane, std::int64_t row, float around,
            float* to) const {
    if (row < 0 || row >= of.in[0] || first == end) {
      fill_few(to, count, around);
      return;
    }
    fill_few(to, first, around);
    fill_few(to + end, count - end, around);
    const std::int64_t at = row * of.step[0] + (column + first * by) * of.step[1];
    load_inside(
        set, of,
        plane + static_cast<std::ptrdiff_t>(at * static_cast<std::int64_t>(bytes_of(of.type))),
        to + first);
  }

 private:
  void load_inside(isa set, const cpu_windows& of, const std::byte* from, float* to) const {
    const std::int64_t some = end - first, step = some == 1 ? 1 : by * of.step[1];
    if (of.type != number::f32) {
      float_block block;
      const strided along{1, {some}, {step}};
      for (std::int64_t i = 0; i < some; i += static_cast<std::int64_t>(block_elements)) {
        const std::size_t here = std::min(block_elements, static_cast<std::size_t>(some - i));
        const float* made =
            load_block(set, of.type, from, along, static_cast<std::uint64_t>(i), here, block);
        std::memcpy(to + i, made, here * sizeof(float));
      }
      return;
    }
    const float* in = reinterpret_cast<const float*>(from);
    constexpr std::int64_t few = 128;
    if (step == 1 && some <= few) {
      copy_few(in, static_cast<std::size_t>(some), to);
    } else if (step == 1) {
      std::memcpy(to, in, static_cast<std::size_t>(some) * sizeof(float));
    } else if (step == 2) {
      copy_every_second(in, some, to);
    } else {
      for (std::int64_t i = 0; i < some; ++i) to[i] = in[static_cast<std::ptrdiff_t>(i * step)];
    }
  }
};

}  // namespace

std::uint64_t plane_part::floats(const cpu_windows& of, std::int64_t rows,
                                 std::int64_t columns) noexcept {
  constexpr std::int64_t most = std::int64_t{1} << 20;
  if (of.is_read_in_place()) return 0;
  const std::int64_t phases = of.stride[1];
  if (std::max({rows, columns, phases, of.stride[0], of.reach(0), of.reach(1)}) > most)
    return std::numeric_limits<std::uint64_t>::max();
  const std::int64_t row = phases * (columns_of_copy(columns) + (of.reach(1) - 1) / phases);
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
  phase_ = columns_of_copy(part.columns) + (of.reach(1) - 1) / phases;
  row_ = phases * phase_;
  first_ = memory;
  const std::int64_t rows = (part.rows - 1) * of.stride[0] + of.reach(0);
  for (std::int64_t phase = 0; phase < phases; ++phase) {
    if (!is_phase_read(of, phase)) continue;
    const window_columns columns(of, column + phase, phases, phase_);
    for (std::int64_t r = 0; r < rows; ++r)
      columns.load(set, of, plane, row + r, around,
                   memory + static_cast<std::ptrdiff_t>(r * row_ + phase * phase_));
  }
}

void load_window_row(isa set, const cpu_windows& of, const std::byte* plane, std::int64_t row,
                     std::int64_t column, std::int64_t by, std::size_t count, float around,
                     float* to) noexcept {
  window_columns(of, column, by, static_cast<std::int64_t>(count))
      .load(set, of, plane, row, around, to);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
