// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/normalize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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
    return vectored::exp_up_to_1(x - less);
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
    // Where there is room for them, each number's exponential is made once.
    const bool keeps = how.type == number::f32 && how.is_logarithm == 0;
    const bool is_short = keeps && how.columns <= block_elements;
    // A short row is written past the caches while the next one's exponentials are made.
    const bool is_written_later = N == 16 && is_short && how.streams(call.buffer<float>(1));
    floats<N> factor_before = 0.0f;
    float_block in, made[2];
    for (std::uint64_t r = first; r < last; ++r) {
      const row_of_numbers row(call.set, how.type, call.buffer<const std::byte>(0),
                               cursor(how.kept, r).at(), how.along, how.columns);
      std::byte* out =
          call.buffer<std::byte>(1) + static_cast<std::size_t>(r * how.columns) * bytes;
      const floats<N> largest = static_cast<float>(row.folded<N>(taking_larger{}, as_it_is{}, in));
      const less_then_exp<N> of{largest};
      float* const mine = made[r % 2].at;
      const bool has_before = is_written_later && r > first;
      const float* const other = made[(r + 1) % 2].at;
      const auto meanwhile = [&](std::size_t i) __attribute__((always_inline)) {
        if (has_before) write_before<N>(how, out, other, factor_before, i);
      };
      double sum = 0;
      row.for_blocks([&](std::uint64_t at, std::size_t count) __attribute__((always_inline)) {
        float* to = keeps && !is_short
                        ? reinterpret_cast<float*>(out) + static_cast<std::size_t>(at)
                        : mine;
        sum += map_and_add<N>(to, row.block(at, count, in), count,
                              static_cast<std::size_t>(how.columns), of, meanwhile);
      });
      const floats<N> factor = static_cast<float>(1 / sum);
      const floats<N> less = static_cast<float>(std::log(sum));
      factor_before = factor;
      if (is_written_later && r + 1 < last) continue;
      row.for_blocks([&](std::uint64_t at, std::size_t count) __attribute__((always_inline)) {
        std::byte* to = out + static_cast<std::size_t>(at) * bytes;
        if (keeps) {
          auto* kept = reinterpret_cast<float*>(to);
          map_row<N>(
              kept, is_short ? mine : kept,
              count, [&](const auto& x) __attribute__((always_inline)) { return x * factor; });
          return;
        }
        const float* x = row.block(at, count, in);
        if (how.is_logarithm != 0)
          map_row<N>(
              mine, x, count, [&](const auto& v) __attribute__((always_inline)) {
                return v - largest - less;
              });
        else
          map_row<N>(
              mine, x,
              count, [&](const auto& v) __attribute__((always_inline)) { return of(v) * factor; });
        store_block(call.set, how.type, mine, count, to);
      });
    }
    if (is_written_later) finish_past_caches();
  }

  // Elements i to i + N of the row before that at `out`.
  template <int N>
  BEAMLET_IN_LOOPS static void write_before(const cpu_softmax& how, std::byte* out,
                                            const float* made, const floats<N>& factor,
                                            std::size_t i) {
    if constexpr (N == 16)
      store_past_caches(bits_of(floats<N>::load(made + i) * factor),
                        reinterpret_cast<float*>(out) - static_cast<std::size_t>(how.columns) + i);
  }
};

// Rows that lie across: some of them go together, a chunk of elements of each after the other. The
// exponentials of a chunk are of what is less than the largest until then, and are multiplied by
// what the later ones make of them when all are known (Milakov and Gimelshein, "Online normalizer
// calculation for softmax", 2018).
struct softmax_block {
  const cpu_call& call;
  const cpu_softmax& how;
  std::uint64_t outer, inner;
  std::size_t count, padded;
  float* kept;     // a row of `padded` for each element; those of one chunk if !how.keeps()
  float* largest;  // until and with each chunk
  const std::byte* from;
  std::ptrdiff_t step;
  bool is_in_place;
  float_block in{}, most{}, sum{};

