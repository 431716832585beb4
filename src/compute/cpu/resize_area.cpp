// SPDX-License-Identifier: Apache-2.0
// Means of areas. A target pixel covers in / out source pixels; in units of 1 / out of one, and
// without common factors, all weights are whole numbers.
#include <algorithm>
#include <cstddef>
#include <numeric>

#include "compute/cpu/images_avx2.hpp"
#include "compute/cpu/resize.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

/// One dimension: a target pixel covers `in` units, a source pixel `out`.
struct area_units {
  std::int64_t in, out;
  area_units(std::int64_t source, std::int64_t target) {
    const std::int64_t common = std::gcd(source, target);
    in = source / common;
    out = target / common;
  }
  std::int64_t first_of(std::int64_t target) const { return target * in / out; }
  std::int64_t end_of(std::int64_t target) const { return (target * in + in - 1) / out + 1; }
  std::int64_t weight(std::int64_t target, std::int64_t source) const {
    return std::min(target * in + in, source * out + out) - std::max(target * in, source * out);
  }
};

// Sums of rows lie here before they are summed along the row: whole pixels of one row's part.
constexpr std::int64_t area_sums = 2048, area_channels_max = 256;

struct area_adding_f32 {
  const float* from;
  float* to;
  std::int64_t count;
  float weight;
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const floats<N> w = weight;
    std::int64_t i = 0;
    for (; i + N <= count; i += N)
      (floats<N>::load(to + i) + floats<N>::load(from + i) * w).store(to + i);
    for (; i < count; ++i) to[i] += from[i] * weight;
  }
};
void area_add(isa set, const float* from, float* to, std::int64_t count, float weight) {
  run_for(set, area_adding_f32{from, to, count, weight});
}
template <class Sum>
void area_add(isa, const std::uint8_t* from, Sum* to, std::int64_t count, Sum weight) {
  for (std::int64_t i = 0; i < count; ++i) to[i] += weight * static_cast<Sum>(from[i]);
}

struct area_mean {
  double divisor;
  void put(float sum, float* to) const { *to = sum / static_cast<float>(divisor); }
  void put(float sum, std::uint8_t* to) const {
    *to = static_cast<std::uint8_t>(std::min(sum / static_cast<float>(divisor) + 0.5f, 255.0f));
  }
  // Halves up: the quotient of integers, which doubles of fewer than 53 bits give exactly.
  void put(std::uint32_t sum, std::uint8_t* to) const {
    const std::uint32_t half = static_cast<std::uint32_t>(divisor) / 2;
    *to = static_cast<std::uint8_t>((static_cast<double>(sum) + static_cast<double>(half) + 0.5) /
                                    divisor);
  }
};

template <class T, class Sum>
class area_rows {
 public:
  area_rows(isa set, const cpu_resize& how, const T* in, T* out)
      : set_(set),
        how_(how),
        down_(how.in_height, how.out_height),
        across_(how.in_width, how.out_width),
        mean_{static_cast<double>(down_.in) * static_cast<double>(across_.in)},
        in_(in),
        out_(out) {}

  void run(std::uint64_t r) {
    const auto height = static_cast<std::uint64_t>(how_.out_height);
    const auto image = static_cast<std::int64_t>(r / height);
    y_ = static_cast<std::int64_t>(r % height);
    from_ = in_ + image * how_.image_stride;
    to_ = out_ + static_cast<std::int64_t>(r) * how_.out_width * how_.channels;
    for (std::int64_t c = 0; c < how_.channels; c += area_channels_max) {
      const std::int64_t channels = std::min(area_channels_max, how_.channels - c);
      const std::int64_t pixels = area_sums / channels;
      std::fill_n(whole_, channels, Sum{});
      x_ = 0;
      left_ = across_.in;
      for (std::int64_t s = 0; s < how_.in_width; s += pixels) {
        const std::int64_t count = std::min(pixels, how_.in_width - s);
        add_rows(s, count, c, channels);
        add_columns(count, c, channels);
      }
    }
  }

 private:
  void add_rows(std::int64_t first, std::int64_t count, std::int64_t c, std::int64_t channels) {
    std::fill_n(sums_, count * channels, Sum{});
    for (std::int64_t y = down_.first_of(y_); y < down_.end_of(y_); ++y) {
      const T* from = from_ + y * how_.row_stride + first * how_.channels + c;
      const auto weight = static_cast<Sum>(down_.weight(y_, y));
      if (channels == how_.channels) {
        area_add(set_, from, sums_, count * channels, weight);
        continue;
      }
      for (std::int64_t i = 0; i < count; ++i)
        area_add(set_, from + i * how_.channels, sums_ + i * channels, channels, weight);
    }
  }

  // Goes on where the row's last part ended, which may be within a pixel.
  void add_columns(std::int64_t count, std::int64_t c, std::int64_t channels) {
    for (std::int64_t i = 0; i < count; ++i) {
      const Sum* sum = sums_ + i * channels;
      for (std::int64_t have = across_.out; have > 0;) {
        const std::int64_t take = std::min(have, left_);
        for (std::int64_t k = 0; k < channels; ++k) whole_[k] += static_cast<Sum>(take) * sum[k];
        have -= take;
        left_ -= take;
        if (left_ != 0) continue;
        T* to = to_ + x_++ * how_.channels + c;
        for (std::int64_t k = 0; k < channels; ++k) {
          mean_.put(whole_[k], to + k);
          whole_[k] = Sum{};
        }
        left_ = across_.in;
      }
    }
  }

