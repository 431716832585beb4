// SPDX-License-Identifier: Apache-2.0
// The loops around the kernels, in the manner of Goto and van de Geijn (2008), with the parts of A
// and B exchanged: B lies packed in panels as wide as a tile; a few rows of A stay in the L1 cache
// while a chunk of panels passes by from the L2 cache, in the order of its memory. A is not packed:
// a kernel broadcasts its elements, and can take them from rows.
#include "compute/cpu/gemm.hpp"

#include <algorithm>
#include <cstring>

#include "compute/cpu/gemm_kernels.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

const gemm_kernels& gemm_kernels_of(isa set) noexcept {
  switch (set) {
#if BEAMLET_NEON
    case isa::neon: return gemm_kernels_neon;
#endif
#if BEAMLET_X86_64
    case isa::avx2: return gemm_kernels_avx2;
    case isa::avx512: return gemm_kernels_avx512;
#endif
    default: return gemm_kernels_scalar;
  }
}

namespace {

constexpr std::size_t line_floats = gemm_alignment / sizeof(float);

constexpr std::size_t rounded_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

// Cuts `left` into as few pieces as `most` allows, all of them about equally large: a last piece of
// one row, or of one step, would run at a fraction of the speed. `left` > 0.
std::size_t fair_share(std::size_t left, std::size_t most) {
  const std::size_t pieces = (left + most - 1) / most;
  return (left + pieces - 1) / pieces;
}

// The same in whole panels.
std::size_t columns_share(const gemm_kernels& kernels, std::size_t left, std::size_t most) {
  return std::min(left, rounded_up(fair_share(left, most), kernels.columns));
}

// Rows of a packed block of A begin one line further than their length, so that they do not all
// fall into one set of the L1 cache where the depth is a power of two.
std::size_t a_block_stride(std::size_t depth) {
  return rounded_up(depth, line_floats) + line_floats;
}

const float* element(matrix_in m, std::size_t row, std::size_t column) {
  return m.data + static_cast<std::ptrdiff_t>(row) * m.row_stride +
         static_cast<std::ptrdiff_t>(column) * m.column_stride;
}

// Rows of `from` become contiguous rows of `to`. Strided input is read in small squares, so that
// each line of it is used up before it leaves the cache.
void copy_rows(matrix_in from, std::size_t rows, std::size_t columns, float* to,
               std::size_t to_stride) {
  if (from.column_stride == 1) {
    for (std::size_t i = 0; i < rows; ++i)
      std::memcpy(to + i * to_stride, element(from, i, 0), columns * sizeof(float));
    return;
  }
  constexpr std::size_t square = 16;
  for (std::size_t j0 = 0; j0 < columns; j0 += square) {
    const std::size_t j1 = std::min(columns, j0 + square);
    for (std::size_t i0 = 0; i0 < rows; i0 += square) {
      const std::size_t i1 = std::min(rows, i0 + square);
      for (std::size_t j = j0; j < j1; ++j)
        for (std::size_t i = i0; i < i1; ++i) to[i * to_stride + j] = *element(from, i, j);
    }
  }
}

// What lies in one panel of rows that are contiguous: in pieces of a size that the compiler knows,
// for a call of memcpy takes as long as its copy.
void copy_panel_rows(matrix_in from, std::size_t rows, std::size_t width, float* to) {
  constexpr std::size_t piece = 8;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < width; j += piece)
      std::memcpy(to + i * width + j, element(from, i, j), piece * sizeof(float));
}

// Packs depth x columns of B into panels of `width` columns, the last one filled up with zeros. Few
// rows at a time go through all panels: so the reads run along rows and the writes into whole
// lines.
void pack_panels(matrix_in b, std::size_t depth, std::size_t columns, std::size_t width,
                 float* to) {
  constexpr std::size_t strip = 16;
  for (std::size_t p = 0; p < depth; p += strip) {
    const std::size_t rows = std::min(strip, depth - p);
    for (std::size_t j = 0; j < columns; j += width) {
      const std::size_t here = std::min(width, columns - j);
      float* panel = to + j * depth + p * width;
      const matrix_in from{element(b, p, j), b.row_stride, b.column_stride};
      if (here == width && b.column_stride == 1) {
        copy_panel_rows(from, rows, width, panel);
        continue;
      }
      copy_rows(from, rows, here, panel, width);
      for (std::size_t i = 0; i < rows; ++i)
        std::memset(panel + i * width + here, 0, (width - here) * sizeof(float));
    }
  }
}

void pack_part_of_matrix(const void* of, const made_b::part& which, float* to) noexcept {
  const auto& b = *static_cast<const matrix_in*>(of);
  pack_panels({element(b, which.p, which.j), b.row_stride, b.column_stride}, which.depth,
              which.columns, which.width, to);
}

