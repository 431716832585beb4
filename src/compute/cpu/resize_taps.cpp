// SPDX-License-Identifier: Apache-2.0
// Bytes in another size where weights are few and whole: means of areas, and places between pixels
// that are sixteenths or so of a pixel apart. Each source row is summed up along the row once, into
// shorts; then come sums of such rows. As all of it is exact, the order makes no difference.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <numeric>

#include "compute/cpu/images_avx2.hpp"
#include "compute/cpu/images_vbmi.hpp"
#include "compute/cpu/isa.hpp"
#include "compute/cpu/resize.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr std::int64_t taps_max = 4;

// One dimension: target pixel t is made of `count` source pixels from `first` on, which may lie one
// pixel outside, with weights that sum up to `unit`.
class tap_line {
 public:
  struct taps {
    std::int64_t first, count;
    std::uint16_t weight[taps_max];
  };
  std::int64_t in, out, unit, most = 0;

  tap_line(std::int64_t source, std::int64_t target, bool is_area) : is_area_(is_area) {
    const std::int64_t common = std::gcd(source, target);
    in = source / common;
    out = target / common;
    scale_ = in % 2 == 1 && out % 2 == 1 ? 1 : 2;
    unit = is_area ? in : scale_ * out;
  }
  // REQUIRES: unit < 2^15
  bool find_most() {
    for (std::int64_t t = 0; t < out && most <= taps_max; ++t)
      most = std::max(most, count_of(t, first_of(t)));
    return most <= taps_max;
  }
  std::int64_t first_of(std::int64_t t) const {
    if (is_area_) return t * in / out;
    const std::int64_t numerator = (2 * t + 1) * in - out;
    return numerator < 0 ? -1 : numerator / (2 * out);
  }
  taps at(std::int64_t t) const {
    taps made{first_of(t), 0, {}};
    made.count = count_of(t, made.first);
    for (std::int64_t k = 0; k < made.count; ++k)
      made.weight[k] = static_cast<std::uint16_t>(weight_of(t, made.first, k));
    return made;
  }

 private:
  // (2 t + 1) in - out of 2 out, which may be halved, past the first pixel.
  std::int64_t rest_of(std::int64_t t, std::int64_t first) const {
    return ((2 * t + 1) * in - out - first * 2 * out) * scale_ / 2;
  }
  std::int64_t count_of(std::int64_t t, std::int64_t first) const {
    if (!is_area_) return rest_of(t, first) == 0 ? 1 : 2;
    return (t * in + in - 1) / out + 1 - first;
  }
  std::int64_t weight_of(std::int64_t t, std::int64_t first, std::int64_t k) const {
    if (!is_area_) return k == 0 ? unit - rest_of(t, first) : rest_of(t, first);
    const std::int64_t s = first + k;
    return std::min(t * in + in, s * out + out) - std::max(t * in, s * out);
  }

  bool is_area_;
  std::int64_t scale_;
};

// In 16 bits where floor((sum + d / 2) / d) is a product's upper half for all sums there are.
image_division division_of(const tap_line& across, const tap_line& down) {
  const auto d = static_cast<std::uint32_t>(across.unit * down.unit);
  image_division made;
  made.divisor = d;
  const std::uint64_t sum_max = std::uint64_t{255} * d + d / 2;
  if (sum_max >= 65536) return made;
  const auto scaled = [d](std::uint32_t shift) {
    return ((std::uint64_t{65536} << shift) + d - 1) / d;
  };
  std::uint32_t shift = 0;
  while (scaled(shift + 1) < 65536) ++shift;
  const std::uint64_t whole = std::uint64_t{65536} << shift;
  if ((scaled(shift) * d - whole) * sum_max >= whole) return made;
  made.factor = static_cast<std::uint32_t>(scaled(shift));
  made.shift = shift;
  // A factor that is a little too large must not lift a sum over the next half: 1 / 2 d.
  const std::uint32_t rounded = (32768 + d - 1) / d, product_max = 255 * d;
  if (product_max < 32768 && (rounded * d - 32768) * product_max < 16384) made.rounded = rounded;
  return made;
}

// -- plain C++

