// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/copy.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "beamlet/compute/ops.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr std::uint64_t pieces_of(std::int64_t size, std::int64_t piece) {
  return static_cast<std::uint64_t>((size + piece - 1) / piece);
}

template <class T>
void move_row(const T* from, std::ptrdiff_t from_stride, T* to, std::ptrdiff_t to_stride,
              std::int64_t count) {
  const auto n = static_cast<std::ptrdiff_t>(count);
  if (from_stride == 1 && to_stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  } else if (to_stride == 1) {
    for (std::ptrdiff_t i = 0; i < n; ++i) to[i] = from[i * from_stride];
  } else {
    for (std::ptrdiff_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

// The part of a matrix that a group turns. Rows of the target are `to_stride` apart and follow the
// source's columns; rows of the source are `from_stride` apart.
template <class T>
struct turned_part {
  const T* from;
  T* to;
  std::ptrdiff_t from_stride, to_stride;
  std::int64_t columns, rows;  // of the target

  bool streams = false;  // past the caches

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto width = static_cast<std::ptrdiff_t>(columns);
    const auto height = static_cast<std::ptrdiff_t>(rows);
    std::ptrdiff_t turned_rows = 0, turned_columns = 0;
    if constexpr (sizeof(T) == 4) {
      turned_rows = height / N * N, turned_columns = width / N * N;
      for (std::ptrdiff_t c = 0; c < turned_columns; c += N)
        for (std::ptrdiff_t r = 0; r < turned_rows; r += N) {
          const T* in = from + c * from_stride + r;
          // So many rows are too many for the processor to look ahead in by itself.
          for (int i = 0; r % line == 0 && i < N; ++i)
            __builtin_prefetch(in + i * from_stride + line);
          turn_vectors<N>(in, to + r * to_stride + c);
        }
    }
    for (std::ptrdiff_t r = 0; r < height; ++r)
      for (std::ptrdiff_t c = r < turned_rows ? turned_columns : 0; c < width; ++c)
        to[r * to_stride + c] = from[c * from_stride + r];
  }

  static constexpr std::ptrdiff_t line = 16;

  // N vectors of N: exchanged between neighbours, then between pairs, and so on.
  template <int N>
  BEAMLET_IN_LOOPS void turn_vectors(const T* in, T* out) const {
    ints<N> row[N], half[N];
    constexpr auto all = std::make_integer_sequence<int, N>();
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) std::memcpy(&row[i], in + i * from_stride, sizeof(row[i]));
    exchange<1>(row, half, all);
    exchange<2>(half, row, all);
    if constexpr (N >= 8) exchange<4>(row, half, all);
    if constexpr (N == 16) exchange<8>(half, row, all);
    const ints<N>* made = N == 8 ? half : row;
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) {
      if constexpr (N == 16)
        if (streams) {
          store_past_caches(made[i], out + i * to_stride);
          continue;
        }
      std::memcpy(out + i * to_stride, &made[i], sizeof(made[i]));
    }
  }
  template <int Width, int N, int... I>
  BEAMLET_IN_LOOPS static void exchange(const ints<N> (&from)[N], ints<N> (&to)[N],
                                        std::integer_sequence<int, I...> all) {
    ((to[I] = exchanged<Width, (I & Width) != 0>(from[I & ~Width], from[I | Width], all)), ...);
  }
  // Of both the even or the odd parts of so many elements.
  template <int Width, bool Odd, int N, int... I>
  BEAMLET_IN_LOOPS static ints<N> exchanged(const ints<N>& a, const ints<N>& b,
                                            std::integer_sequence<int, I...>) {
    return typename ints<N>::raw(__builtin_shufflevector(
        a.v, b.v, (I + (Odd ? Width : 0) + ((I & Width) == 0 ? 0 : N - Width))...));
  }
};

template <class T>
void move_groups(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_move>();
  const T* const from = call.buffer<const T>(0);
  T* const to = call.buffer<T>(1);
  const bool streams = how.streams(to);
  for (std::uint64_t g = first; g < last; ++g) {
    std::uint64_t rest = g;
    std::array<std::int64_t, 2> begin{}, count{1, 1};
    const T* in = from;
    T* out = to;
    for (std::size_t d = 0; d < how.rank; ++d) {
      const std::int64_t piece = how.piece(d);
      const std::uint64_t pieces = pieces_of(how.size[d], piece);
      const std::int64_t index = static_cast<std::int64_t>(rest % pieces) * piece;
      rest /= pieces;
      if (d < 2) begin[d] = index, count[d] = std::min(piece, how.size[d] - index);
      in += static_cast<std::ptrdiff_t>(index * how.from[d]);
      out += static_cast<std::ptrdiff_t>(index * how.to[d]);
    }
    const auto from_stride = static_cast<std::ptrdiff_t>(how.from[0]);
    if (how.is_turned != 0) {
      const auto to_stride = static_cast<std::ptrdiff_t>(how.to[1]);
      const turned_part<T> part{in, out, from_stride, to_stride, count[0], count[1], streams};
      if constexpr (sizeof(T) != 4) part.template run<4>();
      else if (count[0] % 16 == 0 && count[1] % 16 == 0) run_for_widest(call.set, part);
      else run_for(call.set, part);
    } else {
      move_row(in, from_stride, out, static_cast<std::ptrdiff_t>(how.to[0]), count[0]);
    }
  }
  if (streams) finish_past_caches();
}

