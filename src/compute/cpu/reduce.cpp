// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/reduce.hpp"

#include <algorithm>

#include "beamlet/compute/ops.hpp"
#include "compute/cpu/folds.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

using reduce_kind = ops::reduce::kind;
// So many rows are added up in floats before the sum goes to the sum of sums.
constexpr std::uint64_t rows_of_sum = 256;
// So many are looked at together for where a known number is.
constexpr std::size_t searched = 64;
// Rows lie in other pages, where no processor looks ahead by itself: several are waited for at
// once.
constexpr std::size_t rows_at_once = 4;

struct squaring {
  template <int N>
  BEAMLET_IN_LOOPS floats<N> operator()(const floats<N>& x) const {
    return x * x;
  }
};

// Calls f(with, map) for a kind.
template <class F>
BEAMLET_IN_LOOPS void with_kind(std::uint32_t what, F f) {
  switch (static_cast<reduce_kind>(what)) {
    case reduce_kind::sum:
    case reduce_kind::mean: return f(adding{}, as_it_is{});
    case reduce_kind::product: return f(multiplying{}, as_it_is{});
    case reduce_kind::maximum: return f(taking_larger{}, as_it_is{});
    case reduce_kind::minimum: return f(taking_smaller{}, as_it_is{});
    case reduce_kind::sum_of_squares: return f(adding{}, squaring{});
  }
}

// The groups of a launch, and what they have in common.
struct reducing {
  const cpu_call& call;
  const cpu_reduce& how;
  std::uint64_t first, last;

  // f(begin, count, x): the block x has the row's elements from `begin` on; true: enough.
  template <class F>
  BEAMLET_IN_LOOPS void blocks_of_row(std::uint64_t row, std::uint64_t begin, std::uint64_t end,
                                      float_block& into, F f) const {
    const std::byte* from =
        call.buffer<const std::byte>(0) + static_cast<std::ptrdiff_t>(cursor(how.kept, row).at()) *
                                              static_cast<std::ptrdiff_t>(bytes_of(how.from));
    const bool is_in_place = how.from == number::f32 && how.reduced.is_row();
    for (std::uint64_t at = begin; at < end; at += block_elements) {
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(block_elements, end - at));
      const float* x = is_in_place
                           ? reinterpret_cast<const float*>(from) + static_cast<std::size_t>(at)
                           : load_block(call.set, how.from, from, how.reduced, at, count, into);
      if (f(at, count, x)) return;
    }
  }

  // f(begin, count) for blocks of outputs; f is to call elements() for each of their elements.
  struct column {
    std::uint64_t output;
    std::size_t count;
    bool is_in_place;
    std::int64_t at;
  };
  column column_of(std::uint64_t group) const {
    const std::uint64_t output = group * block_elements;
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(block_elements, how.outputs - output));
    const cursor place(how.kept, output);
    return {output, count,
            how.from == number::f32 && count == block_elements && place.stride() == 1 &&
                place.run() >= count,
            place.at()};
  }
  const float* elements(const column& c, std::int64_t at, float_block& into) const {
    const std::byte* from =
        call.buffer<const std::byte>(0) +
        static_cast<std::ptrdiff_t>(at) * static_cast<std::ptrdiff_t>(bytes_of(how.from));
    if (c.is_in_place)
      return reinterpret_cast<const float*>(from) + static_cast<std::ptrdiff_t>(c.at);
    return load_block(call.set, how.from, from, how.kept, c.output, c.count, into);
  }

  void store(std::uint64_t piece, std::uint64_t output, const float* made,
             std::size_t count) const {
    std::byte* to = call.buffer<std::byte>(1) +
                    static_cast<std::size_t>(piece * how.outputs + output) * bytes_of(how.to);
    store_block(call.set, how.to, made, count, to);
  }
};

struct reducing_rows : reducing {
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    float_block in, made;
    std::size_t done = 0;
    for (std::uint64_t g = first; g < last; ++g) {
      const std::uint64_t row = g % how.outputs, piece = g / how.outputs;
      const std::uint64_t begin = piece * how.piece, end = std::min(how.length, begin + how.piece);
      with_kind(
          how.what, [&](auto with, auto map) __attribute__((always_inline)) {
            double sum = with.nothing;
            blocks_of_row(
                row, begin, end, in,
                [&](std::uint64_t, std::size_t count, const float* x)
                    __attribute__((always_inline)) {
                      sum = joined(with, sum, fold<N>(x, count, with, map));
                      return false;
                    });
            made.at[done++] = static_cast<float>(sum) * how.scale;
          });
      if (done < block_elements && g + 1 < last && row + 1 < how.outputs) continue;
      store(piece, row + 1 - done, made.at, done);
      done = 0;
    }
  }
  BEAMLET_IN_LOOPS static double joined(adding, double a, float b) { return a + b; }
  BEAMLET_IN_LOOPS static double joined(multiplying, double a, float b) { return a * b; }
  BEAMLET_IN_LOOPS static double joined(taking_larger, double a, float b) {
    return b > a || b != b ? b : a;
  }
  BEAMLET_IN_LOOPS static double joined(taking_smaller, double a, float b) {
    return b < a || b != b ? b : a;
  }
};

