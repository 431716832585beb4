// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/conv.hpp"

#include <algorithm>
#include <cstring>

#include "compute/cpu/gemm.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// What is copied of a plane at a time; windows that reach further, or are wider, go a slower way.
constexpr std::uint64_t conv_part_floats = 16384;
constexpr std::int64_t conv_window_max = 64;

// The matrix that the weights are multiplied with: rows are the window's places in each channel,
// columns are pixels of the output from `first` on.
class window_matrix {
 public:
  window_matrix(isa set, const cpu_conv& how, const std::byte* planes, std::uint64_t first,
                float* part)
      : set_(set), how_(how), of_(how.windows), planes_(planes), first_(first), part_(part) {}

  static void pack(const void* of, const made_b::part& which, float* to) noexcept {
    static_cast<const window_matrix*>(of)->pack_part(which, to);
  }

 private:
  // Some columns, and the block of the output that they are in.
  struct pixels {
    std::int64_t row, column;  // of the first
    output_part part;
  };
  pixels pixels_of(const made_b::part& which) const {
    const std::int64_t across = of_.out[1];
    const auto begin = static_cast<std::int64_t>(first_ + which.j);
    const std::int64_t last = begin + static_cast<std::int64_t>(which.columns) - 1;
    const std::int64_t row = begin / across, rows = last / across - row + 1;
    if (rows > 1) return {0, begin % across, {row, rows, 0, across}};
    return {0, 0, {row, 1, begin % across, last - begin + 1}};
  }

  void pack_part(const made_b::part& which, float* to) const {
    const pixels at = pixels_of(which);
    const auto places = static_cast<std::size_t>(of_.size[0] * of_.size[1]);
    const bool is_quick =
        of_.size[1] <= conv_window_max &&
        plane_part::floats(of_, at.part.rows, at.part.columns) <= conv_part_floats;
    std::size_t p = which.p;
    const std::size_t end = p + which.depth;
    while (p < end) {
      const std::size_t channel = p / places;
      const std::size_t until = std::min(end, (channel + 1) * places);
      const std::int64_t from = static_cast<std::int64_t>(channel) * how_.channel_step;
      const std::byte* plane = planes_ + static_cast<std::ptrdiff_t>(
                                             from * static_cast<std::int64_t>(bytes_of(of_.type)));
      const auto place = static_cast<std::int64_t>(p - channel * places);
      const made_b::part some{p - which.p, until - p, 0, which.columns, which.width};
      if (is_quick) pack_channel(some, which.depth, plane, at, place, to);
      else pack_slowly(some, which.depth, plane, at, place, to);
      p = until;
    }
    fill_up(which, to);
  }

  // Rows of the matrix that are of one channel, from a place of the window on.
  void pack_channel(const made_b::part& which, std::size_t depth, const std::byte* plane,
                    const pixels& at, std::int64_t place, float* to) const {
    plane_part from;
    from.load(set_, of_, plane, at.part, 0, part_);
    std::ptrdiff_t across[conv_window_max];
    for (std::int64_t j = 0; j < of_.size[1]; ++j) across[j] = from.column_at(j);
    std::int64_t row = at.row, column = at.column;
    for (std::size_t j = 0; j < which.columns; j += which.width) {
      const std::size_t here = std::min(which.width, which.columns - j);
      float* panel = to + j * depth + which.p * which.width;
      std::int64_t i = place / of_.size[1], k = place % of_.size[1];
      for (std::size_t p = 0; p < which.depth; ++p, panel += which.width) {
        copy_pixels(from.row_at(row, i) + across[k], column, at.part.columns, from.row_step(), here,
                    panel);
        if (++k == of_.size[1]) k = 0, ++i;
      }
      column += static_cast<std::int64_t>(here);
      row += column / at.part.columns;
      column %= at.part.columns;
    }
  }

  // Pixels from `column` of a row on, and of the rows after it, which are so many floats apart.
  static void copy_pixels(const float* row, std::int64_t column, std::int64_t columns,
                          std::ptrdiff_t row_step, std::size_t count, float* to) {
    while (count > 0) {
      const std::size_t run = std::min(count, static_cast<std::size_t>(columns - column));
      copy_few(row + static_cast<std::ptrdiff_t>(column), run, to);
      to += run;
      count -= run;
      row += row_step;
      column = 0;
    }
  }

  // The same, from the input itself each time.
  void pack_slowly(const made_b::part& which, std::size_t depth, const std::byte* plane,
                   const pixels& at, std::int64_t place, float* to) const {
    for (std::size_t p = 0; p < which.depth; ++p, ++place) {
      const std::int64_t down = place / of_.size[1] * of_.dilation[0] - of_.before[0];
      const std::int64_t across = place % of_.size[1] * of_.dilation[1] - of_.before[1];
      std::int64_t row = at.part.row, column = at.part.column + at.column;
      for (std::size_t j = 0, run = 0; j < which.columns; j += run) {
        const std::size_t in_panel = j % which.width;
        run = std::min({which.width - in_panel, which.columns - j,
                        static_cast<std::size_t>(of_.out[1] - column)});
        load_window_row(set_, of_, plane, row * of_.stride[0] + down,
                        column * of_.stride[1] + across, of_.stride[1], run, 0,
                        to + (j - in_panel) * depth + (which.p + p) * which.width + in_panel);
        column += static_cast<std::int64_t>(run);
        if (column == of_.out[1]) column = 0, ++row;
      }
    }
  }

  static void fill_up(const made_b::part& which, float* to) {
    const std::size_t here = which.columns % which.width;
    if (here == 0) return;
    float* panel = to + (which.columns - here) * which.depth + here;
    for (std::size_t p = 0; p < which.depth; ++p, panel += which.width)
      std::fill_n(panel, which.width - here, 0.0f);
  }

