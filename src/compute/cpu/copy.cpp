// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/copy.hpp"

#include <algorithm>
#include <cstring>

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

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto width = static_cast<std::ptrdiff_t>(columns);
    const auto height = static_cast<std::ptrdiff_t>(rows);
    const std::ptrdiff_t turned_rows = sizeof(T) == 4 ? height / N * N : 0;
    const std::ptrdiff_t turned_columns = sizeof(T) == 4 ? width / N * N : 0;
    for (std::ptrdiff_t c = 0; c < turned_columns; c += N) {
      // The source's next rows lie in other pages, where no processor looks ahead by itself.
      for (std::ptrdiff_t k = c + N; k < std::min<std::ptrdiff_t>(c + N + N, width); ++k)
        for (std::ptrdiff_t r = 0; r < height; r += 16)
          __builtin_prefetch(from + k * from_stride + r);
      for (std::ptrdiff_t r = 0; r < turned_rows; r += N)
        turn_vectors<N>(from + c * from_stride + r, to + r * to_stride + c);
    }
    for (std::ptrdiff_t r = 0; r < height; ++r)
      for (std::ptrdiff_t c = r < turned_rows ? turned_columns : 0; c < width; ++c)
        to[r * to_stride + c] = from[c * from_stride + r];
  }

  // N vectors of N: exchanged between neighbours, then between pairs, then between fours.
  template <int N>
  BEAMLET_IN_LOOPS void turn_vectors(const T* in, T* out) const {
    using raw = typename ints<N>::raw;
    raw row[N], half[N];
    for (int i = 0; i < N; ++i) std::memcpy(&row[i], in + i * from_stride, sizeof(raw));
    if constexpr (N == 8) {
      for (int i = 0; i < 8; i += 2) {
        half[i] = __builtin_shufflevector(row[i], row[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        half[i + 1] = __builtin_shufflevector(row[i], row[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
      }
      for (int i = 0; i < 8; i += 4)
        for (int k = i; k < i + 2; ++k) {
          row[k] = __builtin_shufflevector(half[k], half[k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
          row[k + 2] = __builtin_shufflevector(half[k], half[k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
      for (int k = 0; k < 4; ++k) {
        half[k] = __builtin_shufflevector(row[k], row[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        half[k + 4] = __builtin_shufflevector(row[k], row[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
      }
    } else {
      for (int i = 0; i < 4; i += 2) {
        half[i] = __builtin_shufflevector(row[i], row[i + 1], 0, 4, 2, 6);
        half[i + 1] = __builtin_shufflevector(row[i], row[i + 1], 1, 5, 3, 7);
      }
      for (int k = 0; k < 2; ++k) {
        row[k] = __builtin_shufflevector(half[k], half[k + 2], 0, 1, 4, 5);
        row[k + 2] = __builtin_shufflevector(half[k], half[k + 2], 2, 3, 6, 7);
      }
      for (int k = 0; k < 4; ++k) half[k] = row[k];
    }
    for (int i = 0; i < N; ++i) std::memcpy(out + i * to_stride, &half[i], sizeof(raw));
  }
};

template <class T>
void move_groups(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_move>();
  const T* const from = call.buffer<const T>(0);
  T* const to = call.buffer<T>(1);
  for (std::uint64_t g = first; g < last; ++g) {
    std::uint64_t rest = g;
    std::array<std::int64_t, 2> begin{}, count{1, 1};
    const T* in = from;
    T* out = to;
    for (std::size_t d = 0; d < how.rank; ++d) {
      std::int64_t piece = 1;
      if (how.is_turned != 0 && d < 2) piece = cpu_move::turned_piece;
      else if (d == 0) piece = cpu_move::row_piece;
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
      run_for(call.set, turned_part<T>{in, out, from_stride, to_stride, count[0], count[1]});
    } else {
      move_row(in, from_stride, out, static_cast<std::ptrdiff_t>(how.to[0]), count[0]);
    }
  }
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

std::uint64_t cpu_move::group_count() const noexcept {
  std::uint64_t groups = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    if (is_turned != 0 && d < 2) groups *= pieces_of(size[d], turned_piece);
    else groups *= pieces_of(size[d], d == 0 ? row_piece : 1);
  }
  return groups;
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
