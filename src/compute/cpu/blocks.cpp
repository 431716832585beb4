// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/blocks.hpp"

#include <algorithm>
#include <cstring>

#include "compute/cpu/functions.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

std::size_t number_index_of(dtype type) noexcept {
  constexpr dtype types[] = {dtypes::f32, dtypes::f16, dtypes::u8, dtypes::i8, dtypes::i32};
  return static_cast<std::size_t>(std::ranges::find(types, type) - types);
}

namespace {

// Whole vectors of every set, and of what they are made of.
constexpr std::size_t convert_elements = 64;

template <class T, int N>
struct small_integers {
  typedef T type __attribute__((vector_size(sizeof(T) * N)));
};

template <int N, class T>
BEAMLET_IN_LOOPS ints<N> load_integers(const T* from) {
  typename small_integers<T, N>::type x;
  std::memcpy(&x, from, sizeof x);
  return ints<N>(__builtin_convertvector(x, typename ints<N>::raw));
}
/// The lower bits.
template <int N, class T>
BEAMLET_IN_LOOPS void store_integers(const ints<N>& x, T* to) {
  const auto made = __builtin_convertvector(x.v, typename small_integers<T, N>::type);
  std::memcpy(to, &made, sizeof made);
}

// As float_of_half() and half_of_float() of half.hpp.
template <int N>
BEAMLET_IN_LOOPS floats<N> floats_of_halves(const ints<N>& half) {
  const ints<N> special = ((half & 0x7c00) == 0x7c00) & 0x7f800000;
  const floats<N> scaled = floats_of_bits((half & 0x7fff) << 13) * 0x1p112f;
  return floats_of_bits(bits_of(scaled) | special | (half & 0x8000) << 16);
}
template <int N>
BEAMLET_IN_LOOPS ints<N> halves_of_floats(const floats<N>& x) {
  const ints<N> bits = bits_of(x), magnitude = bits & 0x7fffffff;
  const ints<N> normal = magnitude - (112 << 23) + 0xfff + (magnitude >> 13 & 1);
  const ints<N> small = bits_of(floats_of_bits(magnitude) + 0.5f) - 0x3f000000;
  const ints<N> finite = select<std::int32_t, N>(magnitude < 0x38800000, small, normal >> 13);
  const ints<N> large = select<std::int32_t, N>(magnitude > 0x7f800000, 0x7e00, 0x7c00);
  return (bits >> 16 & 0x8000) | select<std::int32_t, N>(magnitude < 0x477ff000, finite, large);
}

// `count` is rounded up to convert_elements.
struct widening {
  number type;
  const std::byte* from;
  float* to;
  std::size_t count;

  template <int N, class T, class Convert>
  BEAMLET_IN_LOOPS void all_of(Convert convert) const {
    const auto* in = reinterpret_cast<const T*>(from);
    for (std::size_t i = 0; i < count; i += N) convert(load_integers<N>(in + i)).store(to + i);
  }
  // By way of 16 bits: g++ takes bytes apart one by one on their way to 32.
  template <int N, class Byte, class Short>
  BEAMLET_IN_LOOPS void of_bytes() const {
    for (std::size_t i = 0; i < count; i += N) {
      typename small_integers<Byte, N>::type bytes;
      std::memcpy(&bytes, from + i, sizeof bytes);
      const auto wide = __builtin_convertvector(bytes, typename small_integers<Short, N>::type);
      as_floats(ints<N>(__builtin_convertvector(wide, typename ints<N>::raw))).store(to + i);
    }
  }
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto as_float = [](const ints<N>& x) __attribute__((always_inline)) {
      return as_floats(x);
    };
    const auto as_half = [](const ints<N>& x) __attribute__((always_inline)) {
      return floats_of_halves(x);
    };
    switch (type) {
      case number::f32: break;  // load_block() has no use for it
      case number::f16: return all_of<N, std::uint16_t>(as_half);
      case number::u8: return of_bytes<N, std::uint8_t, std::uint16_t>();
      case number::i8: return of_bytes<N, std::int8_t, std::int16_t>();
      case number::i32: return all_of<N, std::int32_t>(as_float);
    }
  }
};

// Rounded, and within low and high; 0 of NaN.
template <int N>
BEAMLET_IN_LOOPS ints<N> rounded_within(const floats<N>& x, float low, float high) {
  const floats<N> bounded = vectored::smaller<N>(high, vectored::larger<N>(low, x));
  return as_ints(floats_of_bits(bits_of(vectored::round(bounded)) & is_number(x)));
}

struct narrowing {
  number type;
  const float* from;
  std::byte* to;
  std::size_t count;