// The index in the source of `index` in the target; -1: there is none.
std::int64_t source_index(const cpu_pad& how, std::size_t d, std::int64_t index) {
  const std::int64_t i = index - how.before[d], n = how.source_size[d];
  if (i >= 0 && i < n) return i;
  switch (static_cast<ops::pad::mode>(how.mode)) {
    case ops::pad::mode::edge: return i < 0 ? 0 : n - 1;
    case ops::pad::mode::reflect: return i < 0 ? -i : 2 * (n - 1) - i;
    default: return -1;
  }
}

template <class T>
void pad_rows(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_pad>();
  T value;
  std::memcpy(&value, how.value.data(), sizeof value);
  const std::int64_t width = how.size[0];
  const std::int64_t begin = how.before[0], end = begin + how.source_size[0];
  for (std::uint64_t row = first; row < last; ++row) {
    const T* in = call.buffer<const T>(0);
    T* out = call.buffer<T>(1) + static_cast<std::ptrdiff_t>(row) * width;
    std::uint64_t rest = row;
    bool is_inside = true;
    for (std::size_t d = 1; d < how.rank && is_inside; ++d) {
      const auto size = static_cast<std::uint64_t>(how.size[d]);
      const std::int64_t i = source_index(how, d, static_cast<std::int64_t>(rest % size));
      rest /= size;
      is_inside = i >= 0;
      if (is_inside) in += static_cast<std::ptrdiff_t>(i * how.from[d]);
    }
    if (!is_inside) {
      std::fill_n(out, width, value);
      continue;
    }
    const auto at_border = [&](std::int64_t i) {
      const std::int64_t k = source_index(how, 0, i);
      out[i] = k < 0 ? value : in[static_cast<std::ptrdiff_t>(k * how.from[0])];
    };
    for (std::int64_t i = 0; i < begin; ++i) at_border(i);
    move_row<T>(in, static_cast<std::ptrdiff_t>(how.from[0]), out + begin, 1, end - begin);
    for (std::int64_t i = end; i < width; ++i) at_border(i);
  }
}

}  // namespace

std::int64_t cpu_move::piece(std::size_t d) const noexcept {
  // Of the target whole lines of the caches, and as many rows as can be written side by side.
  if (is_turned != 0 && d < 2) return bytes == 4 ? (d == 0 ? 16 : 512) : 64;
  return d == 0 ? row_piece : 1;
}

std::uint64_t cpu_move::group_count() const noexcept {
  std::uint64_t groups = 1;
  for (std::size_t d = 0; d < rank; ++d) groups *= pieces_of(size[d], piece(d));
  return groups;
}

bool cpu_move::streams(const void* target) const noexcept {
  if (is_turned == 0 || bytes != 4) return false;
  std::uint64_t all = bytes;
  auto places = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(target) / 4);
  bool is_aligned = reinterpret_cast<std::uintptr_t>(target) % 4 == 0;
  for (std::size_t d = 0; d < rank; ++d) {
    all *= static_cast<std::uint64_t>(size[d]);
    if (d > 0) places |= static_cast<std::uint64_t>(to[d]);
  }
  return all >= past_caches_bytes && is_aligned && places % 16 == 0;
}

void move_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  switch (call.parameters_as<cpu_move>().bytes) {
    case 1: return move_groups<std::uint8_t>(call, first, last);
    case 2: return move_groups<std::uint16_t>(call, first, last);
    case 4: return move_groups<std::uint32_t>(call, first, last);
    default: return move_groups<std::uint64_t>(call, first, last);
  }
}

void pad_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  switch (call.parameters_as<cpu_pad>().bytes) {
    case 1: return pad_rows<std::uint8_t>(call, first, last);
    case 2: return pad_rows<std::uint16_t>(call, first, last);
    case 4: return pad_rows<std::uint32_t>(call, first, last);
    default: return pad_rows<std::uint64_t>(call, first, last);
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
