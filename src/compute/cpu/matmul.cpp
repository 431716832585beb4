// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/matmul.hpp"

#include <algorithm>

#include "compute/cpu/functions.hpp"
#include "compute/cpu/gemm.hpp"
#include "compute/cpu/half.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Rows of a converted block begin one line further than their length: a power of two between them
// would put all of them into one set of the cache, and gemm() would copy them once more.
constexpr std::size_t converted_gap = gemm_alignment / sizeof(float);

std::size_t aligned_bytes(std::size_t bytes) {
  return (bytes + gemm_alignment - 1) / gemm_alignment * gemm_alignment;
}

// Loops of a fixed length become vectors.
template <class To, class From, class Function>
BEAMLET_IN_LOOPS void convert_run(const From* from, std::size_t count, To* to, Function f) {
  constexpr std::size_t piece = 32;
  std::size_t i = 0;
  for (; i + piece <= count; i += piece)
    for (std::size_t j = 0; j < piece; ++j) to[i + j] = f(from[i + j]);
  for (; i < count; ++i) to[i] = f(from[i]);
}

inline float of_half(std::uint16_t v) { return float_of_half(v); }
inline float of_weight(std::int8_t v) { return static_cast<float>(v); }
inline std::uint16_t to_half(float v) { return half_of_float(v); }

// One variant of the loops per instruction set.
struct conversions {
  void (*halves)(const std::uint16_t* from, std::size_t count, float* to);
  void (*weights)(const std::int8_t* from, std::size_t count, float* to);
  void (*to_halves)(const float* from, std::size_t count, std::uint16_t* to);
};
#define BEAMLET_CONVERSIONS(suffix, attribute)                                                 \
  attribute void halves_##suffix(const std::uint16_t* from, std::size_t count, float* to) {    \
    convert_run(                                                                               \
        from, count, to,                                                                       \
        [](std::uint16_t v) __attribute__((always_inline)) { return of_half(v); });            \
  }                                                                                            \
  attribute void weights_##suffix(const std::int8_t* from, std::size_t count, float* to) {     \
    convert_run(                                                                               \
        from, count, to,                                                                       \
        [](std::int8_t v) __attribute__((always_inline)) { return of_weight(v); });            \
  }                                                                                            \
  attribute void to_halves_##suffix(const float* from, std::size_t count, std::uint16_t* to) { \
    convert_run(                                                                               \
        from, count, to, [](float v) __attribute__((always_inline)) { return to_half(v); });   \
  }                                                                                            \
  constexpr conversions conversions_##suffix{halves_##suffix, weights_##suffix, to_halves_##suffix};

BEAMLET_CONVERSIONS(plain, )
#if BEAMLET_X86_64
BEAMLET_CONVERSIONS(avx2, [[gnu::target("avx2,fma")]])
#endif
#undef BEAMLET_CONVERSIONS

const conversions& conversions_of(isa set) {
#if BEAMLET_X86_64
  if (set >= isa::avx2) return conversions_avx2;
#endif
  (void)set;
  return conversions_plain;
}

std::ptrdiff_t narrowed(std::int64_t v) { return static_cast<std::ptrdiff_t>(v); }

// Part of an input, in numbers of type T.
template <class T>
struct strided_block {
  const T* data;
  std::ptrdiff_t row_stride, column_stride;
  std::size_t rows, columns;
};

// A block as floats, in the direction in which its memory runs.
template <class T, class Run, class One>
matrix_in convert_block(const strided_block<T>& from, float* to, Run run, One one) {
  const bool by_rows = from.column_stride == 1 || from.row_stride != 1;
  const std::size_t lines = by_rows ? from.rows : from.columns;
  const std::size_t length = by_rows ? from.columns : from.rows;
  const std::ptrdiff_t line_stride = by_rows ? from.row_stride : from.column_stride;
  const std::ptrdiff_t inner = by_rows ? from.column_stride : from.row_stride;
  const std::size_t gap = length + converted_gap;
  for (std::size_t i = 0; i < lines; ++i) {
    const T* line = from.data + static_cast<std::ptrdiff_t>(i) * line_stride;
    float* out = to + i * gap;
    if (inner == 1) {
      run(line, length, out);
      continue;
    }
    for (std::size_t j = 0; j < length; ++j)
      out[j] = one(line[static_cast<std::ptrdiff_t>(j) * inner]);
  }
  const auto stride = static_cast<std::ptrdiff_t>(gap);
  return by_rows ? matrix_in{to, stride, 1} : matrix_in{to, 1, stride};
}

