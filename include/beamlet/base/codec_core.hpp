// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every codec is built from, and the codecs of scalars. codec.hpp explains; include that.

#include <beamlet/base/codec_io.hpp>
#include <beamlet/base/id.hpp>

#include <algorithm>
#include <concepts>
#include <limits>
#include <string>

#if BEAMLET_HAS_EXCEPTIONS
#include <new>
#endif

namespace beamlet {
inline namespace BEAMLET_ABI {

template <class T>
struct codec;

/// Types whose values can leave the process. For a struct with BEAMLET_FIELDS the fields are
/// checked when the codec is used.
template <class T>
concept encodable = requires(writer& out, reader& in, const T& value, std::string& name) {
  codec<T>::encode(out, value);
  { codec<T>::decode(in) } -> std::same_as<result<T>>;
  codec<T>::name(name);
};

namespace detail {
template <class T>
constexpr void require_codec() noexcept {
  static_assert(encodable<T>,
                "this type cannot be encoded: give it BEAMLET_FIELDS(...) or specialise "
                "beamlet::codec for it");
}

template <class T>
void encode_value(writer& out, const T& value) {
  require_codec<T>();
  codec<T>::encode(out, value);
}

/// Decodes a part of something larger: afterwards `in.ok()` says whether there is a value.
template <class T>
result<T> decode_value(reader& in) {
  require_codec<T>();
  result<T> value = codec<T>::decode(in);
  if (!value.has_value()) in.fail(value.error());
  return value;
}

template <class T>
void append_name(std::string& out) {
  require_codec<T>();
  codec<T>::name(out);
}

template <class... T>
void append_names(std::string& out, std::string_view template_name) {
  out.append(template_name).push_back('<');
  std::size_t index = 0;
  ((out.append(index++ == 0 ? "" : ","), append_name<T>(out)), ...);
  out.push_back('>');
}

/// Calls `f`; what the allocator or a user's constructor throws becomes an error.
template <class F>
auto call_guarded(F&& f) -> decltype(f()) {
#if BEAMLET_HAS_EXCEPTIONS
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return error(errc::no_memory, error_layer::base);
  } catch (...) {
    return error(errc::user_exception, error_layer::base);
  }
#else
  return f();
#endif
}

/// Integers that mean the same everywhere once `wire_image` gave them a size.
template <class T>
concept wire_integer =
    std::integral<T> && std::same_as<T, std::remove_cv_t<T>> && !std::same_as<T, bool> &&
    !std::same_as<T, wchar_t> && sizeof(T) <= 8;

template <class T>
concept wire_float = (std::same_as<T, float> ||
                      std::same_as<T, double>)&&std::numeric_limits<T>::is_iec559;

/// What an integer is sent as.
template <class T>
struct wire_image {
  using type = T;
};
template <>
struct wire_image<long> {
  using type = std::int64_t;
};
template <>
struct wire_image<unsigned long> {
  using type = std::uint64_t;
};
template <class T>
using wire_image_t = typename wire_image<T>::type;

/// An enumeration of which every number is a valid value: its underlying type is fixed.
template <class T>
concept wire_enum = std::is_enum_v<T> && !std::same_as<T, std::byte> && requires {
  T{0};
};

/// Types whose memory is their bytes on the wire, on a little-endian machine.
template <class T>
inline constexpr bool is_flat = wire_float<T> || std::same_as<T, std::byte>;
template <wire_integer T>
inline constexpr bool is_flat<T> = sizeof(wire_image_t<T>) == sizeof(T);

/// "point" for app::point and app::box<int>::point, the same from g++ and clang; "" for a type
/// without a name.
constexpr std::string_view type_name_of(std::string_view pretty_function) noexcept {
  std::string_view rest = pretty_function.substr(pretty_function.find("T = ") + 4);
  constexpr std::size_t unset = std::string_view::npos;
  std::size_t begin = 0, end = unset;
  int depth = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    char c = rest[i];
    if (depth == 0 && (c == ';' || c == ']')) return rest.substr(begin, std::min(end, i) - begin);
    if (c == '<' || c == '(' || c == '{') {
      if (depth++ == 0 && end == unset) end = i;
    } else if (c == '>' || c == ')' || c == '}') {
      --depth;
    } else if (depth == 0 && c == ':') {
      begin = i + 1;
      end = unset;
    }
  }
  return {};
}
template <class T>
constexpr std::string_view type_name() noexcept {
  return type_name_of(__PRETTY_FUNCTION__);
}
}  // namespace detail