  static constexpr float lowest = std::numeric_limits<float>::lowest();
  static constexpr std::uint64_t chunk = cpu_softmax::chunk_elements;

  softmax_block(const cpu_call& of, const cpu_softmax& what, std::uint64_t block, float* scratch)
      : call(of),
        how(what),
        outer(block / how.blocks_of_outer()),
        inner(block % how.blocks_of_outer() * how.column_block()),
        count(static_cast<std::size_t>(std::min(how.column_block(), how.inner - inner))),
        padded(static_cast<std::size_t>(cpu_softmax::padded(count))),
        kept(scratch),
        largest(scratch + padded * static_cast<std::size_t>(how.kept_elements())) {
    const cursor place(how.kept, outer * how.inner + inner);
    const auto bytes = static_cast<std::ptrdiff_t>(bytes_of(how.type));
    is_in_place =
        how.type == number::f32 && count == padded && place.stride() == 1 && place.run() >= count;
    from = call.buffer<const std::byte>(0);
    if (is_in_place) from += static_cast<std::ptrdiff_t>(place.at()) * bytes;
    step = static_cast<std::ptrdiff_t>(how.along.rank == 0 ? 0 : how.along.stride[0]) * bytes;
  }

  const float* elements(std::uint64_t c) {
    const std::byte* row = from + static_cast<std::ptrdiff_t>(c) * step;
    if (!is_in_place)
      return load_block(call.set, how.type, row, how.kept, outer * how.inner + inner, count, in);
    return reinterpret_cast<const float*>(row);
  }
  float* row_of(std::uint64_t c) const {
    return kept + static_cast<std::size_t>(how.keeps() ? c : c % chunk) * padded;
  }
  float* largest_of(std::uint64_t c) const {
    return largest + static_cast<std::size_t>(how.keeps() ? c / chunk : 0) * padded;
  }

  template <int N>
  BEAMLET_IN_LOOPS void run() {
    std::fill_n(most.at, padded, lowest);  // not -infinity, which is no number less itself
    std::fill_n(sum.at, padded, 0.0f);
    for (std::uint64_t c = 0; c < how.columns; c += chunk)
      take_chunk<N>(c, std::min(c + chunk, how.columns));
    for (std::size_t i = 0; i < padded; i += N) {
      const floats<N> all = floats<N>::load(sum.at + i);
      (how.is_logarithm != 0 ? vectored::log(all) : 1.0f / all).store(sum.at + i);
    }
    write_rows<N>();
  }

  template <int N>
  BEAMLET_IN_LOOPS void take_chunk(std::uint64_t begin, std::uint64_t end) {
    float *const now = largest_of(begin), *const rows = row_of(begin);
    std::copy_n(most.at, padded, now);
    for (std::uint64_t c = begin; c < end; ++c) {
      const float* x = elements(c);
      float* row = row_of(c);
      for (std::size_t i = 0; i < padded; i += N) {
        const floats<N> v = floats<N>::load(x + i);
        v.store(row + i);
        taking_larger::of(floats<N>::load(now + i), v).store(now + i);
      }
    }
    const std::size_t last = static_cast<std::size_t>(end - begin) * padded;
    const bool keeps = how.is_logarithm == 0;
    const float* const later = reinterpret_cast<const float*>(
        from + static_cast<std::ptrdiff_t>(end < how.columns ? end : begin) * step);
    const std::ptrdiff_t next = is_in_place ? step / static_cast<std::ptrdiff_t>(sizeof(float)) : 0;
    for (std::size_t i = 0; i < padded; i += N) {
      const floats<N> m = floats<N>::load(now + i);
      floats<N> all =
          floats<N>::load(sum.at + i) * vectored::exp_up_to_1(floats<N>::load(most.at + i) - m);
      const float* ahead = later + i;
      for (std::size_t at = i; at < last; at += padded, ahead += next) {
        // Of the next chunk: its rows lie in other pages, where no processor looks by itself.
        __builtin_prefetch(ahead);
        const floats<N> e = vectored::exp_up_to_1(floats<N>::load(rows + at) - m);
        if (keeps) e.store(rows + at);
        all = all + e;
      }
      all.store(sum.at + i);
      m.store(most.at + i);
    }
  }