  isa set_;
  const cpu_conv& how_;
  const cpu_windows& of_;
  const std::byte* planes_;
  std::uint64_t first_;
  float* part_;
};

// What a group has of scratch memory, from its beginning.
struct conv_scratch {
  std::size_t sums, products, end;

  conv_scratch(const cpu_conv& how, isa set) {
    const auto aligned = [](std::size_t bytes) {
      return (bytes + gemm_alignment - 1) / gemm_alignment * gemm_alignment;
    };
    const auto rows = static_cast<std::size_t>(how.rows);
    const auto columns = static_cast<std::size_t>(std::min(how.columns, cpu_conv::columns_at_once));
    const bool converts = how.windows.type != number::f32;
    sums = aligned(static_cast<std::size_t>(conv_part_floats) * sizeof(float));
    products = sums + (converts ? aligned(rows * columns * sizeof(float)) : 0);
    end = products + aligned(gemm_made_scratch_bytes(
                         set, {rows, columns, static_cast<std::size_t>(how.depth())}));
  }
};

// One block of what a part of the channels of an image makes.
class conv_block {
 public:
  conv_block(const cpu_call& call, const cpu_conv& how, std::uint64_t block, std::byte* scratch)
      : call_(call), how_(how), at_(how, call.set), scratch_(scratch) {
    const std::uint64_t row_blocks = divided_up(how.m, how.rows);
    const std::uint64_t column_blocks = divided_up(how.pixels, how.columns);
    row_ = block % row_blocks * how.rows;
    rows_ = static_cast<std::size_t>(std::min(how.rows, how.m - row_));
    first_ = block / row_blocks % column_blocks * how.columns;
    end_ = std::min(first_ + how.columns, how.pixels);
    const std::uint64_t product = block / row_blocks / column_blocks;
    const std::uint64_t part = product % how.parts, image = product / how.parts;
    channel_ = part * how.m + row_;
    out_ = ((image * how.parts + part) * how.m + row_) * how.pixels;
    const std::int64_t from = static_cast<std::int64_t>(image) * how.image_step +
                              static_cast<std::int64_t>(part * how.channels) * how.channel_step;
    const auto bytes = static_cast<std::int64_t>(bytes_of(how.windows.type));
    in_ = call.buffer<const std::byte>(0) + static_cast<std::ptrdiff_t>(from * bytes);
  }

  void run() const {
    const auto depth = static_cast<std::size_t>(how_.depth());
    const matrix_in weights{
        call_.buffer<const float>(1) + static_cast<std::size_t>(channel_) * depth,
        static_cast<std::ptrdiff_t>(depth), 1};
    const bool halves = how_.windows.type != number::f32;
    const auto output = how_.has_bias != 0 ? gemm_output::add : gemm_output::replace;
    for (std::uint64_t j = first_, some = 0; j < end_; j += some) {
      some = std::min(cpu_conv::columns_at_once, end_ - j);
      const auto columns = static_cast<std::size_t>(some);
      const matrix_out to =
          halves ? matrix_out{floats(at_.sums), static_cast<std::ptrdiff_t>(columns)}
                 : matrix_out{call_.buffer<float>(3) + static_cast<std::size_t>(out_ + j),
                              static_cast<std::ptrdiff_t>(how_.pixels)};
      if (how_.has_bias != 0) write_biases(to, columns);
      const window_matrix seen(call_.set, how_, in_, j, floats(0));
      gemm_made(call_.set, {rows_, columns, depth}, weights, {window_matrix::pack, &seen}, to,
                output, scratch_ + at_.products);
      if (halves) store(to, columns, j);
    }
  }

 private:
  float* floats(std::size_t at) const { return reinterpret_cast<float*>(scratch_ + at); }

  void write_biases(matrix_out to, std::size_t columns) const {
    for (std::size_t i = 0; i < rows_; ++i) {
      const std::int64_t at = static_cast<std::int64_t>(channel_ + i) * how_.bias_step;
      std::fill_n(to.data + static_cast<std::ptrdiff_t>(i) * to.row_stride, columns,
                  call_.buffer<const float>(2)[static_cast<std::ptrdiff_t>(at)]);
    }
  }
  void store(matrix_out from, std::size_t columns, std::uint64_t j) const {
    const std::size_t bytes = bytes_of(how_.windows.type);
    for (std::size_t i = 0; i < rows_; ++i)
      store_block(call_.set, how_.windows.type,
                  from.data + static_cast<std::ptrdiff_t>(i) * from.row_stride, columns,
                  call_.buffer<std::byte>(3) +
                      static_cast<std::size_t>(out_ + i * how_.pixels + j) * bytes);
  }

  const cpu_call& call_;
  const cpu_conv& how_;
  const conv_scratch at_;
  std::byte* scratch_;
  const std::byte* in_;
  std::uint64_t row_, first_, end_, channel_, out_;
  std::size_t rows_;
};

}  // namespace

std::uint64_t cpu_conv_scratch_bytes(const cpu_conv& how) noexcept {
  std::size_t most = 0;
  for (isa set : isas) most = std::max(most, conv_scratch(how, set).end);
  return most;
}

void conv_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_conv>();
  for (std::uint64_t group = first; group < last; ++group) {
    std::byte* scratch =
        call.buffer<std::byte>(4) + static_cast<std::size_t>(group * how.scratch_bytes);
    const std::uint64_t end = how.blocks * (group + 1) / how.groups;
    for (std::uint64_t block = how.blocks * group / how.groups; block < end; ++block)
      conv_block(call, how, block, scratch).run();
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
