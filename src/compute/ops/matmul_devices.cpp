// SPDX-License-Identifier: Apache-2.0
// Matrix products on the devices of drivers: the kernels, and their parameters.
#include <algorithm>
#include <limits>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/ops/matmul_ways.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// -- kernels: each as of f32, f16, and f32 times i8

constexpr std::size_t batch_rank_max = 4;

struct batch_strides {
  std::uint32_t size[batch_rank_max - 1];
  std::int32_t a[batch_rank_max], b[batch_rank_max];
};
// As kernels/dual/matmul_tile.k has them; first[]: of A, B, bias, C and scale.
struct tile_parameters {
  std::uint32_t m, n, k, batches, first[5];
  std::int32_t a_row, a_column, b_row, b_column, scale_stride, bias_stride;
  batch_strides batch;
};
// As kernels/dual/matvec.k.
struct matvec_parameters {
  std::uint32_t n, k, batches, first[5];
  std::int32_t m_row, m_column, x_stride, scale_stride, bias_stride;
  batch_strides batch;
};
// As kernels/opencl/matmul_pack.cl, matmul_panels.cl and matmul_halves.cl.
struct pack_parameters {
  std::uint32_t lines, k, panels, block, first[2];
  std::int32_t line_stride, depth_stride, scale_stride;
  std::uint32_t size[batch_rank_max - 1];
  std::int32_t batch[batch_rank_max];
};
struct panels_parameters {
  std::uint32_t m, n, row_panels, column_panels, chunks, begin, depth, a_batch, b_batch, first_c;
  std::uint32_t first_bias;
  std::int32_t bias_stride;
  std::uint32_t has_bias;
};
struct halves_parameters {
  std::uint32_t count, first;
};
// As kernels/vulkan/matmul_vec4.comp; counts of four numbers, but for the bias.
struct vec4_parameters {
  std::uint32_t m, n4, k4, batches, first[4], a_row4, b_row4;
  std::int32_t bias_stride;
  batch_strides batch;
};

template <class Parameters>
constexpr kernel_source matmul_kernel(std::string_view name, std::uint32_t buffers,
                                      std::uint32_t constants, const kernel_code& code,
                                      dtype type = dtypes::f32) {
  return {.name = name,
          .buffers = buffers,
          .parameter_bytes = sizeof(Parameters),
          .constants = constants,
          .code = &code,
          .storage_16bit = type == dtypes::f16,
          .storage_8bit = type == dtypes::i8};
}
constexpr kernel_source tile_sources[] = {
    matmul_kernel<tile_parameters>("matmul_tile", 4, 7, embedded::matmul_tile_f32),
    matmul_kernel<tile_parameters>("matmul_tile", 4, 7, embedded::matmul_tile_f16, dtypes::f16),
    matmul_kernel<tile_parameters>("matmul_tile", 5, 7, embedded::matmul_tile_i8, dtypes::i8)};
constexpr kernel_source matvec_sources[] = {
    matmul_kernel<matvec_parameters>("matvec", 4, 4, embedded::matvec_f32),
    matmul_kernel<matvec_parameters>("matvec", 4, 4, embedded::matvec_f16, dtypes::f16),
    matmul_kernel<matvec_parameters>("matvec", 5, 4, embedded::matvec_i8, dtypes::i8)};
constexpr kernel_source pack_sources[] = {
    matmul_kernel<pack_parameters>("matmul_pack", 2, 3, embedded::matmul_pack_f32),
    matmul_kernel<pack_parameters>("matmul_pack", 2, 3, embedded::matmul_pack_f16, dtypes::f16),
    matmul_kernel<pack_parameters>("matmul_pack", 3, 3, embedded::matmul_pack_i8, dtypes::i8)};
constexpr kernel_source panels_source =
    matmul_kernel<panels_parameters>("matmul_panels", 4, 4, embedded::matmul_panels);
constexpr kernel_source halves_source =
    matmul_kernel<halves_parameters>("matmul_halves", 2, 2, embedded::matmul_halves, dtypes::f16);
constexpr kernel_source vec4_source =
    matmul_kernel<vec4_parameters>("matmul_vec4", 4, 4, embedded::matmul_vec4);

const kernel_source& of_type(const kernel_source (&sources)[3], dtype type) {
  return sources[type == dtypes::f16 ? 1 : type == dtypes::i8 ? 2 : 0];
}

// So much of the depth at a time, and so many panels of B: a panel of A stays in the L1 cache while
// they pass by from the L2 cache.
constexpr std::uint64_t panels_depth = 256, panels_chunk = 8;

// -- plans

result<std::int32_t> stride_of(std::int64_t stride, const planner& to) {
  if (stride > std::numeric_limits<std::int32_t>::max() ||
      stride < std::numeric_limits<std::int32_t>::min())
    return to.unsupported("a stride of " + std::to_string(stride) + " elements");
  return static_cast<std::int32_t>(stride);
}

