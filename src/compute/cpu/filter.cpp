// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/filter.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "compute/cpu/functions.hpp"
#include "compute/cpu/vectors.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Lines may be read, and those in between written, so many elements past their end.
constexpr std::uint64_t filter_slack = 64;

// What is shown at k, of n in a row or column; -1: nothing.
std::int64_t shown_at(std::int64_t k, std::int64_t n, ops::border edges) {
  if (k >= 0 && k < n) return k;
  if (edges == ops::border::constant) return -1;
  if (edges == ops::border::replicate) return k < 0 ? 0 : n - 1;
  if (n == 1) return 0;
  k = (k < 0 ? -k : k) % (2 * (n - 1));
  return k < n ? k : 2 * (n - 1) - k;
}

// What is summed up: elements from these places on, times these numbers.
template <class T>
struct filter_terms {
  static constexpr std::size_t count_max =
      std::size_t{ops::filter2d::size_max} * ops::filter2d::size_max;
  const T* from[count_max];
  T by[count_max];
  std::size_t count = 0;

  void add(const T* place, float coefficient) {
    if (coefficient == 0) return;
    from[count] = place;
    by[count++] = static_cast<T>(coefficient);
  }
};

struct float_sums {
  const filter_terms<float>* terms;
  float* to;
  std::size_t count;

  template <int N, int K>
  BEAMLET_IN_LOOPS void sum(std::size_t i, floats<N> (&made)[K]) const {
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) made[k] = 0;
    for (std::size_t t = 0; t < terms->count; ++t) {
      const floats<N> a = terms->by[t];
      const float* x = terms->from[t] + i;
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k)
        made[k] = made[k] + a * floats<N>::load(x + std::ptrdiff_t{k} * N);
    }
  }
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    constexpr int at_once = 4;
    constexpr std::size_t stride = std::size_t{at_once} * N;
    std::size_t i = 0;
    floats<N> many[at_once], one[1];
    for (; i + stride <= count; i += stride) {
      sum<N, at_once>(i, many);
#pragma GCC unroll 4
      for (int k = 0; k < at_once; ++k) many[k].store(to + i + std::ptrdiff_t{k} * N);
    }
    for (; i < count; i += N) {
      sum<N, 1>(i, one);
      if (i + N <= count) one[0].store(to + i);
      else one[0].store(to + i, count - i);
    }
  }
};

struct float_lengths {
  const float *x, *y;
  float* to;
  std::size_t count;
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    for (std::size_t i = 0; i < count; i += N) {
      const floats<N> a = floats<N>::load(x + i), b = floats<N>::load(y + i);
      const floats<N> made = vectored::square_root(a * a + b * b);
      if (i + N <= count) made.store(to + i);
      else made.store(to + i, count - i);
    }
  }
};

// 2 N shorts where there are N floats.
template <int N>
struct filter_vectors {
  typedef std::int16_t shorts __attribute__((vector_size(4 * N)));
  typedef std::uint16_t wrapping __attribute__((vector_size(4 * N)));  // of what lies past the end
  typedef std::uint8_t bytes __attribute__((vector_size(2 * N)));
};

struct short_line {
  const std::uint8_t* from;
  std::int16_t* to;
  std::size_t count;
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    constexpr std::size_t stride = std::size_t{2} * N;
    std::size_t i = 0;
    for (; i + stride <= count; i += stride) {
      typename filter_vectors<N>::bytes x;
      std::memcpy(&x, from + i, sizeof x);
      const auto wide = __builtin_convertvector(x, typename filter_vectors<N>::shorts);
      std::memcpy(to + i, &wide, sizeof wide);
    }
    for (; i < count; ++i) to[i] = from[i];
  }
};

// Sums that fit into shorts: as they are (Shift < 0), or as bytes, divided by 2^Shift, halves to
// the even number. The processor shifts all elements by a constant only at full speed.
template <int Shift>
struct short_sums {
  static constexpr std::size_t bytes = Shift < 0 ? 2 : 1;  // of a result
  const filter_terms<std::int16_t>* terms;
  std::byte* to;
  std::size_t count;

