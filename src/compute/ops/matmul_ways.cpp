// SPDX-License-Identifier: Apache-2.0
#include "compute/ops/matmul_ways.hpp"

#include <algorithm>
#include <utility>

#include "compute/cpu/isa.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr std::uint64_t panels_rows_min = 4, panels_columns_min = 8;
constexpr std::uint64_t large_tile_min = 256;
constexpr std::uint32_t tile_step = 16, bytes_of_four = 16;  // as kernels/dual/matmul_tile.k

bool fits_fours(const matmul_product& p, const planner& to) {
  const auto all_fours = [](std::int64_t x) { return x % 4 == 0; };
  if (p.n % 4 != 0 || p.k % 4 != 0 || p.type_of_b != dtypes::f32) return false;
  if (p.a_column != 1 || p.b_column != 1 || !all_fours(p.a_row) || !all_fours(p.b_row))
    return false;
  if (p.a_row < 0 || p.b_row < 0) return false;
  for (std::size_t d = 0; d < p.batch.rank; ++d)
    if (!all_fours(p.batch.stride[0][d]) || !all_fours(p.batch.stride[1][d])) return false;
  const operand* const in[] = {&to.input(0), &to.input(1), &to.output(0)};
  return std::ranges::all_of(
      in, [](const operand* o) { return o->bytes().first % 16 == 0 && o->offset_bytes % 16 == 0; });
}

bool has_room(const matmul_way& tile, const device_limits& limits) {
  const std::uint32_t rows4 = tile.rows * tile.group_y, columns4 = tile.columns * tile.group_x;
  return tile.group_x * tile.group_y <= limits.group_items_max &&
         tile.group_x <= limits.group_size_max[0] && tile.group_y <= limits.group_size_max[1] &&
         bytes_of_four * tile_step * (rows4 + columns4) <= limits.local_bytes;
}

void add_panels(matmul_ways& to) {
  // Such a device is this processor: as many rows as its registers hold.
  constexpr auto panels = matmul_kind::panels;
  switch (best_isa()) {
    case isa::avx512:
      for (std::uint32_t rows : {12, 8, 6}) to.add({panels, 1, 1, rows, 16});
      to.add({panels, 1, 1, 6, 8});
      break;
    case isa::avx2:
      for (std::uint32_t rows : {6, 4}) to.add({panels, 1, 1, rows, 8});
      break;
    default:
      for (std::uint32_t rows : {6, 4}) to.add({panels, 1, 1, rows, 4});
  }
}

void add_tiles(const matmul_product& p, const device_info& on, matmul_ways& to) {
  constexpr matmul_way tiles[] = {
      {matmul_kind::tile, 16, 8, 1, 1}, {matmul_kind::tile, 16, 16, 2, 2},
      {matmul_kind::tile, 8, 8, 2, 2},  {matmul_kind::tile, 16, 8, 2, 1},
      {matmul_kind::tile, 8, 8, 1, 1},  {matmul_kind::tile, 16, 16, 1, 1},
      {matmul_kind::tile, 32, 8, 1, 2}};
  if (on.kind == device_kind::discrete && has_room(tiles[1], on.limits) && p.m >= large_tile_min &&
      p.n >= large_tile_min)
    to.add(tiles[1]);
  to.add(tiles[0]);  // of 128 items and 6 KiB, which every device has
  if (on.is_like_a_cpu()) return;
  for (const matmul_way& one : tiles)
    if (has_room(one, on.limits)) to.add(one);
}

void add_matvecs(const matmul_product& p, const device_info& on, matmul_ways& to) {
  // Items next to each other take numbers next to each other.
  const bool by_rows = p.m == 1 ? p.b_row == 1 || p.b_column != 1 : p.a_column == 1 || p.a_row != 1;
  to.add({matmul_kind::matvec, 32, 4, by_rows, 0});
  for (const auto& [x, y] : {std::pair(16, 8), std::pair(64, 1), std::pair(8, 8), std::pair(64, 4)})
    if (static_cast<std::uint32_t>(x * y) <= on.limits.group_items_max)
      to.add({matmul_kind::matvec, static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y),
              by_rows, 0});
}

// -- the table

/// Shapes up to this, on such devices, were measured to be made fastest in this way.
struct measured_product {
  const char* backend;
  isa of_processor;
  std::uint64_t m, n, k;
  matmul_way way;
};
// `bench/compute/run BUILD tuning` prints these lines.
constexpr measured_product measured_products[] = {
    {"vulkan", isa::avx512, 64, 64, 64, {matmul_kind::vec4, 64, 1, 16, 4}},
};

void add_measured(const matmul_product& p, const device_info& on, matmul_ways& to) {
  for (const measured_product& one : measured_products)
    if (one.backend == on.backend && one.of_processor == best_isa() && p.m <= one.m &&
        p.n <= one.n && p.k <= one.k && p.type_of_b == dtypes::f32)
      return to.add(one.way);
}

}  // namespace

void matmul_ways::add(const matmul_way& one) noexcept {
  if (count < count_max && std::ranges::find(list(), one) == list().end()) all[count++] = one;
}

matmul_ways ways_of(const matmul_product& p, const planner& to) {
  const device_info& on = to.device();
  matmul_ways made;
  const bool weights_are_x = p.n == 1 && p.type_of_b == dtypes::i8;
  if (p.is_vector() && !weights_are_x) {
    add_matvecs(p, on, made);
    return made;
  }
  if (on.backend == "vulkan" && on.is_like_a_cpu() && fits_fours(p, to)) {
    add_measured(p, on, made);
    for (std::uint32_t rows : {16, 8, 4}) made.add({matmul_kind::vec4, 64, 1, rows, 4});
    made.add({matmul_kind::vec4, 16, 1, 8, 4});
    return made;
  }
  if (on.backend == "opencl" && on.is_like_a_cpu() && p.m >= panels_rows_min &&
      p.n >= panels_columns_min && p.k > 0) {
    add_measured(p, on, made);
    add_panels(made);
  }
  add_tiles(p, on, made);
  return made;
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