struct reducing_columns : reducing {
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    float_block in, sum, part;
    const std::uint64_t groups = how.groups_of_piece();
    for (std::uint64_t g = first; g < last; ++g) {
      const std::uint64_t piece = g / groups;
      const column c = column_of(g % groups);
      const std::size_t padded = (c.count + N - 1) / N * N;
      with_kind(
          how.what, [&](auto with, auto map) __attribute__((always_inline)) {
            std::fill_n(sum.at, padded, with.nothing);
            std::uint64_t left = std::min(how.piece, how.length - piece * how.piece);
            cursor row(how.reduced, piece * how.piece);
            while (left > 0) {
              const std::uint64_t rows = std::min(left, rows_of_sum);
              std::fill_n(part.at, padded, with.nothing);
              std::uint64_t r = 0;
              for (; c.is_in_place && r + rows_at_once <= rows; r += rows_at_once) {
                const float* x[rows_at_once];
                for (std::size_t k = 0; k < rows_at_once; ++k, row.advance(1))
                  x[k] = elements(c, row.at(), in);
                join_four<N>(part.at, x, with, map);
              }
              for (; r < rows; ++r, row.advance(1))
                join<N>(part.at, elements(c, row.at(), in), padded, with, map);
              join<N>(sum.at, part.at, padded, with, as_it_is{});
              left -= rows;
            }
          });
      for (std::size_t i = 0; i < c.count; ++i) sum.at[i] *= how.scale;
      store(piece, c.output, sum.at, c.count);
    }
  }

  template <int N, class With, class Map>
  BEAMLET_IN_LOOPS static void join_four(float* sum, const float* const (&x)[rows_at_once],
                                         With with, Map map) {
    const float *const a = x[0], *const b = x[1], *const c = x[2], *const d = x[3];
    const std::ptrdiff_t ahead = 4 * (b - a);  // a guess; what is not there is not fetched
    for (std::size_t i = 0; i < block_elements; i += N) {
      if (i % 16 == 0)
        for (const float* row : x) __builtin_prefetch(row + ahead + i);
      const floats<N> first = with.of(map(floats<N>::load(a + i)), map(floats<N>::load(b + i)));
      const floats<N> other = with.of(map(floats<N>::load(c + i)), map(floats<N>::load(d + i)));
      with.of(floats<N>::load(sum + i), with.of(first, other)).store(sum + i);
    }
  }
  template <int N, class With, class Map>
  BEAMLET_IN_LOOPS static void join(float* sum, const float* x, std::size_t padded, With with,
                                    Map map) {
    for (std::size_t i = 0; i < padded; i += N)
      with.of(floats<N>::load(sum + i), map(floats<N>::load(x + i))).store(sum + i);
  }
};

struct finding_in_rows : reducing {
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    if (how.what == 0) run_with<N>(taking_larger{});
    else run_with<N>(taking_smaller{});
  }
  template <int N, class With>
  BEAMLET_IN_LOOPS void run_with(With with) const {
    float_block in;
    for (std::uint64_t row = first; row < last; ++row) {
      float best = 0;
      std::uint64_t where = how.length;
      const auto look = [&](std::uint64_t at, std::size_t count, const float* x)
          __attribute__((always_inline)) {
        const float here = fold<N>(x, count, with);
        const bool is_better = with.of(floats<4>(best), floats<4>(here))[0] != best;
        if (where != how.length && !is_better) return false;
        best = here;
        const auto is_here = [here](float v) { return v == here || (v != v && here != here); };
        std::size_t begin = 0;  // of the part that has it
        while (!is_here(fold<N>(x + begin, std::min(searched, count - begin), with)))
          begin += searched;
        const float* found = std::find_if(x + begin, x + count, is_here);
        where = at + static_cast<std::uint64_t>(found - x);
        return best != best;
      };
      blocks_of_row(row, 0, how.length, in, look);
      call.buffer<std::int32_t>(1)[row] = static_cast<std::int32_t>(where);
    }
  }
};

struct finding_in_columns : reducing {
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    float_block in, best;
    alignas(64) std::int32_t where[block_elements];
    // The smallest is where the negative is largest.
    const ints<N> sign = how.what == 0 ? 0 : std::numeric_limits<std::int32_t>::min();
    for (std::uint64_t g = first; g < last; ++g) {
      const column c = column_of(g);
      const std::size_t padded = (c.count + N - 1) / N * N;
      cursor row(how.reduced, 0);
      for (std::uint64_t r = 0; r < how.length; ++r, row.advance(1)) {
        const float* x = elements(c, row.at(), in);
        for (std::size_t i = 0; i < padded; i += N) {
          const ints<N> bits = bits_of(floats<N>::load(x + i));
          const floats<N> v = floats_of_bits(ints<N>(bits.v ^ sign.v));
          const floats<N> b = floats<N>::load(best.at + i);
          const ints<N> is_better = r == 0 ? ints<N>(-1) : (v > b) | (is_nan(v) & is_number(b));
          select(is_better, v, b).store(best.at + i);
          select(is_better, ints<N>(static_cast<std::int32_t>(r)), ints<N>::load(where + i))
              .store(where + i);
        }
      }
      std::copy_n(where, c.count,
                  call.buffer<std::int32_t>(1) + static_cast<std::size_t>(c.output));
    }
  }
};

template <class Rows, class Columns>
void reduce_groups(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_reduce>();
  if (how.by_columns != 0) run_for(call.set, Columns{{call, how, first, last}});
  else run_for(call.set, Rows{{call, how, first, last}});
}

}  // namespace

void reduce_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  reduce_groups<reducing_rows, reducing_columns>(call, first, last);
}

void argmax_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  reduce_groups<finding_in_rows, finding_in_columns>(call, first, last);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
