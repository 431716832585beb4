// SPDX-License-Identifier: Apache-2.0
// Every instruction set that this machine has, against sums in double.
#include "compute/cpu/gemm.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "compute/cpu/gemm_kernels.hpp"

namespace {
using namespace beamlet;
using namespace beamlet::compute;

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

// From -1 to 1, the same in every run.
struct numbers {
  std::uint32_t state = 1;
  float next() {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) / (1 << 23) - 1.0f;
  }
};

// Aligned memory of exactly so many bytes, with a guard behind it.
class scratch_memory {
 public:
  explicit scratch_memory(std::size_t bytes)
      : bytes_(bytes), memory_(bytes + 2 * gemm_alignment, std::byte{0xa5}) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    offset_ = gemm_alignment - address % gemm_alignment;
  }
  std::byte* data() { return memory_.data() + offset_; }
  bool guard_is_whole() const {
    return std::all_of(memory_.begin() + static_cast<std::ptrdiff_t>(offset_ + bytes_),
                       memory_.end(), [](std::byte b) { return b == std::byte{0xa5}; });
  }

 private:
  std::size_t bytes_, offset_ = 0;
  std::vector<std::byte> memory_;
};

// An input matrix of exactly the memory that its strides span, so that a sanitizer sees each step
// outside; what lies between the elements is NaN, which a wrong read carries into the result.
struct input {
  std::size_t rows, columns;
  std::ptrdiff_t row_stride, column_stride;
  std::vector<float> values;

  input(std::size_t m, std::size_t n, std::ptrdiff_t row, std::ptrdiff_t column, numbers& from)
      : rows(m), columns(n), row_stride(row), column_stride(column) {
    if (m == 0 || n == 0) return;
    values.assign(static_cast<std::size_t>(static_cast<std::ptrdiff_t>(m - 1) * row +
                                           static_cast<std::ptrdiff_t>(n - 1) * column) +
                      1,
                  not_a_number);
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) at(i, j) = from.next();
  }
  float& at(std::size_t i, std::size_t j) {
    return values[static_cast<std::size_t>(static_cast<std::ptrdiff_t>(i) * row_stride +
                                           static_cast<std::ptrdiff_t>(j) * column_stride)];
  }
  matrix_in view() const { return {values.data(), row_stride, column_stride}; }
};

enum class order { rows, columns, rows_padded, both_strided };

input make(order how, std::size_t rows, std::size_t columns, numbers& from) {
  const auto r = static_cast<std::ptrdiff_t>(rows), c = static_cast<std::ptrdiff_t>(columns);
  switch (how) {
    case order::columns: return {rows, columns, 1, r + 1, from};
    case order::rows_padded: return {rows, columns, c + 5, 1, from};
    case order::both_strided: return {rows, columns, 3 * c + 2, 3, from};
    default: return {rows, columns, c, 1, from};
  }
}

// C = A B in double and, beside it, |A| |B|. Columns of B are gathered first: the loops are quick
// without optimisation too.
struct expected {
  std::vector<double> value, size;
  expected(input& a, input& b) {
    const std::size_t m = a.rows, n = b.columns, k = a.columns;
    value.resize(m * n), size.resize(m * n);
    std::vector<double> rows(m * k), column(k);
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t p = 0; p < k; ++p) rows[i * k + p] = a.at(i, p);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t p = 0; p < k; ++p) column[p] = b.at(p, j);
      for (std::size_t i = 0; i < m; ++i) {
        const double *x = rows.data() + i * k, *y = column.data();
        double sum = 0, sizes = 0;
        for (std::size_t p = 0; p < k; ++p) {
          const double product = x[p] * y[p];
          sum += product;
          sizes += product < 0 ? -product : product;
        }
        value[i * n + j] = sum, size[i * n + j] = sizes;
      }
    }
  }
};