/// A value as bytes of its own.
///
/// Thread: any.   Blocks: no.   Cost: one pass; the vector's growth.
/// Errors: too_large past `bytes_max`, too_deep, no_memory and user_exception as `decode_from`,
/// what the type's codec reports.
template <class T>
result<std::vector<std::byte>> encode_to(const T& value, void* context = nullptr,
                                         std::size_t bytes_max = limits::encoded_bytes_max) {
  return detail::call_guarded([&]() -> result<std::vector<std::byte>> {
    std::vector<std::byte> bytes;
    writer out(bytes, context, bytes_max);
    detail::encode_value(out, value);
    if (!out.ok()) return out.failure();
    return bytes;
  });
}

/// The value that `bytes` are, all of them: trailing bytes are malformed.
///
/// Thread: any.   Blocks: no.   Cost: one pass; memory as the bytes there are, not as they claim.
/// Errors: malformed, too_deep, no_memory (where exceptions are on, else the allocator's own way),
/// user_exception from a constructor, what the type's codec reports.
template <class T>
result<T> decode_from(std::span<const std::byte> bytes, void* context = nullptr) {
  return detail::call_guarded([&]() -> result<T> {
    reader in(bytes, context);
    result<T> value = detail::decode_value<T>(in);
    if (in.remaining() != 0) in.fail();
    if (!in.ok()) value = result<T>(in.failure());
    return value;
  });
}

/// The wire name of a type: `i32`, `vector<string>`, `point{x:f64,y:f64}`.
template <class T>
std::string wire_name() {
  std::string name;
  detail::append_name<T>(name);
  return name;
}

template <detail::wire_integer T>
struct codec<T> {
  static void encode(writer& out, const T& value) {
    out.number(static_cast<detail::wire_image_t<T>>(value));
  }
  static result<T> decode(reader& in) {
    auto image = in.number<detail::wire_image_t<T>>();
    if (static_cast<detail::wire_image_t<T>>(static_cast<T>(image)) != image) in.fail();
    return static_cast<T>(image);
  }
  static void name(std::string& out) {
    constexpr bool character = std::same_as<T, char> || std::same_as<T, char8_t> ||
                               std::same_as<T, char16_t> || std::same_as<T, char32_t>;
    if constexpr (character) out += "char";
    else out += std::is_signed_v<T> ? "i" : "u";
    if constexpr (!std::same_as<T, char>)
      out += std::to_string(8 * sizeof(detail::wire_image_t<T>));
  }
};

template <>
struct codec<bool> {
  static void encode(writer& out, const bool& value) { out.number(std::uint8_t{value}); }
  static result<bool> decode(reader& in) {
    auto image = in.number<std::uint8_t>();
    if (image > 1) in.fail();
    return image == 1;
  }
  static void name(std::string& out) { out += "bool"; }
};

template <detail::wire_float T>
struct codec<T> {
  static void encode(writer& out, const T& value) { out.number(value); }
  static result<T> decode(reader& in) { return in.number<T>(); }
  static void name(std::string& out) { out += sizeof(T) == 4 ? "f32" : "f64"; }
};

template <>
struct codec<std::byte> {
  static void encode(writer& out, const std::byte& value) {
    out.number(std::to_integer<std::uint8_t>(value));
  }
  static result<std::byte> decode(reader& in) { return std::byte{in.number<std::uint8_t>()}; }
  static void name(std::string& out) { out += "byte"; }
};

/// Enumerations with a fixed underlying type. Any number of that type is accepted: check it where
/// it matters.
template <detail::wire_enum T>
struct codec<T> {
  using number = std::underlying_type_t<T>;
  static void encode(writer& out, const T& value) {
    detail::encode_value(out, static_cast<number>(value));
  }
  static result<T> decode(reader& in) {
    auto value = detail::decode_value<number>(in);
    return result<T>(std::in_place, static_cast<T>(in.ok() ? *value : number{}));
  }
  static void name(std::string& out) {
    out.append(detail::type_name<T>()).push_back('(');
    detail::append_name<number>(out);
    out.push_back(')');
  }
};

template <>
struct codec<object_id> {
  static void encode(writer& out, const object_id& id) {
    out.number(id.node);
    out.number(id.boot);
    out.number(id.session);
    out.number(id.sequence);
    out.number(id.guard);
  }
  static result<object_id> decode(reader& in) {
    object_id id;
    id.node = in.number<std::uint64_t>();
    id.boot = in.number<std::uint32_t>();
    id.session = in.number<std::uint32_t>();
    id.sequence = in.number<std::uint64_t>();
    id.guard = in.number<std::uint64_t>();
    return id;
  }
  static void name(std::string& out) { out += "object_id"; }
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
