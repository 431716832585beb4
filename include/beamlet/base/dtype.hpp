// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the numbers of an array are, and how many there are in each dimension.

#include <beamlet/base/codec_core.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// As DLPack numbers them.
enum class number_kind : std::uint8_t {
  signed_integer = 0,
  unsigned_integer = 1,
  floating = 2,
  brain_floating = 4,
  boolean = 6
};

/// What one element is.
struct dtype {
  number_kind kind = number_kind::unsigned_integer;
  std::uint8_t bits = 8;

  constexpr std::size_t bytes() const noexcept { return bits / 8u; }
  /// Integers of 8, 16, 32, 64 bits, floats of 16, 32, 64, bfloats of 16 and bools of 8.
  constexpr bool is_valid() const noexcept {
    const bool power = bits == 8 || bits == 16 || bits == 32 || bits == 64;
    switch (kind) {
      case number_kind::signed_integer:
      case number_kind::unsigned_integer: return power;
      case number_kind::floating: return power && bits != 8;
      case number_kind::brain_floating: return bits == 16;
      case number_kind::boolean: return bits == 8;
    }
    return false;
  }
  /// "f32", "u8", "bf16", "bool".
  std::string name() const;
  friend constexpr bool operator==(const dtype&, const dtype&) = default;
};

namespace dtypes {
inline constexpr dtype i8{number_kind::signed_integer, 8};
inline constexpr dtype i16{number_kind::signed_integer, 16};
inline constexpr dtype i32{number_kind::signed_integer, 32};
inline constexpr dtype i64{number_kind::signed_integer, 64};
inline constexpr dtype u8{number_kind::unsigned_integer, 8};
inline constexpr dtype u16{number_kind::unsigned_integer, 16};
inline constexpr dtype u32{number_kind::unsigned_integer, 32};
inline constexpr dtype u64{number_kind::unsigned_integer, 64};
inline constexpr dtype f16{number_kind::floating, 16};
inline constexpr dtype f32{number_kind::floating, 32};
inline constexpr dtype f64{number_kind::floating, 64};
inline constexpr dtype bf16{number_kind::brain_floating, 16};
inline constexpr dtype boolean{number_kind::boolean, 8};
}  // namespace dtypes

namespace detail {
template <class T>
inline constexpr bool is_number = true;
template <>
inline constexpr bool is_number<char> = false;
template <>
inline constexpr bool is_number<char8_t> = false;
template <>
inline constexpr bool is_number<char16_t> = false;
template <>
inline constexpr bool is_number<char32_t> = false;
}  // namespace detail

/// C++ types that elements can be. Not bool: its memory may hold but 0 and 1, and a tensor's may
/// come from anywhere.
template <class T>
concept tensor_element = std::same_as<T, std::byte> || detail::wire_float<T> ||
    (detail::wire_integer<T>&& detail::is_number<T>);

template <tensor_element T>
inline constexpr dtype dtype_of{std::is_floating_point_v<T> ? number_kind::floating
                                : std::is_signed_v<T>       ? number_kind::signed_integer
                                                            : number_kind::unsigned_integer,
                                8 * sizeof(T)};

/// A number per dimension: shapes, strides, orders. More than `count_max` are kept as a count only,
/// and refused by whoever gets them.
class dimensions {
 public:
  static constexpr std::size_t count_max = 8;

  constexpr dimensions() noexcept = default;
  constexpr dimensions(std::initializer_list<std::int64_t> values) noexcept  // NOLINT: converts
      : dimensions(std::span<const std::int64_t>(values.begin(), values.size())) {}
  constexpr explicit dimensions(std::span<const std::int64_t> values) noexcept
      : count_(values.size()) {
    if (is_valid()) std::copy(values.begin(), values.end(), values_.begin());
  }

  constexpr bool is_valid() const noexcept { return count_ <= count_max; }
  constexpr std::size_t size() const noexcept { return count_; }
  /// REQUIRES: is_valid() and i < size(), as all below.
  constexpr std::int64_t& operator[](std::size_t i) noexcept { return values_[i]; }
  constexpr const std::int64_t& operator[](std::size_t i) const noexcept { return values_[i]; }
  constexpr std::int64_t* data() noexcept { return values_.data(); }
  constexpr const std::int64_t* begin() const noexcept { return values_.data(); }
  constexpr const std::int64_t* end() const noexcept { return values_.data() + count_; }
  friend bool operator==(const dimensions&, const dimensions&) = default;

 private:
  std::size_t count_ = 0;
  std::array<std::int64_t, count_max> values_{};
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
