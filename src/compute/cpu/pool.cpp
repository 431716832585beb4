// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/pool.hpp"

#include <algorithm>
#include <limits>

#include "compute/cpu/folds.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

struct window_maximum {
  static constexpr float around = -std::numeric_limits<float>::infinity();
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x, float) {
    return taking_larger::of(a, x);
  }
};
struct window_sum {
  static constexpr float around = 0;
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x, float) {
    return a + x;
  }
};
struct window_weighted {
  static constexpr float around = 0;
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x, float weight) {
    return a + x * floats<N>(weight);
  }
};

// Columns of the output at a time, and floats of the part of the input that they need: as much as
// stays in an L1 cache.
constexpr std::int64_t pool_columns_max = 512, pool_part_floats = 6144;
// Wider windows go the slower way.
constexpr std::int64_t pool_window_max = 64;

// Places of a window that are inside of the input: [first, end).
struct places_inside {
  std::int64_t first, end;
  places_inside(const cpu_windows& of, std::size_t d, std::int64_t output) {
    const std::int64_t at = output * of.stride[d] - of.before[d], by = of.dilation[d];
    const auto up = [by](std::int64_t n) { return n <= 0 ? 0 : (n + by - 1) / by; };
    first = std::min(of.size[d], up(-at));
    end = std::max(first, std::min(of.size[d], up(of.in[d] - at)));
  }
};

// One plane of the output.
class pool_plane {
 public:
  pool_plane(const cpu_call& call, const cpu_pool& how, std::uint64_t plane)
      : set_(call.set), how_(how), of_(how.windows) {
    const std::uint64_t channel = plane % how.channels, image = plane / how.channels;
    const std::int64_t from =
        static_cast<std::int64_t>(image) * how.image_step +
        static_cast<std::int64_t>(channel / how.multiplier) * how.channel_step;
    const auto bytes = static_cast<std::int64_t>(bytes_of(of_.type));
    in_ = call.buffer<const std::byte>(0) + static_cast<std::ptrdiff_t>(from * bytes);
    if (how.kind == window_kind::weighted)
      weights_ = call.buffer<const float>(1) + static_cast<std::size_t>(channel) *
                                                   static_cast<std::size_t>(of_.size[0]) *
                                                   static_cast<std::size_t>(of_.size[1]);
    if (how.has_bias != 0)
      bias_ = call.buffer<const float>(
          2)[static_cast<std::ptrdiff_t>(static_cast<std::int64_t>(channel) * how.bias_step)];
    out_ =
        call.buffer<std::byte>(3) + static_cast<std::ptrdiff_t>(static_cast<std::int64_t>(plane) *
                                                                of_.out[0] * of_.out[1] * bytes);
  }

  template <int N, class Kind>
  BEAMLET_IN_LOOPS void run(std::int64_t row, std::int64_t end) {
    const float start = how_.kind == window_kind::weighted ? bias_ : Kind::around;
    std::int64_t columns = std::min(pool_columns_max, of_.out[1]);
    while (columns > 2 * N && plane_part::floats(of_, 1, columns) > pool_part_floats) columns /= 2;
    for (std::int64_t column = 0, some = 0; column < of_.out[1]; column += some) {
      // As equal as can be: rows shorter than a vector are not read in place.
      const std::int64_t left = of_.out[1] - column, pieces = (left + columns - 1) / columns;
      some = (left + pieces - 1) / pieces;
      count_columns(column, some);
      const std::int64_t rows = rows_of_part(some);
      for (std::int64_t r = row; r < end; r += rows) {
        const output_part part{r, std::min(rows, end - r), column, some};
        if (rows == 1 && !is_quick(some)) run_slowly<N, Kind>(part, start);
        else run_quickly<N, Kind>(part, start);
      }
    }
  }

 private:
  bool is_quick(std::int64_t columns) const {
    return of_.size[1] <= pool_window_max &&
           plane_part::floats(of_, 1, columns) <= pool_part_floats;
  }
  std::int64_t rows_of_part(std::int64_t columns) const {
    if (!is_quick(columns)) return 1;
    if (of_.is_read_in_place()) return of_.out[0];
    std::int64_t rows = 1;
    while (rows < of_.out[0] && plane_part::floats(of_, 2 * rows, columns) <= pool_part_floats)
      rows *= 2;
    return rows;
  }

  // Of an average, how many columns of each window count.
  void count_columns(std::int64_t column, std::int64_t count) {
    if (how_.kind != window_kind::average) return;
    for (std::int64_t c = 0; c < count; ++c) {
      const places_inside inside(of_, 1, column + c);
      counts_[c] =
          static_cast<float>(how_.counts_padding != 0 ? of_.size[1] : inside.end - inside.first);
    }
  }