  template <int N, int K>
  BEAMLET_IN_LOOPS void sum(std::size_t i, std::byte* into) const {
    using shorts = typename filter_vectors<N>::shorts;
    using wrapping = typename filter_vectors<N>::wrapping;
    wrapping made[K];
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) made[k] = wrapping{};
    for (std::size_t t = 0; t < terms->count; ++t) {
      const wrapping a = (wrapping)(terms->by[t] - shorts{});
      const std::int16_t* x = terms->from[t] + i;
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k) {
        wrapping v;
        std::memcpy(&v, x + std::ptrdiff_t{k} * 2 * N, sizeof v);
        made[k] += a * v;
      }
    }
    if constexpr (Shift < 0) {
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k)
        std::memcpy(into + std::ptrdiff_t{k} * 4 * N, &made[k], sizeof made[k]);
    } else {
      const shorts below_half = std::int16_t{(1 << Shift) / 2 - (Shift > 0)} - shorts{};
      const shorts odd = std::int16_t{Shift > 0} - shorts{};
      const shorts most = std::int16_t{255} - shorts{};
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k) {
        const shorts even_up = ((shorts)made[k] >> Shift) & odd;
        shorts v = (shorts)(made[k] + (wrapping)below_half + (wrapping)even_up) >> Shift;
        v = v < shorts{} ? shorts{} : v;
        v = v > most ? most : v;
        const auto narrow = __builtin_convertvector(v, typename filter_vectors<N>::bytes);
        std::memcpy(into + std::ptrdiff_t{k} * 2 * N, &narrow, sizeof narrow);
      }
    }
  }
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    constexpr int at_once = 4;
    constexpr std::size_t one = std::size_t{2} * N, many = at_once * one;
    std::size_t i = 0;
    for (; i + many <= count; i += many) sum<N, at_once>(i, to + i * bytes);
    for (; i < count; i += one) {
      std::byte made[one * bytes];
      const bool is_whole = i + one <= count;
      sum<N, 1>(i, is_whole ? to + i * bytes : made);
      if (!is_whole) std::memcpy(to + i * bytes, made, (count - i) * bytes);
    }
  }
};

// Lines of one unit after the other, for the groups of a call.
class filter_unit {
 public:
  filter_unit(const cpu_call& call, std::byte* scratch)
      : call_(call), how_(call.parameters_as<cpu_filter>()), scratch_(scratch) {}

  void run(std::uint64_t unit) {
    const auto tiles = static_cast<std::uint64_t>(how_.tiles);
    const auto strips = static_cast<std::uint64_t>(how_.strips);
    const auto tile = static_cast<std::int64_t>(unit % tiles);
    const auto strip = static_cast<std::int64_t>(unit / tiles % strips);
    const auto image = static_cast<std::int64_t>(unit / tiles / strips);
    first_pixel_ = tile * how_.tile_pixels;
    pixels_ = std::min(how_.tile_pixels, how_.width - first_pixel_);
    image_ =
        call_.buffer<const std::byte>(0) + static_cast<std::ptrdiff_t>(image * how_.image_stride) *
                                               static_cast<std::ptrdiff_t>(bytes_of(how_.from));
    const std::int64_t begin = strip * how_.strip_rows;
    const std::int64_t end = std::min(how_.height, begin + how_.strip_rows);
    const std::int64_t above = how_.rows / 2;
    for (std::int64_t y = begin - above; y < begin + above; ++y) load_line(y);
    for (std::int64_t y = begin; y < end; ++y) {
      load_line(y + above);
      const std::int64_t row = (image * how_.height + y) * how_.width + first_pixel_;
      std::byte* out =
          call_.buffer<std::byte>(1) + static_cast<std::ptrdiff_t>(row * how_.channels) *
                                           static_cast<std::ptrdiff_t>(bytes_of(how_.to));
      if (how_.is_short != 0) sum_shorts(y, out);
      else sum_floats(y, out);
    }
  }

