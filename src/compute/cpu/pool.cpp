// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/pool.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compute/cpu/folds.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Columns of the output at a time, and floats of the part of the input that they need: as much as
// stays in an L1 cache. Windows of more places go the slower way.
constexpr std::int64_t pool_columns_max = 512, pool_part_floats = 6144, pool_places_max = 128;

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

struct window_maximum {
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x, const float*) {
    return taking_larger::of(a, x);
  }
};
struct window_weighted {
  /// The weight lies there as often as a vector has elements: to make a vector of a float takes
  /// longer than the product.
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x,
                                       const float* weight) {
    return a + x * floats<N>::load(weight);
  }
};

// What windows in some rows and columns of the output make of a copied part.
struct folded_windows {
  window_kind kind;
  std::int64_t rows, columns, places;
  const float* from;               // of the first row and column, and from one row to the next
  std::ptrdiff_t from_step;        //
  const std::ptrdiff_t* place_at;  // from there, what each place of a window reads
  const float* weights;            // vectors of each place
  float start;
  float* to;
  std::ptrdiff_t to_step;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    if (kind == window_kind::maximum) fold<N, window_maximum>();
    else fold<N, window_weighted>();
  }

  // Four vectors at once, of one row or several, so that a sum does not wait for itself.
  template <int N, class Kind>
  BEAMLET_IN_LOOPS void fold() const {
    const float* in[4];
    float* out[4];
    std::int64_t waiting = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; c += N) {
        // The last whole vector has some of the one before it once more.
        const std::int64_t at = std::min(c, std::max<std::int64_t>(0, columns - N));
        in[waiting] = from + r * from_step + at;
        out[waiting] = to + r * to_step + at;
        ++waiting;
        const bool is_last = r + 1 == rows && c + N >= columns;
        if (waiting < 4 && !is_last) continue;
        for (; waiting < 4; ++waiting) in[waiting] = in[0], out[waiting] = out[0];
        fold_four<N, Kind>(in, out);
        waiting = 0;
      }
  }

  template <int N, class Kind>
  BEAMLET_IN_LOOPS void fold_four(const float* const* in, float* const* out) const {
    floats<N> a = start, b = a, c = a, d = a;
    const float *x = in[0], *y = in[1], *z = in[2], *w = in[3], *weight = weights;
    for (std::int64_t n = 0; n < places; ++n, weight += cpu_windows::vector_columns) {
      const std::ptrdiff_t at = place_at[n];
      a = Kind::of(a, floats<N>::load(x + at), weight);
      b = Kind::of(b, floats<N>::load(y + at), weight);
      c = Kind::of(c, floats<N>::load(z + at), weight);
      d = Kind::of(d, floats<N>::load(w + at), weight);
    }
    if (columns >= N) {
      a.store(out[0]);
      b.store(out[1]);
      c.store(out[2]);
      d.store(out[3]);
      return;
    }
    const auto count = static_cast<std::size_t>(columns);
    a.store(out[0], count);
    b.store(out[1], count);
    c.store(out[2], count);
    d.store(out[3], count);
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
      weights_ = call.buffer<const float>(1) +
                 static_cast<std::ptrdiff_t>(static_cast<std::int64_t>(channel) * of_.size[0] *
                                             of_.size[1]);
    if (how.has_bias != 0)
      start_ = call.buffer<const float>(
          2)[static_cast<std::ptrdiff_t>(static_cast<std::int64_t>(channel) * how.bias_step)];
    if (how.kind == window_kind::maximum)
      start_ = around_ = -std::numeric_limits<float>::infinity();
    out_ =
        call.buffer<std::byte>(3) + static_cast<std::ptrdiff_t>(static_cast<std::int64_t>(plane) *
                                                                of_.out[0] * of_.out[1] * bytes);
  }

  void run(std::int64_t row, std::int64_t end) {
    constexpr std::int64_t few = cpu_windows::vector_columns;
    std::int64_t columns = std::min(pool_columns_max, of_.out[1]);
    while (columns > 2 * few && plane_part::floats(of_, 1, columns) > pool_part_floats)
      columns /= 2;
    for (std::int64_t column = 0, some = 0; column < of_.out[1]; column += some) {
      // As equal as can be: what is read in place has a vector's columns at least.
      const std::int64_t left = of_.out[1] - column, pieces = (left + columns - 1) / columns;
      some = (left + pieces - 1) / pieces;
      count_columns(column, some);
      const std::int64_t rows = rows_of_part(some);
      for (std::int64_t r = row; r < end; r += rows) {
        const output_part part{r, std::min(rows, end - r), column, some};
        if (is_quick(some)) run_quickly(part);
        else run_slowly(part);
      }
    }
  }

 private:
  bool is_quick(std::int64_t columns) const {
    return of_.size[0] <= pool_places_max && of_.size[1] <= pool_places_max &&
           of_.size[0] * of_.size[1] <= pool_places_max &&
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

  void run_quickly(const output_part& part) {
    plane_part from;
    from.load(set_, of_, in_, part, around_, part_);
    std::int64_t n = 0;
    for (std::int64_t i = 0; i < of_.size[0]; ++i)
      for (std::int64_t j = 0; j < of_.size[1]; ++j, ++n) {
        place_at_[n] = from.at(0, i, j) - from.row_at(0, 0);
        const float weight = weights_ != nullptr ? weights_[n] : 1;  // an average's is 1
        std::fill_n(spread_ + n * cpu_windows::vector_columns, cpu_windows::vector_columns, weight);
      }
    // Halves are made of one row at a time.
    const std::int64_t some = of_.type == number::f32 ? part.rows : 1;
    for (std::int64_t r = 0; r < part.rows; r += some) {
      float* to = row_out(part, r);
      run_for_widest(set_, folded_windows{how_.kind, some, part.columns, n, from.row_at(r, 0),
                                          from.row_step(), place_at_, spread_, start_, to,
                                          static_cast<std::ptrdiff_t>(of_.out[1])});
      for (std::int64_t k = r; k < r + some; ++k, to += of_.out[1]) finish(part, k, to);
    }
  }

  // A row of the output, whose windows reach further than a part holds: place by place.
  void run_slowly(const output_part& part) {
    float* sum = row_out(part, 0);
    std::fill_n(sum, part.columns, start_);
    const places_inside rows(of_, 0, part.row);
    const std::int64_t row = part.row * of_.stride[0] - of_.before[0];
    const std::int64_t column = part.column * of_.stride[1] - of_.before[1];
    const std::int64_t first = places_inside(of_, 1, part.column + part.columns - 1).first;
    const std::int64_t end = places_inside(of_, 1, part.column).end;
    for (std::int64_t i = rows.first; i < rows.end; ++i)
      for (std::int64_t j = first; j < end; ++j) {
        load_window_row(set_, of_, in_, row + i * of_.dilation[0], column + j * of_.dilation[1],
                        of_.stride[1], static_cast<std::size_t>(part.columns), around_, part_);
        const float weight = weights_ != nullptr ? weights_[i * of_.size[1] + j] : 1;
        for (std::int64_t c = 0; c < part.columns; ++c) {
          const float x = part_[c];
          if (how_.kind != window_kind::maximum) sum[c] += x * weight;
          else if (x > sum[c] || std::isnan(x)) sum[c] = x;
        }
      }
    finish(part, 0, sum);
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

  std::byte* out_at(const output_part& part, std::int64_t r) const {
    const auto bytes = static_cast<std::int64_t>(bytes_of(of_.type));
    const std::int64_t at = (part.row + r) * of_.out[1] + part.column;
    return out_ + static_cast<std::ptrdiff_t>(at * bytes);
  }
  float* row_out(const output_part& part, std::int64_t r) {
    return of_.type == number::f32 ? reinterpret_cast<float*>(out_at(part, r)) : made_;
  }
  void finish(const output_part& part, std::int64_t r, float* row) {
    if (how_.kind == window_kind::average) {
      const places_inside inside(of_, 0, part.row + r);
      const auto rows =
          static_cast<float>(how_.counts_padding != 0 ? of_.size[0] : inside.end - inside.first);
      for (std::int64_t c = 0; c < part.columns; ++c) row[c] /= counts_[c] * rows;
    }
    if (of_.type != number::f32)
      store_block(set_, of_.type, row, static_cast<std::size_t>(part.columns), out_at(part, r));
  }

  isa set_;
  const cpu_pool& how_;
  const cpu_windows& of_;
  const std::byte* in_;
  const float* weights_ = nullptr;
  float start_ = 0, around_ = 0;
  std::byte* out_;
  std::ptrdiff_t place_at_[pool_places_max];
  alignas(64) float spread_[pool_places_max * cpu_windows::vector_columns];
  alignas(64) float part_[pool_part_floats];
  alignas(64) float made_[pool_columns_max];
  alignas(64) float counts_[pool_columns_max];
};

}  // namespace

void pool_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_pool>();
  const std::uint64_t pieces = how.groups_of_plane();
  for (std::uint64_t g = first; g < last; ++g) {
    const std::int64_t row = static_cast<std::int64_t>(g % pieces) * how.rows_of_group();
    pool_plane(call, how, g / pieces)
        .run(row, std::min(row + how.rows_of_group(), how.windows.out[0]));
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