result<batch_strides> batch_of(const matmul_product& p, const planner& to,
                               std::int32_t divisor = 1) {
  if (p.batch.rank > batch_rank_max)
    return to.unsupported("matmul of batches strided in more than 4 dimensions; copy them");
  batch_strides made{{1, 1, 1}, {}, {}};
  for (std::size_t d = 0; d < p.batch.rank; ++d) {
    if (d + 1 < batch_rank_max) made.size[d] = static_cast<std::uint32_t>(p.batch.size[d]);
    BEAMLET_TRY(made.a[d], stride_of(p.batch.stride[0][d] / divisor, to));
    BEAMLET_TRY(made.b[d], stride_of(p.batch.stride[1][d] / divisor, to));
  }
  return made;
}

// Binds input `i`, or the output where there is no such input, or no element of it.
result<std::uint32_t> bind_input(planner& to, planned_launch& made, std::size_t i, bool is_there) {
  if (is_there && to.input(i).elements() > 0) return to.bind(made, to.input_slot(i), to.input(i));
  return to.bind(made, to.output_slot(0), to.output(0));
}

// As kernels count: none, one for each column, one for each row.
std::uint32_t bias_of(const matmul_product& p) {
  return !p.has_bias ? 0 : p.has_bias_of_rows ? 2 : 1;
}

std::int64_t column_stride(const planner& to, std::size_t input, bool is_there) {
  return is_there ? to.input(input).strides[0] : 0;
}

std::uint64_t batch_groups(const matmul_product& p, const planner& to) {
  return std::min<std::uint64_t>(p.batches, to.device().limits.groups_max[2]);
}

// A, B (the matrix and the vector), bias, C and the scale: what `tile` and `matvec` bind.
template <class Parameters>
result<void> bind_all(const matmul_product& p, planner& to, planned_launch& made, Parameters& with,
                      bool exchanged) {
  if (made.what->buffers > to.device().limits.buffers_max)
    return to.unsupported("a kernel of " + std::to_string(made.what->buffers) + " buffers");
  const std::size_t bias = p.has_bias ? p.bias_input() : 0;
  BEAMLET_TRY(with.first[0], bind_input(to, made, p.inputs[exchanged ? 1 : 0], true));
  BEAMLET_TRY(with.first[1], bind_input(to, made, p.inputs[exchanged ? 0 : 1], true));
  BEAMLET_TRY(with.first[2], bind_input(to, made, bias, p.has_bias));
  BEAMLET_TRY(with.first[3], to.bind(made, to.output_slot(0), to.output(0)));
  if (p.has_scale) {
    BEAMLET_TRY(with.first[4], bind_input(to, made, 2, true));
  }
  BEAMLET_TRY(with.scale_stride, stride_of(column_stride(to, 2, p.has_scale), to));
  BEAMLET_TRY(with.bias_stride, stride_of(column_stride(to, bias, p.has_bias), to));
  BEAMLET_TRY(with.batch, batch_of(p, to));
  if (exchanged) std::swap(with.batch.a, with.batch.b);
  with.k = static_cast<std::uint32_t>(p.k);
  with.batches = static_cast<std::uint32_t>(p.batches);
  return {};
}

result<void> plan_tile(const matmul_product& p, const matmul_way& how, planner& to) {
  planned_launch& made = to.launch(of_type(tile_sources, p.type_of_b));
  tile_parameters with{};
  BEAMLET_TRY_VOID(bind_all(p, to, made, with, false));
  with.m = static_cast<std::uint32_t>(p.m);
  with.n = static_cast<std::uint32_t>(p.n);
  BEAMLET_TRY(with.a_row, stride_of(p.a_row, to));
  BEAMLET_TRY(with.a_column, stride_of(p.a_column, to));
  BEAMLET_TRY(with.b_row, stride_of(p.b_row, to));
  BEAMLET_TRY(with.b_column, stride_of(p.b_column, to));
  const bool a_by_rows = p.a_column == 1 || p.a_row != 1,
             b_by_rows = p.b_column == 1 || p.b_row != 1;
  made.constants.values = {how.group_x, how.group_y, how.rows,  how.columns,
                           a_by_rows,   b_by_rows,   bias_of(p)};
  made.set_parameters(with);
  return to.set_groups(made, divided_up(p.n, std::uint64_t{4} * how.group_x * how.columns),
                       divided_up(p.m, std::uint64_t{4} * how.group_y * how.rows),
                       batch_groups(p, to));
}