 private:
  std::size_t elements() const { return static_cast<std::size_t>(pixels_ * how_.channels); }
  std::byte* line(std::size_t which) const { return scratch_ + which * how_.line_bytes(); }
  template <class T>
  T* line_of(std::int64_t y) const {
    const std::int64_t since_first = y + how_.rows / 2;
    return reinterpret_cast<T*>(line(static_cast<std::size_t>(since_first % how_.rows)));
  }
  std::byte* between(std::size_t which) const { return line(how_.rows + which); }

  // `count` pixels of a row, from one that there is on, to the line's element `to`.
  void load_pixels(const std::byte* row, std::int64_t pixel, std::int64_t count, std::byte* to) {
    const auto c = static_cast<std::size_t>(how_.channels);
    const auto n = static_cast<std::size_t>(count) * c;
    const std::byte* from = row + static_cast<std::size_t>(pixel) * c * bytes_of(how_.from);
    if (how_.from == number::f32) std::memcpy(to, from, n * sizeof(float));
    else if (how_.is_short != 0)
      run_for_widest(call_.set, short_line{reinterpret_cast<const std::uint8_t*>(from),
                                           reinterpret_cast<std::int16_t*>(to), n});
    else widen_bytes(call_.set, from, reinterpret_cast<float*>(to), n);
  }

  // Rows of a tile, or of a part of a larger image, are not next to each other: no processor sees
  // by itself which part of memory comes next.
  void prefetch_row(std::int64_t y, std::int64_t pixel, std::int64_t count) const {
    constexpr std::size_t cache_line = 64;
    const std::size_t pixel_bytes = static_cast<std::size_t>(how_.channels) * bytes_of(how_.from);
    const std::byte* row = row_at(y) + static_cast<std::size_t>(pixel) * pixel_bytes;
    const std::size_t all = static_cast<std::size_t>(count) * pixel_bytes;
    for (std::size_t at = 0; at < all; at += cache_line) __builtin_prefetch(row + at);
  }

  const std::byte* row_at(std::int64_t y) const {
    return image_ + static_cast<std::ptrdiff_t>(y * how_.row_stride) *
                        static_cast<std::ptrdiff_t>(bytes_of(how_.from));
  }

  void load_line(std::int64_t y) {
    const std::size_t pixel_bytes =
        static_cast<std::size_t>(how_.channels) * (how_.is_short != 0 ? 2 : 4);
    const std::int64_t aside = how_.columns / 2;
    const std::int64_t begin = first_pixel_ - aside, end = first_pixel_ + pixels_ + aside;
    std::byte* const to = line_of<std::byte>(y);
    const std::int64_t from_y = shown_at(y, how_.height, how_.edges);
    if (from_y < 0) {
      std::memset(to, 0, how_.line_bytes());
      return;
    }
    const std::size_t gap_bytes = how_.gap() * (how_.is_short != 0 ? 2 : 4);
    std::memset(to, 0, gap_bytes);
    const std::byte* const row = row_at(from_y);
    const std::int64_t first = std::max<std::int64_t>(begin, 0), last = std::min(end, how_.width);
    const auto place = [&](std::int64_t pixel) {
      return to + gap_bytes + static_cast<std::size_t>(pixel - begin) * pixel_bytes;
    };
    if (y >= 0 && y + 1 < how_.height) prefetch_row(from_y + 1, first, last - first);
    load_pixels(row, first, last - first, place(first));
    const auto load_shown = [&](std::int64_t pixel) {
      const std::int64_t shown = shown_at(pixel, how_.width, how_.edges);
      if (shown < 0) std::memset(place(pixel), 0, pixel_bytes);
      else load_pixels(row, shown, 1, place(pixel));
    };
    for (std::int64_t pixel = begin; pixel < first; ++pixel) load_shown(pixel);
    for (std::int64_t pixel = last; pixel < end; ++pixel) load_shown(pixel);
  }