// One block of packed panels of B, and `rows` rows of A, contiguous, to multiply with it.
struct gemm_block {
  gemm_block(const gemm_kernels& table, const float* b, std::size_t k, std::size_t n, matrix_out to,
             bool add_to)
      : kernels(table), panels(b), depth(k), columns(n), c(to), add(add_to) {}
  const gemm_kernels& kernels;
  const float* panels;
  std::size_t depth, columns;
  matrix_out c;
  bool add;
  const float* a = nullptr;
  std::ptrdiff_t a_stride = 0;
  std::size_t rows = 0;
};

// A tile's rows of A stay in the L1 cache while the chunk's panels pass by; the chunk stays in the
// L2 cache while all rows pass by.
void run_block(const gemm_block& block) {
  const gemm_kernels& kernels = block.kernels;
  gemm_tile tile{};
  tile.a_stride = block.a_stride;
  tile.c_stride = block.c.row_stride;
  tile.depth = block.depth;
  tile.add = block.add;
  for (std::size_t first = 0, end = 0; first < block.columns; first = end) {
    end = first + columns_share(kernels, block.columns - first, kernels.chunk_columns);
    for (std::size_t i = 0, rows = 0; i < block.rows; i += rows) {
      rows = fair_share(block.rows - i, kernels.rows);
      tile.a = block.a + static_cast<std::ptrdiff_t>(i) * tile.a_stride;
      float* c = block.c.data + static_cast<std::ptrdiff_t>(i) * tile.c_stride;
      for (std::size_t j = first; j < end; j += kernels.columns) {
        tile.columns = std::min(kernels.columns, block.columns - j);
        tile.b = block.panels + j * block.depth;
        tile.c = c + j;
        kernels.tiles[rows - 1](tile);
      }
    }
  }
}

// Can the kernels read A where it is? Its rows must be contiguous, and must not begin a multiple of
// 4 KiB apart, for then they all fall into one set of the L1 cache and push each other out.
bool is_read_in_place(matrix_in a) { return a.column_stride == 1 && a.row_stride % 1024 != 0; }

// All rows of A times one packed block of B.
void run_rows(gemm_block block, std::size_t m, matrix_in a, float* scratch) {
  if (is_read_in_place(a)) {
    block.a = a.data, block.a_stride = a.row_stride, block.rows = m;
    return run_block(block);
  }
  const std::size_t stride = a_block_stride(block.depth);
  block.a = scratch, block.a_stride = static_cast<std::ptrdiff_t>(stride);
  const matrix_out c = block.c;
  for (std::size_t i = 0; i < m; i += block.rows) {
    block.rows = fair_share(m - i, block.kernels.block_rows);
    copy_rows({element(a, i, 0), a.row_stride, a.column_stride}, block.rows, block.depth, scratch,
              stride);
    block.c.data = c.data + static_cast<std::ptrdiff_t>(i) * c.row_stride;
    run_block(block);
  }
}

void write_zeros(std::size_t m, std::size_t n, matrix_out c) {
  for (std::size_t i = 0; i < m; ++i)
    std::fill_n(c.data + static_cast<std::ptrdiff_t>(i) * c.row_stride, n, 0.0f);
}

std::size_t a_block_floats(const gemm_kernels& kernels, std::size_t m) {
  return std::min(m, kernels.block_rows) * a_block_stride(kernels.depth);
}

}  // namespace

std::size_t gemm_scratch_bytes(isa set, gemm_shape shape) noexcept {
  if (shape.m == 0 || shape.n == 0 || shape.k == 0) return 0;
  if (shape.m == 1 || shape.n == 1) return gemv_scratch_bytes(shape.m * shape.n, shape.k);
  return gemm_made_scratch_bytes(set, shape);
}

std::size_t gemm_made_scratch_bytes(isa set, gemm_shape shape) noexcept {
  if (shape.m == 0 || shape.n == 0 || shape.k == 0) return 0;
  const gemm_kernels& kernels = gemm_kernels_of(set);
  const std::size_t columns = rounded_up(std::min(shape.n, kernels.block_columns), kernels.columns);
  return (a_block_floats(kernels, shape.m) + columns * std::min(shape.k, kernels.depth)) *
         sizeof(float);
}