// What a product is written into: rows that lie apart, and marks everywhere around.
struct output_matrix {
  static constexpr float mark = 12345.0f;
  std::size_t m, n, stride;
  std::vector<float> values;
  output_matrix(std::size_t rows, std::size_t columns, float inside)
      : m(rows), n(columns), stride(columns + 3), values((rows + 2) * stride + 6, mark) {
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) at(i, j) = inside;
  }
  float& at(std::size_t i, std::size_t j) { return values[(i + 1) * stride + 3 + j]; }
  matrix_out view() { return {values.data() + stride + 3, static_cast<std::ptrdiff_t>(stride)}; }
  bool marks_are_whole() const {
    for (std::size_t at = 0; at < values.size(); ++at) {
      const std::size_t row = at < 3 ? 0 : (at - 3) / stride, column = (at + stride - 3) % stride;
      const bool inside = row >= 1 && row <= m && column < n;
      if (!inside && values[at] != mark) return false;
    }
    return true;
  }
};

// Each rounding changes a sum by at most eps/2 of what has been summed: k products and k sums, and
// some more where partial sums meet. So k eps sum|a||b| bounds the error; + 4 for what is added.
bool is_near(output_matrix& c, const expected& right, std::size_t k, double before) {
  const double eps = std::numeric_limits<float>::epsilon();
  for (std::size_t i = 0; i < c.m; ++i)
    for (std::size_t j = 0; j < c.n; ++j) {
      const std::size_t at = i * c.n + j;
      const double limit = static_cast<double>(k + 4) * eps * (right.size[at] + std::fabs(before));
      if (!(std::fabs(static_cast<double>(c.at(i, j)) - right.value[at] - before) <= limit))
        return false;
    }
  return true;
}

// Replaces and adds, from B as it is and from B packed; an empty text if all is right.
std::string try_all(isa set, input& a, input& b) {
  const std::size_t m = a.rows, n = b.columns, k = a.columns;
  const expected right(a, b);
  scratch_memory scratch(gemm_scratch_bytes(set, {m, n, k}));
  scratch_memory packed_memory(packed_b_bytes(set, k, n));
  const packed_b packed = pack_b(set, k, n, b.view(), packed_memory.data());
  scratch_memory packed_scratch(gemm_packed_scratch_bytes(packed, m));
  for (const gemm_output output : {gemm_output::replace, gemm_output::add}) {
    const bool add = output == gemm_output::add;
    output_matrix direct(m, n, add ? 2.5f : not_a_number),
        from_packed(m, n, add ? 2.5f : not_a_number);
    gemm(set, {m, n, k}, a.view(), b.view(), direct.view(), output, scratch.data());
    gemm_packed(m, a.view(), packed, from_packed.view(), output, packed_scratch.data());
    const double before = add ? 2.5 : 0;
    if (!is_near(direct, right, k, before)) return "gemm is wrong";
    if (!is_near(from_packed, right, k, before)) return "gemm_packed is wrong";
    if (!direct.marks_are_whole() || !from_packed.marks_are_whole()) return "wrote beside C";
  }
  if (!scratch.guard_is_whole() || !packed_scratch.guard_is_whole()) return "wrote beside scratch";
  return packed_memory.guard_is_whole() ? "" : "wrote beside the packed B";
}

std::vector<isa> supported() {
  std::vector<isa> found;
  for (const isa set : isas)
    if (supports(set)) found.push_back(set);
  return found;
}

void check_shapes(isa set, const std::vector<gemm_shape>& shapes, order a_order, order b_order) {
  CAPTURE(name_of(set));
  numbers from;
  for (const gemm_shape& shape : shapes) {
    CAPTURE(shape.m);
    CAPTURE(shape.n);
    CAPTURE(shape.k);
    input a = make(a_order, shape.m, shape.k, from), b = make(b_order, shape.k, shape.n, from);
    CHECK(try_all(set, a, b) == "");
  }
}
}  // namespace