void sum_taps_plain(const image_taps& t, const std::uint8_t* row, std::int64_t begin,
                    std::int64_t first, std::int64_t end, std::uint16_t* to) {
  for (std::int64_t lane = 2 * first; lane < 2 * end; ++lane) {
    const std::uint8_t* from = row + (t.first_of(lane) - begin);
    const image_taps::pair* use = t.pairs + lane % t.lanes / 2 * t.passes;
    const std::int64_t half = lane % 2 * 16;
    for (std::int64_t e = 0; e < t.lane_elements; ++e) {
      int sum = 0;
      for (std::int64_t k = 0; k < t.passes; ++k) {
        const std::int8_t *at = use[k].at + half + 2 * e, *weight = use[k].weight + half + 2 * e;
        const std::uint8_t* x = from + k * 2 * t.channels;
        sum += x[at[0]] * weight[0] + x[at[1]] * weight[1];
      }
      *to++ = static_cast<std::uint16_t>(sum);
    }
  }
}

void sum_rows_plain(const image_sums& s, std::int64_t elements, std::uint8_t* to) {
  // Sums stay below 2^22, so 2^36 / divisor, rounded up, gives what a division would.
  const std::uint64_t factor = ((std::uint64_t{1} << 36) + s.divide.divisor - 1) / s.divide.divisor;
  for (std::int64_t i = 0; i < elements; ++i) {
    std::uint32_t sum = s.divide.divisor / 2;
    for (int k = 0; k < s.count; ++k) sum += std::uint32_t{s.weights[k]} * s.rows[k][i];
    to[i] = static_cast<std::uint8_t>(sum * factor >> 36);
  }
}

// -- both

class tap_rows {
 public:
  tap_rows(const cpu_call& call, const cpu_resize& how, const tap_line& across,
           const tap_line& down)
      : call_(call), how_(how), across_(across), down_(down) {
    row_bytes_ = how.in_width * how.channels;
    make_lanes();
    divide_ = division_of(across, down);
  }

  void run(std::uint64_t first, std::uint64_t end) {
    const std::int64_t elements = how_.out_width * how_.channels, pair = 2 * taps_.lane_elements,
                       pairs = (elements + pair - 1) / pair;
    slots_ = down_.most;
    slot_elements_ = sums_max / slots_ / 32 * 32;
    const std::int64_t block = (slot_elements_ - slack) / pair;
    for (begin_ = 0; begin_ < pairs; begin_ = end_) {
      end_ = std::min(pairs, begin_ + block);
      find_inner();
      std::fill_n(known_, taps_max, std::int64_t{-1});
      for (std::uint64_t r = first; r < end; ++r)
        run_row(r, begin_ * pair, std::min(end_ * pair, elements));
    }
  }

 private:
  static constexpr std::int64_t sums_max = 12288, slack = 32;

  // As many elements a lane as have what they are made of within 16 bytes; so many lanes that the
  // next begin where the first did, and some loop's rounds.
  void make_lanes() {
    const std::int64_t c = how_.channels;
    taps_.channels = c;
    taps_.passes = across_.most > 2 ? 2 : 1;
    std::int64_t elements = 8;
    while (!make_lanes_of(elements)) elements = (elements - 1) / c * c;
  }
  bool make_lanes_of(std::int64_t elements) {
    const std::int64_t all = across_.out * how_.channels;
    taps_.lane_elements = elements;
    taps_.lanes = std::lcm(all, 2 * elements) / elements;
    while (taps_.lanes < 16) taps_.lanes *= 2;
    if (taps_.lanes > std::int64_t{image_taps::lanes_max}) return false;
    taps_.step = taps_.lanes * elements / all * across_.in * how_.channels;
    std::memset(taps_.pairs, -1, sizeof taps_.pairs);
    for (std::int64_t lane = 0; lane < taps_.lanes; ++lane)
      if (!make_lane(lane)) return false;
    return true;
  }
  bool make_lane(std::int64_t lane) {
    const std::int64_t c = how_.channels, begin = lane * taps_.lane_elements,
                       first = across_.first_of(begin / c);
    taps_.first[lane] = static_cast<std::int32_t>(first * c);
    image_taps::pair* made = taps_.pairs + lane / 2 * taps_.passes;
    for (std::int64_t k = 0; k < taps_.passes; ++k)
      std::fill_n(made[k].weight + lane % 2 * 16, 16, std::int8_t{0});
    for (std::int64_t e = 0; e < taps_.lane_elements; ++e) {
      const tap_line::taps taps = across_.at((begin + e) / c);
      const std::int64_t at = (taps.first - first) * c + (begin + e) % c;
      if (at + c > 15) return false;
      for (std::int64_t k = 0; k < 2 * taps_.passes; ++k) {
        const std::int64_t place = lane % 2 * 16 + 2 * e + k % 2;
        made[k / 2].at[place] = static_cast<std::int8_t>(at + k % 2 * c);
        made[k / 2].weight[place] = static_cast<std::int8_t>(taps.weight[k]);
      }
    }
    return true;
  }