  template <int N, class Kind>
  BEAMLET_IN_LOOPS void run_quickly(const output_part& part, float start) {
    plane_part from;
    from.load(set_, of_, in_, part, Kind::around, part_);
    std::ptrdiff_t across[pool_window_max];
    for (std::int64_t j = 0; j < of_.size[1]; ++j) across[j] = from.column_at(j);
    for (std::int64_t r = 0; r < part.rows; ++r) {
      float* to = row_out(part, r);
      const float* first = from.row_at(r, 0);
      const std::ptrdiff_t down = from.row_at(r, 1) - first;
      std::int64_t c = 0;
      // The last whole vectors are made once more, with those before them.
      for (; part.columns >= 4 * N && c < part.columns; c += 4 * N) {
        const std::int64_t at = std::min(c, part.columns - 4 * N);
        fold<N, 4, Kind>(first + at, down, across, start, to + at);
      }
      for (; part.columns >= N && c < part.columns; c += N) {
        const std::int64_t at = std::min(c, part.columns - N);
        fold<N, 1, Kind>(first + at, down, across, start, to + at);
      }
      if (c < part.columns) {
        float whole[N];
        fold<N, 1, Kind>(first, down, across, start, whole);
        std::copy_n(whole, part.columns, to);
      }
      finish<N>(part, r, to);
    }
  }

  template <int N, int V, class Kind>
  BEAMLET_IN_LOOPS void fold(const float* from, std::ptrdiff_t down, const std::ptrdiff_t* across,
                             float start, float* to) const {
    floats<N> sum[V];
    for (int v = 0; v < V; ++v) sum[v] = start;
    const float* weight = weights_;
    for (std::int64_t i = 0; i < of_.size[0]; ++i, from += down)
      for (std::int64_t j = 0; j < of_.size[1]; ++j) {
        const float* x = from + across[j];
        const float w = weight != nullptr ? *weight++ : 0;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[v] = Kind::of(sum[v], floats<N>::load(x + v * N), w);
      }
    for (int v = 0; v < V; ++v) sum[v].store(to + v * N);
  }

  // A row of the output, whose windows reach further than a part holds: place by place.
  template <int N, class Kind>
  BEAMLET_IN_LOOPS void run_slowly(const output_part& part, float start) {
    const auto count = static_cast<std::size_t>(part.columns);
    float* sum = row_out(part, 0);
    std::fill_n(sum, count, start);
    const places_inside rows(of_, 0, part.row);
    const std::int64_t row = part.row * of_.stride[0] - of_.before[0];
    const std::int64_t column = part.column * of_.stride[1] - of_.before[1];
    const std::int64_t first = places_inside(of_, 1, part.column + part.columns - 1).first;
    const std::int64_t end = places_inside(of_, 1, part.column).end;
    for (std::int64_t i = rows.first; i < rows.end; ++i)
      for (std::int64_t j = first; j < end; ++j) {
        load_window_row(set_, of_, in_, row + i * of_.dilation[0], column + j * of_.dilation[1],
                        of_.stride[1], count, Kind::around, part_);
        const float w = weights_ != nullptr ? weights_[i * of_.size[1] + j] : 0;
        std::size_t c = 0;
        for (; c + N <= count; c += N)
          Kind::of(floats<N>::load(sum + c), floats<N>::load(part_ + c), w).store(sum + c);
        for (; c < count; ++c) sum[c] = Kind::of(floats<N>(sum[c]), floats<N>(part_[c]), w)[0];
      }
    finish<N>(part, 0, sum);
  }

  std::byte* out_at(const output_part& part, std::int64_t r) const {
    const auto bytes = static_cast<std::int64_t>(bytes_of(of_.type));
    const std::int64_t at = (part.row + r) * of_.out[1] + part.column;
    return out_ + static_cast<std::ptrdiff_t>(at * bytes);
  }
  float* row_out(const output_part& part, std::int64_t r) {
    return of_.type == number::f32 ? reinterpret_cast<float*>(out_at(part, r)) : made_;
  }
  template <int N>
  BEAMLET_IN_LOOPS void finish(const output_part& part, std::int64_t r, float* row) {
    const auto count = static_cast<std::size_t>(part.columns);
    if (how_.kind == window_kind::average) {
      const places_inside inside(of_, 0, part.row + r);
      const auto rows =
          static_cast<float>(how_.counts_padding != 0 ? of_.size[0] : inside.end - inside.first);
      std::size_t c = 0;
      for (; c + N <= count; c += N)
        (floats<N>::load(row + c) / (floats<N>::load(counts_ + c) * floats<N>(rows)))
            .store(row + c);
      for (; c < count; ++c) row[c] /= counts_[c] * rows;
    }
    if (of_.type != number::f32) store_block(set_, of_.type, row, count, out_at(part, r));
  }

  isa set_;
  const cpu_pool& how_;
  const cpu_windows& of_;
  const std::byte* in_;
  const float* weights_ = nullptr;
  float bias_ = 0;
  std::byte* out_;
  alignas(64) float part_[pool_part_floats];
  alignas(64) float made_[pool_columns_max];
  alignas(64) float counts_[pool_columns_max];
};

struct pooling {
  const cpu_call& call;
  std::uint64_t first, last;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto& how = call.parameters_as<cpu_pool>();
    const std::uint64_t pieces = how.groups_of_plane();
    for (std::uint64_t g = first; g < last; ++g) {
      pool_plane plane(call, how, g / pieces);
      const std::int64_t row = static_cast<std::int64_t>(g % pieces) * how.rows_of_group();
      const std::int64_t end = std::min(row + how.rows_of_group(), how.windows.out[0]);
      switch (how.kind) {
        case window_kind::maximum: plane.run<N, window_maximum>(row, end); break;
        case window_kind::average: plane.run<N, window_sum>(row, end); break;
        case window_kind::weighted: plane.run<N, window_weighted>(row, end); break;
      }
    }
  }
};

}  // namespace

void pool_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  run_for(call.set, pooling{call, first, last});
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
