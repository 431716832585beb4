// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/normalize.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compute/cpu/folds.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// With vectors of what is subtracted: a float would be made one for every element anew.
template <int N>
struct less_then_exp {
  floats<N> less;
  BEAMLET_IN_LOOPS floats<N> operator()(const floats<N>& x) const {
    return vectored::exp(x - less);
  }
};
template <int N>
struct less_then_square {
  floats<N> less;
  BEAMLET_IN_LOOPS floats<N> operator()(const floats<N>& x) const {
    return (x - less) * (x - less);
  }
};

// One row of numbers in memory of some type, a block at a time.
struct row_of_numbers {
  isa set;
  number type;
  const std::byte* first;
  const strided& along;
  std::uint64_t columns;

  row_of_numbers(isa of, number numbers, const std::byte* memory, std::int64_t at,
                 const strided& where, std::uint64_t count)
      : set(of),
        type(numbers),
        first(memory +
              static_cast<std::ptrdiff_t>(at) * static_cast<std::ptrdiff_t>(bytes_of(numbers))),
        along(where),
        columns(count) {}

  const float* block(std::uint64_t at, std::size_t count, float_block& into) const {
    if (type == number::f32 && along.is_row())
      return reinterpret_cast<const float*>(first) + static_cast<std::size_t>(at);
    return load_block(set, type, first, along, at, count, into);
  }
  template <class F>
  BEAMLET_IN_LOOPS void for_blocks(F f) const {
    for (std::uint64_t at = 0; at < columns; at += block_elements)
      f(at, static_cast<std::size_t>(std::min<std::uint64_t>(block_elements, columns - at)));
  }
  template <int N, class With, class Map>
  BEAMLET_IN_LOOPS double folded(With with, const Map& map, float_block& into) const {
    double all = with.nothing;
    for_blocks([&](std::uint64_t at, std::size_t count) __attribute__((always_inline)) {
      const float one = fold<N>(block(at, count, into), count, with, map);
      if constexpr (std::is_same_v<With, adding>) all += one;
      else if (one > all || one != one) all = one;
    });
    return all;
  }
};

struct softmax_rows {
  const cpu_call& call;
  std::uint64_t first, last;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto& how = call.parameters_as<cpu_softmax>();
    const std::size_t bytes = bytes_of(how.type);
    float_block in, made;
    for (std::uint64_t r = first; r < last; ++r) {
      const row_of_numbers row(call.set, how.type, call.buffer<const std::byte>(0),
                               cursor(how.kept, r).at(), how.along, how.columns);
      std::byte* out =
          call.buffer<std::byte>(1) + static_cast<std::size_t>(r * how.columns) * bytes;
      const floats<N> largest = static_cast<float>(row.folded<N>(taking_larger{}, as_it_is{}, in));
      const less_then_exp<N> of{largest};
      // Where the output has room for them, each number's exponential is made once.
      const bool keeps = how.type == number::f32 && how.is_logarithm == 0;
      double sum = 0;
      row.for_blocks([&](std::uint64_t at, std::size_t count) __attribute__((always_inline)) {
        float* to = keeps ? reinterpret_cast<float*>(out) + static_cast<std::size_t>(at) : made.at;
        map_row<N>(to, row.block(at, count, in), count, of);
        sum += fold<N>(to, count, adding{});
      });
      const floats<N> factor = static_cast<float>(1 / sum);
      const floats<N> less = static_cast<float>(std::log(sum));
      row.for_blocks([&](std::uint64_t at, std::size_t count) __attribute__((always_inline)) {
        std::byte* to = out + static_cast<std::size_t>(at) * bytes;
        if (keeps) {
          auto* kept = reinterpret_cast<float*>(to);
          map_row<N>(
              kept, kept,
              count, [&](const auto& x) __attribute__((always_inline)) { return x * factor; });
          return;
        }
        const float* x = row.block(at, count, in);
        if (how.is_logarithm != 0)
          map_row<N>(
              made.at, x, count, [&](const auto& v) __attribute__((always_inline)) {
                return v - largest - less;
              });
        else
          map_row<N>(
              made.at, x,
              count, [&](const auto& v) __attribute__((always_inline)) { return of(v) * factor; });
        store_block(call.set, how.type, made.at, count, to);
      });
    }
  }
};