  // Of the block's pairs of lanes those that load bytes of the row only.
  void find_inner() {
    const std::int64_t bytes = 16 + (taps_.passes - 1) * 2 * how_.channels;
    inner_end_ = end_;
    while (inner_end_ > begin_ && taps_.first_of(2 * inner_end_ - 1) + bytes > row_bytes_)
      --inner_end_;
    inner_ = begin_;
    while (inner_ < inner_end_ && taps_.first_of(2 * inner_) < 0) ++inner_;
  }

  void run_row(std::uint64_t r, std::int64_t first, std::int64_t end) {
    const auto height = static_cast<std::uint64_t>(how_.out_height);
    const auto image = static_cast<std::int64_t>(r / height);
    const tap_line::taps taps = down_.at(static_cast<std::int64_t>(r % height));
    image_sums s{{}, {}, static_cast<int>(taps.count), divide_};
    for (std::int64_t k = 0; k < taps.count; ++k) {
      const std::int64_t y = std::clamp<std::int64_t>(taps.first + k, 0, how_.in_height - 1);
      if (known_[y % slots_] != image * how_.in_height + y) sum_row(image, y);
      s.rows[k] = slot_of(y);
      s.weights[k] = taps.weight[k];
    }
    std::uint8_t* to = call_.buffer<std::uint8_t>(1) +
                       static_cast<std::int64_t>(r) * how_.out_width * how_.channels + first;
#if BEAMLET_X86_64
    if (call_.set >= isa::avx2) return sum_rows_avx2(s, end - first, to);
#endif
    sum_rows_plain(s, end - first, to);
  }

  std::uint16_t* slot_of(std::int64_t y) { return sums_ + y % slots_ * slot_elements_; }

  void sum_row(std::int64_t image, std::int64_t y) {
    const std::uint8_t* row =
        call_.buffer<const std::uint8_t>(0) + image * how_.image_stride + y * how_.row_stride;
    known_[y % slots_] = image * how_.in_height + y;
    if (inner_ > begin_) sum_edge(row, begin_, inner_, slot_of(y));
    sum(row, 0, inner_, inner_end_, slot_of(y));
    if (inner_end_ < end_) sum_edge(row, inner_end_, end_, slot_of(y));
  }
  // By way of a copy, to which the outermost pixels are added once more.
  void sum_edge(const std::uint8_t* row, std::int64_t first, std::int64_t end, std::uint16_t* to) {
    const std::int64_t c = how_.channels, begin = taps_.first_of(2 * first),
                       from = std::max<std::int64_t>(begin, 0);
    std::uint8_t* at = edge_;
    if (begin < 0) at = std::copy_n(row, c, at);
    at = std::copy_n(row + from, std::min(row_bytes_ - from, edge_bytes), at);
    std::copy_n(row + row_bytes_ - c, c, at);
    sum(edge_, begin, first, end, to);
  }
  void sum(const std::uint8_t* row, std::int64_t begin, std::int64_t first, std::int64_t end,
           std::uint16_t* to) {
    to += (first - begin_) * 2 * taps_.lane_elements;
#if BEAMLET_X86_64
    if (call_.set >= isa::avx2) return sum_taps_avx2(taps_, row, begin, first, end, to);
#endif
    sum_taps_plain(taps_, row, begin, first, end, to);
  }