  isa set_;
  const cpu_resize& how_;
  area_units down_, across_;
  area_mean mean_;
  const T *in_, *from_ = nullptr;
  T *out_, *to_ = nullptr;
  std::int64_t y_ = 0, x_ = 0, left_ = 0;
  Sum sums_[area_sums];
  Sum whole_[area_channels_max];
};

#if BEAMLET_X86_64
// Sums of columns that fit 16 bits, and pixels whose places repeat often: the common sizes.
class area_rows_avx2 {
 public:
  area_rows_avx2(const cpu_resize& how, const std::uint8_t* in, std::uint8_t* out)
      : how_(how),
        down_(how.in_height, how.out_height),
        across_(how.in_width, how.out_width),
        in_(in),
        out_(out) {}
  bool can() const {
    return how_.channels <= 4 && down_.in <= 257 && across_.in * how_.channels <= area_sums &&
           down_.in * across_.in <= 8192;
  }

  void run(std::uint64_t r) {
    const auto height = static_cast<std::uint64_t>(how_.out_height);
    const auto y = static_cast<std::int64_t>(r % height);
    const std::uint8_t* from = in_ + static_cast<std::int64_t>(r / height) * how_.image_stride;
    std::uint8_t* to = out_ + static_cast<std::int64_t>(r) * how_.out_width * how_.channels;
    // So many of a row that the next part begins at a source pixel's beginning again.
    const std::int64_t pixels = area_sums / (across_.in * how_.channels) * across_.out;
    for (std::int64_t x = 0; x < how_.out_width; x += pixels) {
      const std::int64_t count = std::min(pixels, how_.out_width - x);
      const std::int64_t first = x / across_.out * across_.in * how_.channels;
      add(y, from + first, count * across_.in / across_.out * how_.channels);
      put(to + x * how_.channels, count);
    }
  }

 private:
  void add(std::int64_t y, const std::uint8_t* from, std::int64_t elements) {
    const std::int64_t end = down_.end_of(y);
    bool is_first = true;
    for (std::int64_t s = down_.first_of(y); s < end; s += 4, is_first = false) {
      const std::uint8_t* rows[4];
      std::uint16_t weights[4];
      const int count = static_cast<int>(std::min<std::int64_t>(4, end - s));
      for (int k = 0; k < count; ++k) {
        rows[k] = from + (s + k) * how_.row_stride;
        weights[k] = static_cast<std::uint16_t>(down_.weight(y, s + k));
      }
      const std::int64_t done = add_rows_avx2(rows, weights, count, is_first, elements, sums_);
      for (std::int64_t i = done; i < elements; ++i) {
        unsigned sum = is_first ? 0 : sums_[i];
        for (int k = 0; k < count; ++k) sum += unsigned{weights[k]} * rows[k][i];
        sums_[i] = static_cast<std::uint16_t>(sum);
      }
    }
  }
  void put(std::uint8_t* to, std::int64_t count) {
    const auto divisor = static_cast<std::uint32_t>(down_.in * across_.in);
    // The last ones by way of the stack: more bytes are written than pixels have.
    constexpr std::int64_t last = 16;
    const std::int64_t early = std::max<std::int64_t>(count - last, 0);
    const image_means means{sums_, how_.channels, across_.in, across_.out, divisor};
    mean_pixels_avx2(means, 0, early, to);
    std::uint8_t end[4 * last + 16];
    mean_pixels_avx2(means, early, count, end);
    std::copy_n(end, (count - early) * how_.channels, to + early * how_.channels);
  }

  const cpu_resize& how_;
  area_units down_, across_;
  const std::uint8_t* in_;
  std::uint8_t* out_;
  std::uint16_t sums_[area_sums + 8] = {};
};
#endif

template <class T, class Sum>
void area_run(const cpu_call& call, const cpu_resize& how, std::uint64_t first, std::uint64_t end) {
  area_rows<T, Sum> all(call.set, how, call.buffer<const T>(0), call.buffer<T>(1));
  for (std::uint64_t r = first; r < end; ++r) all.run(r);
}

}  // namespace

void resize_area_on_cpu(const cpu_call& call, const cpu_resize& how, std::uint64_t first,
                        std::uint64_t end) {
  if (how.is_u8 == 0) return area_run<float, float>(call, how, first, end);
#if BEAMLET_X86_64
  if (call.set >= isa::avx2) {
    area_rows_avx2 all(how, call.buffer<const std::uint8_t>(0), call.buffer<std::uint8_t>(1));
    if (all.can()) {
      for (std::uint64_t r = first; r < end; ++r) all.run(r);
      return;
    }
  }
#endif
  if (how.is_whole != 0) return area_run<std::uint8_t, std::uint32_t>(call, how, first, end);
  area_run<std::uint8_t, float>(call, how, first, end);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