// Whichever direction it has.
std::size_t converted_bytes(std::size_t rows, std::size_t columns) {
  const std::size_t floats =
      std::max(rows * (columns + converted_gap), columns * (rows + converted_gap));
  return aligned_bytes(floats * sizeof(float));
}

// What a group has of scratch memory, from its beginning.
struct matmul_scratch {
  std::size_t factors = 0;  // scales and biases of a block's columns
  std::size_t sums = 0;     // a block of C, where C is of halves
  std::size_t a = 0, b = 0, products = 0, end = 0;

  matmul_scratch(const cpu_matmul& how, isa set) {
    const auto rows = static_cast<std::size_t>(how.rows);
    const auto columns = static_cast<std::size_t>(how.columns);
    const bool converts = how.type != weights::f32;
    const auto depth =
        static_cast<std::size_t>(converts ? std::min(how.k, cpu_matmul::depth_converted) : how.k);
    const bool halves = how.type == weights::f16;
    sums = aligned_bytes(2 * columns * sizeof(float));
    a = sums + (halves ? aligned_bytes(rows * columns * sizeof(float)) : 0);
    b = a + (halves ? converted_bytes(rows, depth) : 0);
    products = b + (converts ? converted_bytes(depth, columns) : 0);
    const std::size_t inner = how.is_packed != 0
                                  ? gemm_packed_scratch_bytes({set, depth, columns, nullptr}, rows)
                                  : gemm_scratch_bytes(set, {rows, columns, depth});
    end = products + aligned_bytes(inner);
  }
};

// One block of one product.
class matmul_block {
 public:
  matmul_block(const cpu_call& call, const cpu_matmul& how, std::uint64_t block, std::byte* scratch)
      : call_(call), how_(how), at_(how, call.set), scratch_(scratch) {
    const std::uint64_t row_blocks = (how.m + how.rows - 1) / how.rows;
    const std::uint64_t column_blocks = (how.n + how.columns - 1) / how.columns;
    i_ = block % row_blocks * how.rows;
    j_ = block / row_blocks % column_blocks * how.columns;
    rows_ = static_cast<std::size_t>(std::min(how.rows, how.m - i_));
    columns_ = static_cast<std::size_t>(std::min(how.columns, how.n - j_));
    std::uint64_t rest = block / row_blocks / column_blocks;
    c_ = static_cast<std::size_t>((rest * how.m + i_) * how.n + j_);
    std::int64_t a = static_cast<std::int64_t>(i_) * how.a_row;
    std::int64_t b = static_cast<std::int64_t>(j_) * how.b_column;
    for (std::uint32_t d = 0; d < how.rank; ++d) {
      const auto size = static_cast<std::uint64_t>(how.size[d]);
      const auto index = static_cast<std::int64_t>(rest % size);
      rest /= size;
      a += index * how.a_stride[d];
      b += index * how.b_stride[d];
    }
    a_ = narrowed(a), b_ = narrowed(b);
  }

  void run() const {
    const bool halves = how_.type == weights::f16;
    const matrix_out c =
        halves
            ? matrix_out{floats(at_.sums), static_cast<std::ptrdiff_t>(columns_)}
            : matrix_out{call_.buffer<float>(4) + c_, narrowed(static_cast<std::int64_t>(how_.n))};
    if (how_.type == weights::f32) multiply(c);
    else convert_and_multiply(c);
    if (halves || how_.has_bias != 0 || how_.type == weights::i8) finish(c);
  }

 private:
  float* floats(std::size_t at) const { return reinterpret_cast<float*>(scratch_ + at); }

  void multiply(matrix_out c) const {
    const auto k = static_cast<std::size_t>(how_.k);
    const matrix_in a{call_.buffer<const float>(0) + a_, narrowed(how_.a_row),
                      narrowed(how_.a_column)};
    std::byte* scratch = scratch_ + at_.products;
    if (how_.is_packed != 0) {
      const packed_b b{call_.set, k, columns_, call_.buffer<const float>(1)};
      return gemm_packed(rows_, a, b, c, gemm_output::replace, scratch);
    }
    const matrix_in b{call_.buffer<const float>(1) + b_, narrowed(how_.b_row),
                      narrowed(how_.b_column)};
    gemm(call_.set, {rows_, columns_, k}, a, b, c, gemm_output::replace, scratch);
  }

  void convert_and_multiply(matrix_out c) const {
    const auto k = static_cast<std::size_t>(how_.k);
    const auto most = static_cast<std::size_t>(cpu_matmul::depth_converted);
    std::size_t p = 0;
    do {
      const std::size_t depth = std::min(most, k - p);
      gemm(call_.set, {rows_, columns_, depth}, part_of_a(p, depth), part_of_b(p, depth), c,
           p == 0 ? gemm_output::replace : gemm_output::add, scratch_ + at_.products);
      p += depth;
    } while (p < k);
  }