  const cpu_call& call_;
  const cpu_resize& how_;
  const tap_line &across_, &down_;
  std::int64_t row_bytes_ = 0, slots_ = 0, slot_elements_ = 0;
  std::int64_t begin_ = 0, inner_ = 0, inner_end_ = 0, end_ = 0;  // pairs of lanes of the block
  std::int64_t known_[taps_max];                                  // the row of which a slot is
  image_division divide_;
  image_taps taps_;
  static constexpr std::int64_t edge_bytes = 128;
  std::uint8_t edge_[edge_bytes + 64] = {};
  alignas(64) std::uint16_t sums_[sums_max];  // slots begin with a line of the cache
};

#if BEAMLET_X86_64
// All of a target row's source rows at once, where sums of both dimensions fit a byte's weights.
class tap_windows {
 public:
  tap_windows(const cpu_call& call, const cpu_resize& how, const tap_line& across,
              const tap_line& down)
      : call_(call), how_(how), across_(across), down_(down) {}

  // False: not for this size.
  bool make() {
    const std::int64_t c = how_.channels;
    all_.divide = division_of(across_, down_);
    if (all_.divide.factor == 0 || all_.divide.divisor > 127 || how_.in_width * c < 128)
      return false;
    all_.passes = across_.most > 2 ? 2 : 1;
    half_ = span(32) <= 128 ? 32 : 16;
    if (span(half_) > 128) return false;
    all_.is_wide = span(half_) > 64 || all_.passes == 2;
    last_ = how_.in_width * c - (all_.is_wide ? 128 : 64);
    all_.pair_bytes = 2 * half_;
    for (std::int64_t i = 0; i < 64; ++i)
      all_.order[i] = static_cast<std::uint8_t>(i / half_ % 2 * 64 + i % half_ * 2);
    const std::int64_t pairs = (how_.out_width * c + all_.pair_bytes - 1) / all_.pair_bytes;
    const std::int64_t period = std::lcm(across_.out * c, all_.pair_bytes) / all_.pair_bytes;
    if (pairs > std::int64_t{image_windows::pairs_max}) return false;
    const std::int64_t step = period * all_.pair_bytes / (across_.out * c) * across_.in * c;
    for (std::int64_t v = 0; v < pairs; ++v)
      if (!repeat_pair(v, v - period, step) && !make_pair(v)) return false;
    return true;
  }

  void run(std::uint64_t first, std::uint64_t end) {
    const auto height = static_cast<std::uint64_t>(how_.out_height);
    const std::int64_t bytes = how_.out_width * how_.channels;
    const bool is_larger = down_.in < down_.out;  // else no two rows are made of the same ones
    std::size_t targets = 1;
    for (std::uint64_t r = first; r < end; r += targets) {
      const auto y = static_cast<std::int64_t>(r % height);
      tap_line::taps taps = down_.at(y);
      const auto count = static_cast<std::size_t>(taps.count);
      targets =
          is_larger && r + 1 < end && y + 1 < how_.out_height && add_next(y + 1, taps) ? 2 : 1;
      const std::size_t weight = find_weights(taps.weight, targets * count);
      const std::uint8_t* image = call_.buffer<const std::uint8_t>(0) +
                                  static_cast<std::int64_t>(r / height) * how_.image_stride;
      const std::uint8_t* rows[taps_max];
      for (std::int64_t k = 0; k < taps.count; ++k)
        rows[k] = image +
                  std::clamp<std::int64_t>(taps.first + k, 0, how_.in_height - 1) * how_.row_stride;
      sum_windows_vbmi(all_, rows, count, targets, weight, bytes,
                       call_.buffer<std::uint8_t>(1) + static_cast<std::int64_t>(r) * bytes);
    }
  }