  // The terms of a whole set of coefficients, `first` of them left out.
  template <class T>
  filter_terms<T> terms_of(std::int64_t y, std::size_t first) const {
    filter_terms<T> made;
    for (std::int64_t r = 0; r < how_.rows; ++r) {
      const T* from = line_of<const T>(y - how_.rows / 2 + r) + how_.gap();
      for (std::int64_t c = 0; c < how_.columns; ++c)
        made.add(from + static_cast<std::ptrdiff_t>(c * how_.channels),
                 how_.coefficients[first + static_cast<std::size_t>(r * how_.columns + c)]);
    }
    return made;
  }

  // A column's coefficients come first, then a row's, which go along the line of column sums.
  template <class T>
  filter_terms<T> column_terms(std::int64_t y) const {
    filter_terms<T> made;
    for (std::size_t r = 0; r < how_.rows; ++r)
      made.add(line_of<const T>(y - how_.rows / 2 + static_cast<std::int64_t>(r)),
               how_.coefficients[r]);
    return made;
  }
  template <class T>
  filter_terms<T> row_terms(const std::byte* column_sums) const {
    filter_terms<T> made;
    const T* const from = reinterpret_cast<const T*>(column_sums) + how_.gap();
    for (std::size_t c = 0; c < how_.columns; ++c)
      made.add(from + c * static_cast<std::size_t>(how_.channels),
               how_.coefficients[how_.rows + c]);
    return made;
  }
  std::size_t column_sums() const {
    return how_.gap() + elements() + static_cast<std::size_t>((how_.columns - 1) * how_.channels);
  }

  void sum_shorts(std::int64_t y, std::byte* out) {
    filter_terms<std::int16_t> terms;
    if (how_.how == cpu_filter::form::separable) {
      const auto column = column_terms<std::int16_t>(y);
      run_for_widest(call_.set, short_sums<-1>{&column, between(1), column_sums()});
      terms = row_terms<std::int16_t>(between(1));
    } else {
      terms = terms_of<std::int16_t>(y, 0);
    }
    if (how_.shift == 0) run_for_widest(call_.set, short_sums<0>{&terms, out, elements()});
    else run_for_widest(call_.set, short_sums<cpu_filter::shift_max>{&terms, out, elements()});
  }

  void sum_floats(std::int64_t y, std::byte* out) {
    const auto floats_at = [](std::byte* at) { return reinterpret_cast<float*>(at); };
    float* const made = floats_at(how_.to == number::f32 ? out : between(0));
    float* const more = floats_at(between(1));
    if (how_.how == cpu_filter::form::plain) {
      const auto terms = terms_of<float>(y, 0);
      run_for_widest(call_.set, float_sums{&terms, made, elements()});
    } else if (how_.how == cpu_filter::form::magnitude) {
      const auto x = terms_of<float>(y, 0),
                 d = terms_of<float>(y, std::size_t{how_.rows} * how_.columns);
      float* const first = floats_at(between(0));
      run_for_widest(call_.set, float_sums{&x, first, elements()});
      run_for_widest(call_.set, float_sums{&d, more, elements()});
      run_for(call_.set, float_lengths{first, more, made, elements()});
    } else {
      const auto column = column_terms<float>(y), row = row_terms<float>(between(1));
      run_for_widest(call_.set, float_sums{&column, more, column_sums()});
      run_for_widest(call_.set, float_sums{&row, made, elements()});
    }
    if (how_.to == number::f32) return;
    for (std::size_t i = 0; i < elements(); i += block_elements)
      store_block(call_.set, how_.to, made + i, std::min(block_elements, elements() - i), out + i);
  }

  const cpu_call& call_;
  const cpu_filter& how_;
  std::byte* scratch_;
  const std::byte* image_ = nullptr;
  std::int64_t first_pixel_ = 0, pixels_ = 0;
};

}  // namespace