result<void> plan_matvec(const matmul_product& p, const matmul_way& how, planner& to) {
  planned_launch& made = to.launch(of_type(matvec_sources, p.type_of_b));
  matvec_parameters with{};
  const bool is_row = p.m == 1;  // a' B is B' a
  BEAMLET_TRY_VOID(bind_all(p, to, made, with, is_row));
  const std::uint64_t sums = is_row ? p.n : p.m;
  with.n = static_cast<std::uint32_t>(sums);
  BEAMLET_TRY(with.m_row, stride_of(is_row ? p.b_column : p.a_row, to));
  BEAMLET_TRY(with.m_column, stride_of(is_row ? p.b_row : p.a_column, to));
  BEAMLET_TRY(with.x_stride, stride_of(is_row ? p.a_column : p.b_row, to));
  if (!is_row) with.scale_stride = 0;  // one column
  if (is_row == p.has_bias_of_rows) with.bias_stride = 0;
  made.constants.values = {how.group_x, how.group_y, how.rows, p.has_bias};
  made.set_parameters(with);
  return to.set_groups(made, divided_up(sums, how.rows == 1 ? how.group_y : how.group_x), 1,
                       batch_groups(p, to));
}

result<void> plan_vec4(const matmul_product& p, const matmul_way& how, planner& to) {
  planned_launch& made = to.launch(vec4_source);
  vec4_parameters with{};
  const std::size_t bias = p.has_bias ? p.bias_input() : 0;
  BEAMLET_TRY(with.first[0], bind_input(to, made, p.inputs[0], true));
  BEAMLET_TRY(with.first[1], bind_input(to, made, p.inputs[1], true));
  BEAMLET_TRY(with.first[2], bind_input(to, made, bias, p.has_bias));
  BEAMLET_TRY(with.first[3], to.bind(made, to.output_slot(0), to.output(0)));
  for (std::size_t i : {0, 1, 3}) with.first[i] /= 4;
  BEAMLET_TRY(with.batch, batch_of(p, to, 4));
  BEAMLET_TRY(with.bias_stride, stride_of(column_stride(to, bias, p.has_bias), to));
  with.m = static_cast<std::uint32_t>(p.m);
  with.n4 = static_cast<std::uint32_t>(p.n / 4);
  with.k4 = static_cast<std::uint32_t>(p.k / 4);
  with.batches = static_cast<std::uint32_t>(p.batches);
  with.a_row4 = static_cast<std::uint32_t>(p.a_row / 4);
  with.b_row4 = static_cast<std::uint32_t>(p.b_row / 4);
  made.constants.values = {how.group_x, how.group_y, how.rows, bias_of(p)};
  made.set_parameters(with);
  return to.set_groups(made, divided_up(p.n / 4, how.group_x), divided_up(p.m, how.rows),
                       batch_groups(p, to));
}

// -- panels

// One of the two matrices: its lines are rows of A (0), columns of B (1).
struct packed_side {
  std::size_t input;
  std::uint64_t lines, width, panels, batches;
  std::int64_t line_stride, depth_stride;
  slot memory;
  std::uint64_t bytes = 0;
};

packed_side side_of(const matmul_product& p, std::size_t input, std::uint64_t width) {
  packed_side made{input,
                   input == 0 ? p.m : p.n,
                   width,
                   0,
                   p.batches,
                   input == 0 ? p.a_row : p.b_column,
                   input == 0 ? p.a_column : p.b_row,
                   {}};
  bool is_shared = true;
  for (std::size_t d = 0; d < p.batch.rank; ++d) is_shared &= p.batch.stride[input][d] == 0;
  if (is_shared) made.batches = 1;
  made.panels = divided_up(made.lines, width);
  made.bytes = made.batches * made.panels * width * p.k * sizeof(float);
  return made;
}

bool panels_fit(const matmul_product& p, const matmul_way& how, const planner& to) {
  const device_limits& limits = to.device().limits;
  const auto fits = [&](std::uint64_t bytes) {
    return bytes <= std::min(limits.binding_bytes_max, limits.buffer_bytes_max) &&
           bytes / sizeof(float) <= std::uint64_t{std::numeric_limits<std::int32_t>::max()};
  };
  return fits(side_of(p, 0, how.rows).bytes) &&
         fits(side_of(p, 1, std::uint64_t{2} * how.columns).bytes) &&
         fits(p.batches * p.m * p.n * sizeof(float)) &&
         p.batches * divided_up(p.n, how.columns) <= limits.groups_max[2];
}