TEST_CASE("an instruction set has a name, and the best one is supported") {
  CHECK(supports(isa::scalar));
  CHECK(supports(best_isa()));
  CHECK(std::string(name_of(isa::scalar)) == "scalar");
  CHECK(std::string(name_of(isa::neon)) == "neon");
  CHECK(std::string(name_of(isa::avx2)) == "avx2");
  CHECK(std::string(name_of(isa::avx512)) == "avx512");
  for (const isa set : supported()) CHECK(set <= best_isa());
}

TEST_CASE("a product is right for small, odd, tall and wide matrices on every instruction set") {
  const std::vector<gemm_shape> shapes = {
      {1, 1, 1},   {2, 2, 1},   {1, 2, 3},   {2, 1, 3},    {3, 5, 7},    {13, 17, 19}, {64, 64, 64},
      {200, 3, 5}, {3, 200, 5}, {5, 3, 200}, {1, 300, 33}, {300, 1, 33}, {1, 1, 500},  {97, 2, 2}};
  for (const isa set : supported()) check_shapes(set, shapes, order::rows, order::rows);
}

TEST_CASE("a product without elements, or with nothing to sum, writes zeros or nothing") {
  const std::vector<gemm_shape> shapes = {{0, 0, 0}, {0, 5, 3}, {5, 0, 3}, {5, 3, 0}, {1, 3, 0},
                                          {5, 1, 0}, {1, 1, 0}, {0, 1, 4}, {1, 0, 4}, {0, 5, 0}};
  for (const isa set : supported()) check_shapes(set, shapes, order::rows, order::rows);
}

TEST_CASE("a product is right on both sides of every edge of tile and block") {
  for (const isa set : supported()) {
    const gemm_kernels& kernels = gemm_kernels_of(set);
    std::vector<gemm_shape> shapes;
    for (std::size_t m = 1; m <= 2 * kernels.rows + 1; ++m) shapes.push_back({m, 3, 5});
    for (std::size_t n = 1; n <= 2 * kernels.columns + 1; ++n) shapes.push_back({3, n, 5});
    for (std::size_t k = 1; k <= 9; ++k) shapes.push_back({5, 9, k});
    for (const int side : {-1, 0, 1}) {
      auto beside = [side](std::size_t edge) {
        return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(edge) + side);
      };
      shapes.push_back({3, 5, beside(kernels.depth)});
      shapes.push_back({3, 5, beside(2 * kernels.depth)});
      shapes.push_back({beside(kernels.block_rows), 3, 5});
      shapes.push_back({beside(2 * kernels.block_rows), 3, 2});
      shapes.push_back({3, beside(kernels.chunk_columns), 2});
      shapes.push_back({3, beside(kernels.block_columns), 2});
      shapes.push_back({2, beside(2 * kernels.block_columns), 2});
    }
    check_shapes(set, shapes, order::rows, order::rows);
  }
}

TEST_CASE("inputs may be transposed, padded or strided in both directions") {
  const std::vector<gemm_shape> shapes = {{1, 1, 1},   {1, 37, 19},  {37, 1, 19},
                                          {7, 33, 20}, {33, 40, 70}, {1, 9, 1}};
  const order all[] = {order::rows, order::columns, order::rows_padded, order::both_strided};
  for (const isa set : supported())
    for (const order a : all)
      for (const order b : all) check_shapes(set, shapes, a, b);
}

TEST_CASE("a stride of zero repeats a row or a column") {
  for (const isa set : supported()) {
    const float row[] = {1, 2, 3}, column[] = {1, 10, 100};
    output_matrix c(4, 5, not_a_number);
    scratch_memory scratch(gemm_scratch_bytes(set, {4, 5, 3}));
    gemm(set, {4, 5, 3}, {row, 0, 1}, {column, 1, 0}, c.view(), gemm_output::replace,
         scratch.data());
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 5; ++j) CHECK(c.at(i, j) == 321.0f);
  }
}