  template <int N>
  BEAMLET_IN_LOOPS void write_rows() {
    const std::size_t bytes = bytes_of(how.type),
                      next = static_cast<std::size_t>(how.inner) * bytes;
    std::byte* out = call.buffer<std::byte>(1) +
                     static_cast<std::size_t>(outer * how.columns * how.inner + inner) * bytes;
    const bool is_direct = how.type == number::f32 && count == padded;
    const bool streams = is_direct && how.streams(out);
    float_block factor, made;
    for (std::uint64_t c = 0; c < how.columns; ++c, out += next) {
      const float *x = how.keeps() ? row_of(c) : elements(c), *then = largest_of(c);
      float* to = is_direct ? reinterpret_cast<float*>(out) : made.at;
      if (how.is_logarithm != 0) {
        for (std::size_t i = 0; i < padded; i += N)
          (floats<N>::load(x + i) - floats<N>::load(most.at + i) - floats<N>::load(sum.at + i))
              .store(to + i);
      } else if (how.keeps()) {
        for (std::size_t i = 0; c % chunk == 0 && i < padded; i += N)
          (vectored::exp_up_to_1(floats<N>::load(then + i) - floats<N>::load(most.at + i)) *
           floats<N>::load(sum.at + i))
              .store(factor.at + i);
        for (std::size_t i = 0; i < padded; i += N) {
          const floats<N> made = floats<N>::load(x + i) * floats<N>::load(factor.at + i);
          if constexpr (N == 16)
            if (streams) {
              store_past_caches(bits_of(made), to + i);
              continue;
            }
          made.store(to + i);
        }
      } else {
        for (std::size_t i = 0; i < padded; i += N)
          (vectored::exp_up_to_1(floats<N>::load(x + i) - floats<N>::load(most.at + i)) *
           floats<N>::load(sum.at + i))
              .store(to + i);
      }
      if (!is_direct) store_block(call.set, how.type, made.at, count, out);
    }
  }
};

struct softmax_columns {
  const cpu_call& call;
  std::uint64_t group;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto& how = call.parameters_as<cpu_softmax>();
    float* scratch =
        call.buffer<float>(2) + static_cast<std::size_t>(group * how.scratch_elements());
    const std::uint64_t blocks = how.block_count(), end = blocks * (group + 1) / how.groups;
    for (std::uint64_t block = blocks * group / how.groups; block < end; ++block)
      softmax_block(call, how, block, scratch).run<N>();
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
    const bool streams =
        how.type == number::f32 && bytes * how.rows * how.columns >= past_caches_bytes;
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
        const bool is_aligned = reinterpret_cast<std::uintptr_t>(values) % 64 == 0;
        scaled_row<N>(values, x, a, b, count, mean, factor, streams && is_aligned);
        if (!in_place) store_block(call.set, how.type, values, count, to);
      });
    }
    if (streams) finish_past_caches();
  }

  template <int N>
  BEAMLET_IN_LOOPS static void scaled_row(float* out, const float* x, const float* a,
                                          const float* b, std::size_t count, float mean,
                                          float factor, bool streams) {
    const floats<N> less = mean, times = factor;
    std::size_t i = 0;
    for (; i + N <= count; i += N) {
      floats<N> v = (floats<N>::load(x + i) - less) * times;
      if (a != nullptr) v = v * floats<N>::load(a + i);
      if (b != nullptr) v = v + floats<N>::load(b + i);
      if constexpr (N == 16)
        if (streams) {
          store_past_caches(bits_of(v), out + i);
          continue;
        }
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
  run_for_widest(call.set, softmax_rows{call, first, last});
}

void softmax_columns_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t group = first; group < last; ++group)
    run_for_widest(call.set, softmax_columns{call, group});
  if (call.parameters_as<cpu_softmax>().streams(call.buffer<float>(1))) finish_past_caches();
}

void normalize_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  run_for_widest(call.set, normalizing_rows{call, first, last});
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