bool cpu_filter::make_separable() noexcept {
  if (how != form::plain || rows == 1 || columns == 1) return false;
  const std::size_t all = std::size_t{rows} * columns;
  std::size_t most = 0;
  for (std::size_t i = 1; i < all; ++i)
    if (std::abs(coefficients[i]) > std::abs(coefficients[most])) most = i;
  if (coefficients[most] == 0) return false;
  // The largest keeps its size in the first step, so that no sum grows larger than before.
  std::array<float, coefficients_max> two{};
  for (std::size_t r = 0; r < rows; ++r) two[r] = coefficients[r * columns + most % columns];
  for (std::size_t c = 0; c < columns; ++c)
    two[rows + c] = coefficients[most / columns * columns + c] / coefficients[most];
  for (std::size_t i = 0; i < all; ++i) {
    const float product = two[i / columns] * two[rows + i % columns];
    if (std::abs(product - coefficients[i]) >
        std::numeric_limits<float>::epsilon() * std::abs(coefficients[i]))
      return false;
  }
  coefficients = two;
  how = form::separable;
  return true;
}

bool cpu_filter::make_short() noexcept {
  if (from != number::u8 || to != number::u8 || how == form::magnitude) return false;
  const bool is_cut = how == form::separable;
  const std::size_t first = is_cut ? rows : std::size_t{rows} * columns;
  const std::size_t all = is_cut ? first + columns : first;
  constexpr float byte_max = 255, short_max = 32767;
  for (const std::uint32_t whole : {std::uint32_t{0}, shift_max})
    for (int part = 0; part <= (is_cut ? static_cast<int>(shift_max) : 0); ++part) {
      float sums[2] = {0, is_cut ? 0.0f : 1.0f};
      std::array<float, coefficients_max> scaled{};
      bool fits = true;
      for (std::size_t i = 0; i < all; ++i) {
        scaled[i] = std::ldexp(coefficients[i], i < first ? static_cast<int>(whole) - part : part);
        fits = fits && scaled[i] == std::trunc(scaled[i]);
        sums[i < first ? 0 : 1] += std::abs(scaled[i]);
      }
      const float half = static_cast<float>(1u << whole) / 2;
      if (!fits || sums[0] * byte_max > short_max ||
          sums[0] * sums[1] * byte_max + half > short_max)
        continue;
      coefficients = scaled;
      is_short = 1;
      shift = whole;
      return true;
    }
  return false;
}

void cpu_filter::choose_form() noexcept {
  const cpu_filter plain = *this;
  const bool is_cut = make_separable();
  if (make_short() || !is_cut) return;
  const cpu_filter cut = *this;
  *this = plain;
  if (!make_short()) *this = cut;
}

void cpu_filter::divide() noexcept {
  const std::size_t bytes = is_short != 0 ? 2 : 4;
  const auto tile_elements =
      static_cast<std::uint64_t>(std::max(lines_bytes / (rows * bytes), tile_elements_min));
  // A tile shows `columns` - 1 pixels more than it has, which should be the smaller part.
  const auto all = static_cast<std::uint64_t>(width);
  const std::uint64_t pixels = std::max<std::uint64_t>(
      tile_elements / static_cast<std::uint64_t>(channels), std::uint64_t{columns});
  tiles = static_cast<std::int64_t>(divided_up(all, pixels));
  tile_pixels = static_cast<std::int64_t>(divided_up(all, static_cast<std::uint64_t>(tiles)));
  tiles = static_cast<std::int64_t>(divided_up(all, static_cast<std::uint64_t>(tile_pixels)));
  strip_rows = std::max<std::int64_t>(strip_rows_min, 8 * std::int64_t{rows});
  strips = (height + strip_rows - 1) / strip_rows;
  const std::uint64_t shown = static_cast<std::uint64_t>(tile_pixels) + columns - 1;
  line_elements = (gap() + shown * static_cast<std::uint64_t>(channels) + 2 * filter_slack - 1) /
                  filter_slack * filter_slack;
}

void filter_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_filter>();
  const std::uint64_t units = how.units(), groups = how.group_count();
  std::byte* scratch =
      call.buffer<std::byte>(2) + static_cast<std::size_t>(how.scratch_bytes() / groups * first);
  filter_unit worker(call, scratch);
  const std::uint64_t each = units / groups, more = units % groups;
  const auto begin_of = [&](std::uint64_t g) { return each * g + std::min(g, more); };
  for (std::uint64_t unit = begin_of(first); unit < begin_of(last); ++unit) worker.run(unit);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