TEST_CASE("infinities and NaN reach the elements that they belong to, and no others") {
  for (const isa set : supported()) {
    CAPTURE(name_of(set));
    const std::size_t m = 17, n = 35, k = 21;
    numbers from;
    input a = make(order::rows, m, k, from), b = make(order::rows, k, n, from);
    std::fill(a.values.begin(), a.values.end(), 1.0f);
    std::fill(b.values.begin(), b.values.end(), 1.0f);
    a.at(2, 5) = not_a_number;
    a.at(4, 0) = infinity;
    a.at(6, 20) = infinity, b.at(20, 9) = 0;  // infinity times zero is NaN
    b.at(3, 33) = -infinity;                  // and infinity minus infinity
    scratch_memory scratch(gemm_scratch_bytes(set, {m, n, k}));
    output_matrix c(m, n, not_a_number);
    gemm(set, {m, n, k}, a.view(), b.view(), c.view(), gemm_output::replace, scratch.data());
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        const bool infinite = i == 4 || i == 6, negative = j == 33;
        const bool lost = i == 2 || (i == 6 && j == 9) || (infinite && negative);
        float right = j == 9 ? 20.0f : 21.0f;
        if (infinite) right = infinity;
        if (negative) right = -infinity;
        if (lost ? !std::isnan(c.at(i, j)) : c.at(i, j) != right) {
          CAPTURE(i);
          CAPTURE(j);
          CHECK(c.at(i, j) == right);
        }
      }
    CHECK(c.marks_are_whole());
  }
}

TEST_CASE("a vector product carries infinities and NaN too") {
  for (const isa set : supported()) {
    const std::size_t n = 35, k = 21;
    std::vector<float> x(k, 1.0f), b(k * n, 1.0f), c(n, 0.0f);
    scratch_memory scratch(gemm_scratch_bytes(set, {1, n, k}));
    b[20 * n + 34] = not_a_number, b[3] = infinity, x[7] = 0, b[7 * n + 8] = infinity;
    for (const bool transposed : {false, true}) {
      const auto wide = static_cast<std::ptrdiff_t>(n);
      const matrix_in matrix =
          transposed ? matrix_in{b.data(), 1, wide} : matrix_in{b.data(), wide, 1};
      if (transposed)
        gemm(set, {n, 1, k}, matrix, {x.data(), 1, 1}, {c.data(), 1}, gemm_output::replace,
             scratch.data());
      else
        gemm(set, {1, n, k}, {x.data(), 0, 1}, matrix, {c.data(), 0}, gemm_output::replace,
             scratch.data());
      CHECK(c[0] == 20.0f);
      CHECK(c[3] == infinity);
      CHECK(std::isnan(c[8]));
      CHECK(std::isnan(c[34]));
      CHECK(c[33] == 20.0f);
    }
  }
}

TEST_CASE("rows computed in pieces from one packed B equal, bit for bit, the same rows again") {
  for (const isa set : supported()) {
    const std::size_t m = 29, n = 45, k = 300;
    numbers from;
    input a = make(order::rows, m, k, from), b = make(order::rows, k, n, from);
    scratch_memory memory(packed_b_bytes(set, k, n));
    const packed_b packed = pack_b(set, k, n, b.view(), memory.data());
    scratch_memory scratch(gemm_packed_scratch_bytes(packed, m));
    output_matrix whole(m, n, not_a_number), pieces(m, n, not_a_number);
    gemm_packed(m, a.view(), packed, whole.view(), gemm_output::replace, scratch.data());
    for (std::size_t i = 0; i < m; i += 10) {
      const std::size_t rows = std::min<std::size_t>(10, m - i);
      gemm_packed(rows, {&a.at(i, 0), a.row_stride, 1}, packed,
                  {&pieces.at(i, 0), static_cast<std::ptrdiff_t>(pieces.stride)},
                  gemm_output::replace, scratch.data());
    }
    CHECK(std::memcmp(whole.values.data(), pieces.values.data(),
                      whole.values.size() * sizeof(float)) == 0);
  }
}