// Rows that lie across: a block of them goes together, one element of each after the other.
struct softmax_columns {
  const cpu_call& call;
  std::uint64_t first, last;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto& how = call.parameters_as<cpu_softmax>();
    const std::uint64_t block = how.column_block(), blocks = (how.inner + block - 1) / block;
    for (std::uint64_t g = first; g < last; ++g) {
      const std::uint64_t outer = g / blocks, inner = g % blocks * block;
      const auto count = static_cast<std::size_t>(std::min(block, how.inner - inner));
      run_block<N>(how, outer, inner, count);
    }
  }

  template <int N>
  BEAMLET_IN_LOOPS void run_block(const cpu_softmax& how, std::uint64_t outer, std::uint64_t inner,
                                  std::size_t count) const {
    float_block in, most, sum, made;
    const std::size_t padded = (count + N - 1) / N * N, bytes = bytes_of(how.type);
    const std::ptrdiff_t step =
        static_cast<std::ptrdiff_t>(how.along.rank == 0 ? 0 : how.along.stride[0]) *
        static_cast<std::ptrdiff_t>(bytes);
    const auto elements = [&](std::uint64_t c) {
      return load_block(call.set, how.type,
                        call.buffer<const std::byte>(0) + static_cast<std::ptrdiff_t>(c) * step,
                        how.kept, outer * how.inner + inner, count, in);
    };
    std::fill_n(most.at, padded, taking_larger::nothing);
    for (std::uint64_t c = 0; c < how.columns; ++c) {
      const float* x = elements(c);
      for (std::size_t i = 0; i < padded; i += N)
        taking_larger::of(floats<N>::load(most.at + i), floats<N>::load(x + i)).store(most.at + i);
    }
    const bool is_logarithm = how.is_logarithm != 0;
    // Where the output has room for them, each number's exponential is made once.
    const bool keeps = how.type == number::f32 && !is_logarithm;
    std::byte* const out =
        call.buffer<std::byte>(1) +
        static_cast<std::size_t>(outer * how.columns * how.inner + inner) * bytes;
    const std::size_t next = static_cast<std::size_t>(how.inner) * bytes;
    std::fill_n(sum.at, padded, 0.0f);
    for (std::uint64_t c = 0; c < how.columns; ++c) {
      const float* x = elements(c);
      for (std::size_t i = 0; i < padded; i += N) {
        const floats<N> e = vectored::exp(floats<N>::load(x + i) - floats<N>::load(most.at + i));
        e.store(made.at + i);
        (floats<N>::load(sum.at + i) + e).store(sum.at + i);
      }
      if (keeps) std::memcpy(out + static_cast<std::size_t>(c) * next, made.at, count * bytes);
    }
    for (std::size_t i = 0; i < padded; i += N) {
      const floats<N> all = floats<N>::load(sum.at + i);
      (is_logarithm ? vectored::log(all) : 1.0f / all).store(sum.at + i);
    }
    for (std::uint64_t c = 0; c < how.columns; ++c) {
      std::byte* const to = out + static_cast<std::size_t>(c) * next;
      if (keeps) {
        auto* row = reinterpret_cast<float*>(to);
        std::size_t i = 0;
        for (; i + N <= count; i += N)
          (floats<N>::load(row + i) * floats<N>::load(sum.at + i)).store(row + i);
        for (; i < count; ++i) row[i] *= sum.at[i];
        continue;
      }
      const float* x = elements(c);
      for (std::size_t i = 0; i < padded; i += N) {
        const floats<N> v = floats<N>::load(x + i) - floats<N>::load(most.at + i);
        const floats<N> s = floats<N>::load(sum.at + i);
        (is_logarithm ? v - s : vectored::exp(v) * s).store(made.at + i);
      }
      store_block(call.set, how.type, made.at, count, to);
    }
  }
};

struct normalizing_rows {
  const cpu_call& call;
  std::uint64_t first, last;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto& how = call.parameters_as<cpu_normalize>();
    const std::size_t bytes = bytes_of(how.type);
    const row_of_numbers scale(call.set, how.type, call.buffer<const std::byte>(1), 0, how.scale,
                               how.columns);
    const row_of_numbers shift(call.set, how.type, call.buffer<const std::byte>(2), 0, how.shift,
                               how.columns);
    float_block in, scales, shifts, made;
    const double columns = static_cast<double>(how.columns);
    for (std::uint64_t r = first; r < last; ++r) {
      const row_of_numbers row(call.set, how.type, call.buffer<const std::byte>(0),
                               cursor(how.kept, r).at(), how.along, how.columns);
      float mean = 0;
      if (how.is_around_mean != 0)
        mean = static_cast<float>(row.folded<N>(adding{}, as_it_is{}, in) / columns);
      const double square = row.folded<N>(adding{}, less_then_square<N>{mean}, in) / columns;
      const auto factor = static_cast<float>(1 / std::sqrt(square + how.epsilon));
      std::byte* out =
          call.buffer<std::byte>(3) + static_cast<std::size_t>(r * how.columns) * bytes;
      row.for_blocks([&](std::uint64_t at, std::size_t count) __attribute__((always_inline)) {
        std::byte* to = out + static_cast<std::size_t>(at) * bytes;
        const bool in_place = how.type == number::f32;
        float* values = in_place ? reinterpret_cast<float*>(to) : made.at;
        const float* x = row.block(at, count, in);
        const float* a = how.has_scale != 0 ? scale.block(at, count, scales) : nullptr;
        const float* b = how.has_shift != 0 ? shift.block(at, count, shifts) : nullptr;
        scaled_row<N>(values, x, a, b, count, mean, factor);
        if (!in_place) store_block(call.set, how.type, values, count, to);
      });
    }
  }

  template <int N>
  BEAMLET_IN_LOOPS static void scaled_row(float* out, const float* x, const float* a,
                                          const float* b, std::size_t count, float mean,
                                          float factor) {
    const floats<N> less = mean, times = factor;
    std::size_t i = 0;
    for (; i + N <= count; i += N) {
      floats<N> v = (floats<N>::load(x + i) - less) * times;
      if (a != nullptr) v = v * floats<N>::load(a + i);
      if (b != nullptr) v = v + floats<N>::load(b + i);
      v.store(out + i);
    }
    for (; i < count; ++i) {
      const float v = (x[i] - mean) * factor * (a != nullptr ? a[i] : 1.0f);
      out[i] = b != nullptr ? v + b[i] : v;
    }
  }
};

}  // namespace

void softmax_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  if (call.parameters_as<cpu_softmax>().inner > 1)
    return run_for(call.set, softmax_columns{call, first, last});
  run_for(call.set, softmax_rows{call, first, last});
}

void normalize_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  run_for(call.set, normalizing_rows{call, first, last});
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