  matrix_in part_of_a(std::size_t p, std::size_t depth) const {
    const std::ptrdiff_t row = narrowed(how_.a_row), column = narrowed(how_.a_column);
    const std::ptrdiff_t at = a_ + static_cast<std::ptrdiff_t>(p) * column;
    if (how_.type == weights::i8) return {call_.buffer<const float>(0) + at, row, column};
    const strided_block<std::uint16_t> from{call_.buffer<const std::uint16_t>(0) + at, row, column,
                                            rows_, depth};
    return convert_block(from, floats(at_.a), conversions_of(call_.set).halves, of_half);
  }

  matrix_in part_of_b(std::size_t p, std::size_t depth) const {
    const std::ptrdiff_t row = narrowed(how_.b_row), column = narrowed(how_.b_column);
    const std::ptrdiff_t at = b_ + static_cast<std::ptrdiff_t>(p) * row;
    const conversions& convert = conversions_of(call_.set);
    if (how_.type == weights::f16) {
      const strided_block<std::uint16_t> from{call_.buffer<const std::uint16_t>(1) + at, row,
                                              column, depth, columns_};
      return convert_block(from, floats(at_.b), convert.halves, of_half);
    }
    const strided_block<std::int8_t> from{call_.buffer<const std::int8_t>(1) + at, row, column,
                                          depth, columns_};
    return convert_block(from, floats(at_.b), convert.weights, of_weight);
  }

  // Scales, biases, and halves of what gemm() made.
  void finish(matrix_out c) const {
    float *scale = floats(at_.factors), *bias = scale + columns_;
    const auto j0 = static_cast<std::int64_t>(j_);
    const bool scales = how_.type == weights::i8, adds = how_.has_bias != 0;
    for (std::size_t j = 0; j < columns_; ++j) {
      const std::int64_t column = j0 + static_cast<std::int64_t>(j);
      scale[j] = scales ? call_.buffer<const float>(2)[narrowed(column * how_.scale_stride)] : 1;
      bias[j] = adds ? call_.buffer<const float>(3)[narrowed(column * how_.bias_stride)] : 0;
    }
    for (std::size_t i = 0; i < rows_; ++i) {
      float* row = c.data + static_cast<std::ptrdiff_t>(i) * c.row_stride;
      if (scales || adds)
        for (std::size_t j = 0; j < columns_; ++j) row[j] = row[j] * scale[j] + bias[j];
      if (how_.type == weights::f16)
        conversions_of(call_.set).to_halves(
            row, columns_,
            call_.buffer<std::uint16_t>(4) + c_ + i * static_cast<std::size_t>(how_.n));
    }
  }

  const cpu_call& call_;
  const cpu_matmul& how_;
  const matmul_scratch at_;
  std::byte* scratch_;
  std::uint64_t i_, j_;
  std::size_t rows_, columns_, c_;
  std::ptrdiff_t a_, b_;
};

}  // namespace

std::uint64_t cpu_matmul_scratch_bytes(const cpu_matmul& how) noexcept {
  std::size_t most = 0;
  for (isa set : isas) most = std::max(most, matmul_scratch(how, set).end);
  return most;
}

std::uint64_t cpu_matmul_packed_bytes(const cpu_matmul& how) noexcept {
  const auto k = static_cast<std::size_t>(how.k), n = static_cast<std::size_t>(how.n);
  std::size_t most = 0;
  for (isa set : isas) most = std::max(most, packed_b_bytes(set, k, n));
  return most;
}

void matmul_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_matmul>();
  for (std::uint64_t group = first; group < last; ++group) {
    std::byte* scratch =
        call.buffer<std::byte>(5) + static_cast<std::size_t>(group * how.scratch_bytes);
    const std::uint64_t end = how.blocks * (group + 1) / how.groups;
    for (std::uint64_t block = how.blocks * group / how.groups; block < end; ++block)
      matmul_block(call, how, block, scratch).run();
  }
}

void matmul_pack_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_matmul>();
  const matrix_in b{call.buffer<const float>(0), narrowed(how.b_row), narrowed(how.b_column)};
  for (std::uint64_t group = first; group < last; ++group)
    pack_b_part(call.set, static_cast<std::size_t>(how.k), static_cast<std::size_t>(how.n), b,
                call.buffer<std::byte>(1), static_cast<std::size_t>(group),
                static_cast<std::size_t>(how.groups));
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
