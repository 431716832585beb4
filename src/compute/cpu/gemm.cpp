// SPDX-License-Identifier: Apache-2.0
// The loops around the kernels, after Goto and van de Geijn (2008): a block of B lies packed in
// panels as wide as a tile, a block of A in rows that the L2 cache holds; a panel of B stays in the
// L1 cache while all rows of A's block pass by.
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
      copy_rows(from, rows, here, panel, width);
      if (here == width) continue;
      for (std::size_t i = 0; i < rows; ++i)
        std::memset(panel + i * width + here, 0, (width - here) * sizeof(float));
    }
  }
}

// One block: `rows` rows of A, contiguous, times packed panels of B.
struct gemm_block {
  const gemm_kernels& kernels;
  const float* a;
  std::size_t a_stride, rows;
  const float* panels;
  std::size_t depth, columns;
  matrix_out c;
  bool add;
};

void run_block(const gemm_block& block) {
  const gemm_kernels& kernels = block.kernels;
  gemm_tile tile{};
  tile.a_stride = static_cast<std::ptrdiff_t>(block.a_stride);
  tile.b_stride = static_cast<std::ptrdiff_t>(kernels.columns);
  tile.c_stride = block.c.row_stride;
  tile.depth = block.depth;
  tile.add = block.add;
  for (std::size_t j = 0; j < block.columns; j += kernels.columns) {
    tile.columns = std::min(kernels.columns, block.columns - j);
    tile.b = block.panels + j * block.depth;
    for (std::size_t i = 0, rows = 0; i < block.rows; i += rows) {
      rows = fair_share(block.rows - i, kernels.rows);
      tile.a = block.a + i * block.a_stride;
      tile.c = block.c.data + static_cast<std::ptrdiff_t>(i) * tile.c_stride + j;
      kernels.tiles[rows - 1](tile);
    }
  }
}

// All rows of A times one packed block of B: the blocks of A are copied into `scratch` one by one.
void run_rows(gemm_block block, std::size_t m, matrix_in a, float* scratch) {
  block.a = scratch;
  block.a_stride = a_block_stride(block.depth);
  const matrix_out c = block.c;
  for (std::size_t i = 0; i < m; i += block.rows) {
    block.rows = fair_share(m - i, block.kernels.a_rows);
    copy_rows({element(a, i, 0), a.row_stride, a.column_stride}, block.rows, block.depth, scratch,
              block.a_stride);
    block.c.data = c.data + static_cast<std::ptrdiff_t>(i) * c.row_stride;
    run_block(block);
  }
}

void write_zeros(std::size_t m, std::size_t n, matrix_out c) {
  for (std::size_t i = 0; i < m; ++i)
    std::fill_n(c.data + static_cast<std::ptrdiff_t>(i) * c.row_stride, n, 0.0f);
}

std::size_t a_block_floats(const gemm_kernels& kernels, std::size_t m) {
  return std::min(m, kernels.a_rows) * a_block_stride(kernels.depth);
}

}  // namespace

std::size_t gemm_scratch_bytes(isa set, gemm_shape shape) noexcept {
  if (shape.m == 0 || shape.n == 0 || shape.k == 0) return 0;
  if (shape.m == 1 || shape.n == 1) return gemv_scratch_bytes(shape.m * shape.n, shape.k);
  const gemm_kernels& kernels = gemm_kernels_of(set);
  const std::size_t columns = rounded_up(std::min(shape.n, kernels.b_columns), kernels.columns);
  return (a_block_floats(kernels, shape.m) + columns * std::min(shape.k, kernels.depth)) *
         sizeof(float);
}

void gemm(isa set, gemm_shape shape, matrix_in a, matrix_in b, matrix_out c, gemm_output output,
          std::byte* scratch) noexcept {
  const auto [m, n, k] = shape;
  bool add = output == gemm_output::add;
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (!add) write_zeros(m, n, c);
    return;
  }
  const gemm_kernels& kernels = gemm_kernels_of(set);
  if (n == 1) {
    return gemv(kernels,
                {m, k, a.data, a.row_stride, a.column_stride, b.data, b.row_stride, c.data,
                 c.row_stride, add},
                scratch);
  }
  if (m == 1) {
    return gemv(
        kernels,
        {n, k, b.data, b.column_stride, b.row_stride, a.data, a.column_stride, c.data, 1, add},
        scratch);
  }
  float* a_block = reinterpret_cast<float*>(scratch);
  float* b_block = a_block + a_block_floats(kernels, m);
  for (std::size_t j = 0, columns = 0; j < n; j += columns) {
    columns = std::min(kernels.b_columns, n - j);
    for (std::size_t p = 0, depth = 0; p < k; p += depth) {
      depth = fair_share(k - p, kernels.depth);
      pack_panels({element(b, p, j), b.row_stride, b.column_stride}, depth, columns,
                  kernels.columns, b_block);
      run_rows({kernels,
                nullptr,
                0,
                0,
                b_block,
                depth,
                columns,
                {c.data + j, c.row_stride},
                add || p > 0},
               m, {element(a, 0, p), a.row_stride, a.column_stride}, a_block);
    }
  }
}

std::size_t packed_b_bytes(isa set, std::size_t k, std::size_t n) noexcept {
  return rounded_up(n, gemm_kernels_of(set).columns) * k * sizeof(float);
}

packed_b pack_b(isa set, std::size_t k, std::size_t n, matrix_in b, std::byte* memory) noexcept {
  const gemm_kernels& kernels = gemm_kernels_of(set);
  float* to = reinterpret_cast<float*>(memory);
  for (std::size_t p = 0, depth = 0; p < k && n > 0; p += depth) {
    depth = fair_share(k - p, kernels.depth);
    pack_panels({element(b, p, 0), b.row_stride, b.column_stride}, depth, n, kernels.columns,
                to + p * rounded_up(n, kernels.columns));
  }
  return {set, k, n, to};
}

std::size_t gemm_packed_scratch_bytes(const packed_b& b, std::size_t m) noexcept {
  return a_block_floats(gemm_kernels_of(b.set), m) * sizeof(float);
}

void gemm_packed(std::size_t m, matrix_in a, const packed_b& b, matrix_out c, gemm_output output,
                 std::byte* scratch) noexcept {
  const bool add = output == gemm_output::add;
  if (m == 0 || b.n == 0) return;
  if (b.k == 0 && !add) return write_zeros(m, b.n, c);
  const gemm_kernels& kernels = gemm_kernels_of(b.set);
  for (std::size_t p = 0, depth = 0; p < b.k; p += depth) {
    depth = fair_share(b.k - p, kernels.depth);
    run_rows({kernels, nullptr, 0, 0, b.data + p * rounded_up(b.n, kernels.columns), depth, b.n, c,
              add || p > 0},
             m, {element(a, 0, p), a.row_stride, a.column_stride},
             reinterpret_cast<float*>(scratch));
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