 private:
  // Is that row made of the same two source rows? Then its weights come behind theirs.
  bool add_next(std::int64_t y, tap_line::taps& taps) const {
    const tap_line::taps next = down_.at(y);
    if (taps.count != 2 || next.count != 2 || next.first != taps.first) return false;
    std::copy_n(next.weight, 2, taps.weight + 2);
    return true;
  }
  // Where they are among those that the windows were weighed with.
  std::size_t find_weights(const std::uint16_t* weights, std::size_t count) {
    const std::uint16_t *all = known_, *end = all + known_count_;
    const std::uint16_t* at = std::search(all, end, weights, weights + count);
    if (at != end) return static_cast<std::size_t>(at - all);
    if (known_count_ + count > taps_max) known_count_ = 0;
    const std::size_t first = known_count_;
    std::copy_n(weights, count, known_ + first);
    weigh_windows_vbmi(all_, weights, first, count);
    known_count_ += count;
    return first;
  }
  // Of what so many bytes are made, at most.
  std::int64_t span(std::int64_t bytes) const {
    const std::int64_t apart = (bytes + how_.channels - 2) / how_.channels;
    const std::int64_t pixels = (apart * across_.in + across_.out - 1) / across_.out;
    return (pixels + across_.most) * how_.channels;
  }
  // Where the first pixel of a half begins.
  std::int64_t begin_of(std::int64_t half) const {
    return across_.first_of(half * half_ / how_.channels) * how_.channels;
  }
  // As a pair of the same kind was made, if what both load lies within the row.
  bool repeat_pair(std::int64_t v, std::int64_t same, std::int64_t step) {
    if (same < 0 || (same == 0 && begin_of(0) < 0) || all_.first[same][1] + step > last_ ||
        (v + 1) * all_.pair_bytes > how_.out_width * how_.channels)
      return false;
    for (int h = 0; h < 2; ++h)
      all_.first[v][h] = static_cast<std::int32_t>(all_.first[same][h] + step);
    all_.kind_of[v] = all_.kind_of[same];
    return true;
  }
  bool make_pair(std::int64_t v) {
    if (all_.kinds == image_windows::kinds_max) return false;
    all_.kind_of[v] = static_cast<std::uint8_t>(all_.kinds);
    image_windows::kind& made = all_.all[all_.kinds++];
    for (std::int64_t h = 0; h < 2; ++h) {
      const std::int64_t begin = (2 * v + h) * half_,
                         from = std::clamp<std::int64_t>(begin_of(2 * v + h), 0, last_);
      all_.first[v][h] = static_cast<std::int32_t>(from);
      make_half(begin, from, made.halves[h]);
    }
    return true;
  }
  void make_half(std::int64_t begin, std::int64_t from, image_windows::half& to) {
    const std::int64_t c = how_.channels;
    to = {};
    for (std::int64_t e = 0; e < half_;) {
      const std::int64_t pixel = std::min((begin + e) / c, how_.out_width - 1),
                         channel = (begin + e) % c, end = std::min(half_, e + c - channel);
      const tap_line::taps taps = across_.at(pixel);
      for (std::int64_t k = 0; k < taps.count; ++k) {
        const std::int64_t x = std::clamp<std::int64_t>(taps.first + k, 0, how_.in_width - 1);
        for (std::int64_t i = e; i < end; ++i) {
          to.at[k / 2][2 * i + k % 2] = static_cast<std::uint8_t>(x * c + channel + i - e - from);
          to.weight[k / 2][2 * i + k % 2] = static_cast<std::uint8_t>(taps.weight[k]);
        }
      }
      e = end;
    }
  }

  const cpu_call& call_;
  const cpu_resize& how_;
  const tap_line &across_, &down_;
  std::int64_t half_ = 0, last_ = 0;  // bytes of half a pair; where the last may load
  std::uint16_t known_[taps_max];     // weights of rows
  std::size_t known_count_ = 0;
  image_windows all_;
};
#endif

}  // namespace

bool resize_taps_on_cpu(const cpu_call& call, const cpu_resize& how, std::uint64_t first,
                        std::uint64_t end) {
  const bool is_area = how.how == ops::resize::method::area;
  tap_line across(how.in_width, how.out_width, is_area),
      down(how.in_height, how.out_height, is_area);
  if (how.is_u8 == 0 || how.channels > 4 || across.unit > 127 || across.out > 128 ||
      down.out > 8192 || down.unit > 8192 || across.unit * down.unit > 8192 ||
      across.unit * down.unit < 2)
    return false;
  if (!is_area && (!std::has_single_bit(static_cast<std::uint64_t>(across.unit)) ||
                   !std::has_single_bit(static_cast<std::uint64_t>(down.unit)) || down.unit > 128))
    return false;
  if (!across.find_most() || !down.find_most()) return false;
#if BEAMLET_X86_64
  if (has_byte_shuffles(call.set)) {
    tap_windows windows(call, how, across, down);
    if (windows.make()) {
      windows.run(first, end);
      return true;
    }
  }
#endif
  tap_rows(call, how, across, down).run(first, end);
  return true;
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