void gemm(isa set, gemm_shape shape, matrix_in a, matrix_in b, matrix_out c, gemm_output output,
          std::byte* scratch) noexcept {
  const auto [m, n, k] = shape;
  const bool add = output == gemm_output::add;
  const gemm_kernels& kernels = gemm_kernels_of(set);
  const bool is_empty = m == 0 || n == 0 || k == 0;
  if (n == 1 && !is_empty) {
    return gemv(kernels,
                {m, k, a.data, a.row_stride, a.column_stride, b.data, b.row_stride, c.data,
                 c.row_stride, add},
                scratch);
  }
  if (m == 1 && !is_empty) {
    return gemv(
        kernels,
        {n, k, b.data, b.column_stride, b.row_stride, a.data, a.column_stride, c.data, 1, add},
        scratch);
  }
  gemm_made(set, shape, a, {pack_part_of_matrix, &b}, c, output, scratch);
}

void gemm_made(isa set, gemm_shape shape, matrix_in a, const made_b& b, matrix_out c,
               gemm_output output, std::byte* scratch) noexcept {
  const auto [m, n, k] = shape;
  const bool add = output == gemm_output::add;
  if (m == 0 || n == 0) return;
  if (k == 0) return add ? void() : write_zeros(m, n, c);
  const gemm_kernels& kernels = gemm_kernels_of(set);
  float* a_block = reinterpret_cast<float*>(scratch);
  float* b_block = a_block + a_block_floats(kernels, m);
  for (std::size_t j = 0, columns = 0; j < n; j += columns) {
    columns = columns_share(kernels, n - j, kernels.block_columns);
    for (std::size_t p = 0, depth = 0; p < k; p += depth) {
      depth = fair_share(k - p, kernels.depth);
      b.pack(b.of, {p, depth, j, columns, kernels.columns}, b_block);
      const matrix_out to{c.data + j, c.row_stride};
      run_rows(gemm_block(kernels, b_block, depth, columns, to, add || p > 0), m,
               {element(a, 0, p), a.row_stride, a.column_stride}, a_block);
    }
  }
}

std::size_t packed_b_bytes(isa set, std::size_t k, std::size_t n) noexcept {
  const std::size_t columns = n == 1 ? 1 : rounded_up(n, gemm_kernels_of(set).columns);
  return columns * k * sizeof(float);
}

packed_b pack_b(isa set, std::size_t k, std::size_t n, matrix_in b, std::byte* memory) noexcept {
  return pack_b_part(set, k, n, b, memory, 0, 1);
}

packed_b pack_b_part(isa set, std::size_t k, std::size_t n, matrix_in b, std::byte* memory,
                     std::size_t part, std::size_t parts) noexcept {
  const gemm_kernels& kernels = gemm_kernels_of(set);
  const packed_b made{set, k, n, reinterpret_cast<float*>(memory)};
  float* to = reinterpret_cast<float*>(memory);
  if (n == 1) {
    for (std::size_t p = k * part / parts; p < k * (part + 1) / parts; ++p)
      to[p] = *element(b, p, 0);
    return made;
  }
  const std::size_t all = rounded_up(n, kernels.columns), panels = all / kernels.columns;
  const std::size_t first = panels * part / parts * kernels.columns;
  const std::size_t end = std::min(n, panels * (part + 1) / parts * kernels.columns);
  for (std::size_t p = 0, depth = 0; p < k && first < end; p += depth) {
    depth = fair_share(k - p, kernels.depth);
    pack_panels({element(b, p, first), b.row_stride, b.column_stride}, depth, end - first,
                kernels.columns, to + p * all + first * depth);
  }
  return made;
}

std::size_t gemm_packed_scratch_bytes(const packed_b& b, std::size_t m) noexcept {
  if (b.n == 1) return gemv_scratch_bytes(m, b.k);
  return a_block_floats(gemm_kernels_of(b.set), m) * sizeof(float);
}

void gemm_packed(std::size_t m, matrix_in a, const packed_b& b, matrix_out c, gemm_output output,
                 std::byte* scratch) noexcept {
  const bool add = output == gemm_output::add;
  if (m == 0 || b.n == 0) return;
  if (b.k == 0) return add ? void() : write_zeros(m, b.n, c);
  const gemm_kernels& kernels = gemm_kernels_of(b.set);
  if (b.n == 1) {
    return gemv(
        kernels,
        {m, b.k, a.data, a.row_stride, a.column_stride, b.data, 1, c.data, c.row_stride, add},
        scratch);
  }
  for (std::size_t p = 0, depth = 0; p < b.k; p += depth) {
    depth = fair_share(b.k - p, kernels.depth);
    const float* panels = b.data + p * rounded_up(b.n, kernels.columns);
    run_rows(gemm_block(kernels, panels, depth, b.n, c, add || p > 0), m,
             {element(a, 0, p), a.row_stride, a.column_stride}, reinterpret_cast<float*>(scratch));
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