  template <int N, class T, class Convert>
  BEAMLET_IN_LOOPS void all_of(Convert convert) const {
    auto* out = reinterpret_cast<T*>(to);
    for (std::size_t i = 0; i < count; i += N)
      store_integers<N>(convert(floats<N>::load(from + i)), out + i);
  }
  template <int N, class Convert>
  BEAMLET_IN_LOOPS void to_bytes(Convert convert) const {
    for (std::size_t i = 0; i < count; i += N) {
      const ints<N> x = convert(floats<N>::load(from + i));
      const auto shorts =
          __builtin_convertvector(x.v, typename small_integers<std::uint16_t, N>::type);
      const auto bytes =
          __builtin_convertvector(shorts, typename small_integers<std::uint8_t, N>::type);
      std::memcpy(to + i, &bytes, sizeof bytes);
    }
  }
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto to_half = [](const floats<N>& x) __attribute__((always_inline)) {
      return halves_of_floats(x);
    };
    const auto to_u8 = [](const floats<N>& x) __attribute__((always_inline)) {
      // The sum's lower bits are the rounded number; 0 of NaN, which is not greater.
      const floats<N> bounded = vectored::smaller<N>(255.0f, vectored::larger<N>(x, 0.0f));
      return bits_of(bounded + 8388608.0f);
    };
    const auto to_i8 = [](const floats<N>& x) __attribute__((always_inline)) {
      return rounded_within(x, -128, 127);
    };
    const auto to_i32 = [](const floats<N>& x) __attribute__((always_inline)) {
      constexpr float end = 2147483648.0f, last = 2147483520.0f;  // the largest float below it
      const ints<N> whole = rounded_within(x, -end, last);
      return select<std::int32_t, N>((x < end) | is_nan(x), whole, 0x7fffffff);
    };
    switch (type) {
      case number::f32: break;  // store_block() has no use for it
      case number::f16: return all_of<N, std::uint16_t>(to_half);
      case number::u8: return to_bytes<N>(to_u8);
      case number::i8: return to_bytes<N>(to_i8);
      case number::i32: return all_of<N, std::int32_t>(to_i32);
    }
  }
};

constexpr std::size_t rounded_to_convert(std::size_t count) {
  return (count + convert_elements - 1) / convert_elements * convert_elements;
}

template <class T>
void gather(const std::byte* first, const strided& where, std::uint64_t from, std::size_t count,
            void* into) noexcept {
  cursor place(where, from);
  const auto* in = reinterpret_cast<const T*>(first);
  T* to = static_cast<T*>(into);
  for (std::size_t done = 0; done < count;) {
    const std::size_t run =
        static_cast<std::size_t>(std::min<std::uint64_t>(count - done, place.run()));
    const T* at = in + place.at();
    const auto stride = static_cast<std::ptrdiff_t>(place.stride());
    if (stride == 1) {
      std::memcpy(to + done, at, run * sizeof(T));
    } else {
      for (std::size_t i = 0; i < run; ++i)
        to[done + i] = at[static_cast<std::ptrdiff_t>(i) * stride];
    }
    done += run;
    place.advance(run);
  }
}

}  // namespace

const float* load_block(isa set, number type, const std::byte* first, const strided& where,
                        std::uint64_t from, std::size_t count, float_block& into) noexcept {
  const std::size_t bytes = bytes_of(type);
  alignas(64) std::byte gathered[block_elements * sizeof(float)];
  const std::byte* in_place = first + static_cast<std::size_t>(from) * bytes;
  const bool is_row = where.is_row();
  if (type == number::f32) {
    if (is_row && count == block_elements) return reinterpret_cast<const float*>(in_place);
    gather<float>(first, where, from, count, into.at);
    return into.at;
  }
  if (!is_row || count % convert_elements != 0) {
    if (bytes == 1) gather<std::uint8_t>(first, where, from, count, gathered);
    else if (bytes == 2) gather<std::uint16_t>(first, where, from, count, gathered);
    else gather<std::uint32_t>(first, where, from, count, gathered);
    const std::size_t padded = rounded_to_convert(count);
    std::memset(gathered + count * bytes, 0, (padded - count) * bytes);
    in_place = gathered;
  }
  run_for_widest(set, widening{type, in_place, into.at, rounded_to_convert(count)});
  return into.at;
}

void store_block(isa set, number type, const float* from, std::size_t count,
                 std::byte* to) noexcept {
  const std::size_t bytes = bytes_of(type);
  if (type == number::f32) {
    std::memcpy(to, from, count * bytes);
    return;
  }
  if (count % convert_elements == 0) return run_for_widest(set, narrowing{type, from, to, count});
  alignas(64) float padded[block_elements] = {};
  alignas(64) std::byte made[block_elements * sizeof(float)];
  std::memcpy(padded, from, count * sizeof(float));
  run_for_widest(set, narrowing{type, padded, made, rounded_to_convert(count)});
  std::memcpy(to, made, count * bytes);
}

void widen_bytes(isa set, const std::byte* from, float* to, std::size_t count) noexcept {
  const std::size_t whole = count / convert_elements * convert_elements;
  run_for_widest(set, widening{number::u8, from, to, whole});
  for (std::size_t i = whole; i < count; ++i) to[i] = std::to_integer<std::uint8_t>(from[i]);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