result<void> plan_side(const matmul_product& p, packed_side& side, planner& to) {
  side.memory = to.scratch(side.bytes);
  planned_launch& made = to.launch(of_type(pack_sources, to.input(p.inputs[side.input]).type));
  pack_parameters with{};
  BEAMLET_TRY(with.first[0], bind_input(to, made, p.inputs[side.input], true));
  made.bindings[made.binding_count++] = {side.memory, 0, side.bytes};
  if (side.input == 1 && p.has_scale) {
    BEAMLET_TRY(with.first[1], bind_input(to, made, 2, true));
    BEAMLET_TRY(with.scale_stride, stride_of(to.input(2).strides[0], to));
  }
  BEAMLET_TRY(const batch_strides batch, batch_of(p, to));
  std::ranges::copy(batch.size, with.size);
  std::ranges::copy(side.input == 0 ? batch.a : batch.b, with.batch);
  with.lines = static_cast<std::uint32_t>(side.lines);
  with.k = static_cast<std::uint32_t>(p.k);
  with.panels = static_cast<std::uint32_t>(side.panels);
  with.block = panels_depth;
  BEAMLET_TRY(with.line_stride, stride_of(side.line_stride, to));
  BEAMLET_TRY(with.depth_stride, stride_of(side.depth_stride, to));
  made.constants.values = {1, 1, static_cast<std::uint32_t>(side.width)};
  made.set_parameters(with);
  constexpr std::uint64_t steps_of_item = 64;
  return to.set_groups(made, divided_up(p.k, steps_of_item), side.panels, side.batches);
}

result<void> plan_panels(const matmul_product& p, const matmul_way& how, planner& to) {
  packed_side a = side_of(p, 0, how.rows), b = side_of(p, 1, std::uint64_t{2} * how.columns);
  BEAMLET_TRY_VOID(plan_side(p, a, to));
  BEAMLET_TRY_VOID(plan_side(p, b, to));
  const bool halves = p.type_of_b == dtypes::f16;
  const operand& c = to.output(0);
  const operand sums = halves ? operand::dense(dtypes::f32, c.shape) : c;
  const slot sums_memory = halves ? to.scratch(sums.elements() * sizeof(float)) : to.output_slot(0);
  const std::size_t bias = p.has_bias ? p.bias_input() : 0;
  panels_parameters with{};
  with.m = static_cast<std::uint32_t>(p.m);
  with.n = static_cast<std::uint32_t>(p.n);
  with.row_panels = static_cast<std::uint32_t>(a.panels);
  with.column_panels = static_cast<std::uint32_t>(b.panels);
  with.a_batch = a.batches == 1 ? 0 : static_cast<std::uint32_t>(a.panels * a.width * p.k);
  with.b_batch = b.batches == 1 ? 0 : static_cast<std::uint32_t>(b.panels * b.width * p.k);
  with.has_bias = bias_of(p);
  const std::uint64_t across = std::min(b.panels, panels_chunk);
  with.chunks = static_cast<std::uint32_t>(divided_up(b.panels, across));
  BEAMLET_TRY(with.bias_stride, stride_of(column_stride(to, bias, p.has_bias), to));
  for (std::uint64_t begin = 0; begin < p.k; begin += panels_depth) {
    planned_launch& made = to.launch(panels_source);
    made.bindings[made.binding_count++] = {a.memory, 0, a.bytes};
    made.bindings[made.binding_count++] = {b.memory, 0, b.bytes};
    BEAMLET_TRY(with.first_bias, to.bind(made, p.has_bias ? to.input_slot(bias) : sums_memory,
                                         p.has_bias ? to.input(bias) : sums));
    BEAMLET_TRY(with.first_c, to.bind(made, sums_memory, sums));
    with.begin = static_cast<std::uint32_t>(begin);
    with.depth = static_cast<std::uint32_t>(std::min(panels_depth, p.k - begin));
    made.constants.values = {how.group_x, how.group_y, how.rows, how.columns};
    made.set_parameters(with);
    BEAMLET_TRY_VOID(to.set_groups(made, across, a.panels, p.batches * with.chunks));
  }
  if (!halves) return {};
  planned_launch& made = to.launch(halves_source);
  halves_parameters last{static_cast<std::uint32_t>(c.elements()), 0};
  BEAMLET_TRY_VOID(to.bind(made, sums_memory, sums));
  BEAMLET_TRY(last.first, to.bind(made, to.output_slot(0), c));
  made.set_parameters(last);
  return to.set_items(made, 64, c.elements());
}

}  // namespace

result<void> plan_matmul_on_device(const matmul_product& product, planner& to) {
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  if (std::max({product.m, product.n, product.k, product.batches}) > most)
    return to.unsupported("matmul of more rows or columns than 31 bits count");
  const matmul_ways ways = ways_of(product, to);
  matmul_way how = to.pick(ways.list());
  if (how.kind == matmul_kind::panels && !panels_fit(product, how, to)) how = {};
  switch (how.kind) {
    case matmul_kind::matvec: return plan_matvec(product, how, to);
    case matmul_kind::vec4: return plan_vec4(product, how, to);
    case matmul_kind::panels: return plan_panels(product, how, to);
    case matmul_kind::tile: break;
  }
  return plan_tile(product, how, to);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
