// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codecs of the standard library's value types that are no containers, and of Beamlet's own.

#include <beamlet/base/codec_containers.hpp>
#include <beamlet/base/codec_core.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {
/// A fixed number of parts, one after the other: tuples and pairs.
template <class Whole, class... Part>
struct parts_codec {
  static void encode(writer& out, const Whole& whole) {
    std::apply([&](const auto&... part) { (encode_value<Part>(out, part), ...); }, whole);
    if constexpr (sizeof...(Part) == 0) out.number(std::uint8_t{0});
  }
  static result<Whole> decode(reader& in) {
    if constexpr (sizeof...(Part) == 0) {
      if (in.number<std::uint8_t>() != 0) in.fail();
    }
    std::tuple<result<Part>...> parts{decode_value<Part>(in)...};  // braces keep the order
    if (!in.ok()) return result<Whole>(in.failure());
    return std::apply(
        [](auto&... part) { return result<Whole>(std::in_place, Whole{*std::move(part)...}); },
        parts);
  }
};
}  // namespace detail

template <encodable... T>
struct codec<std::tuple<T...>> : detail::parts_codec<std::tuple<T...>, T...> {
  static void name(std::string& out) { detail::append_names<T...>(out, "tuple"); }
};

template <encodable A, encodable B>
struct codec<std::pair<A, B>> : detail::parts_codec<std::pair<A, B>, A, B> {
  static void name(std::string& out) { detail::append_names<A, B>(out, "pair"); }
};

template <encodable T, std::size_t Size>
struct codec<std::array<T, Size>> {
  using array = std::array<T, Size>;
  static void encode(writer& out, const array& elements) {
    if constexpr (Size == 0) out.number(std::uint8_t{0});
    else if constexpr (detail::copies_as_memory<T>) out.bytes(std::as_bytes(std::span(elements)));
    else
      for (const T& e : elements) detail::encode_value(out, e);
  }
  static result<array> decode(reader& in) {
    if constexpr (Size == 0) {
      if (in.number<std::uint8_t>() != 0) in.fail();
      return array{};
    } else if constexpr (std::default_initializable<T>) {
      result<array> elements(std::in_place);
      bool all = std::all_of(elements->begin(), elements->end(),
                             [&](T& e) { return detail::decode_field(in, e); });
      if (!all) elements = result<array>(in.failure());
      return elements;
    } else {
      return construct(in, std::make_index_sequence<Size>());
    }
  }
  static void name(std::string& out) {
    out += "array<";
    detail::append_name<T>(out);
    out.append(",").append(std::to_string(Size)).push_back('>');
  }

 private:
  template <std::size_t... Index>
  static result<array> construct(reader& in, std::index_sequence<Index...>) {
    std::array<result<T>, Size> parts{(static_cast<void>(Index), detail::decode_value<T>(in))...};
    if (!in.ok()) return result<array>(in.failure());
    return result<array>(std::in_place, array{*std::move(parts[Index])...});
  }
};

template <encodable T>
struct codec<std::optional<T>> {
  static void encode(writer& out, const std::optional<T>& value) {
    detail::encode_value(out, value.has_value());
    if (value.has_value()) detail::encode_value(out, *value);
  }
  static result<std::optional<T>> decode(reader& in) {
    auto has_value = detail::decode_value<bool>(in);
    if (!in.ok() || !*has_value) return result<std::optional<T>>(std::in_place);
    auto value = detail::decode_value<T>(in);
    if (!in.ok()) return result<std::optional<T>>(in.failure());
    return result<std::optional<T>>(std::in_place, *std::move(value));
  }
  static void name(std::string& out) { detail::append_names<T>(out, "optional"); }
};

template <encodable... T>
struct codec<std::variant<T...>> {
  using variant = std::variant<T...>;
  static_assert(sizeof...(T) <= 255, "the index of an alternative is one byte");

  static void encode(writer& out, const variant& value) {
    if (value.valueless_by_exception())
      return out.fail({errc::invalid_argument, error_layer::base});
    out.number(static_cast<std::uint8_t>(value.index()));
    std::visit([&](const auto& alternative) { detail::encode_value(out, alternative); }, value);
  }
  static result<variant> decode(reader& in) {
    return decode_one(in, in.number<std::uint8_t>(), std::index_sequence_for<T...>());
  }
  static void name(std::string& out) { detail::append_names<T...>(out, "variant"); }

 private:
  template <std::size_t... Index>
  static result<variant> decode_one(reader& in, std::size_t index, std::index_sequence<Index...>) {
    using decoder = result<variant> (*)(reader&);
    constexpr decoder decoders[] = {&decode_alternative<Index>...};
    if (index >= sizeof...(T)) in.fail();
    if (!in.ok()) return result<variant>(in.failure());
    return decoders[index](in);
  }
  template <std::size_t Index>
  static result<variant> decode_alternative(reader& in) {
    auto value = detail::decode_value<std::variant_alternative_t<Index, variant>>(in);
    if (!in.ok()) return result<variant>(in.failure());
    return result<variant>(std::in_place, std::in_place_index<Index>, *std::move(value));
  }
};

template <>
struct codec<std::monostate> {
  static void encode(writer& out, const std::monostate&) { out.number(std::uint8_t{0}); }
  static result<std::monostate> decode(reader& in) {
    if (in.number<std::uint8_t>() != 0) in.fail();
    return std::monostate();
  }
  static void name(std::string& out) { out += "monostate"; }
};

template <encodable Rep, class Period>
struct codec<std::chrono::duration<Rep, Period>> {
  using span = std::chrono::duration<Rep, Period>;
  static void encode(writer& out, const span& value) { detail::encode_value(out, value.count()); }
  static result<span> decode(reader& in) {
    auto count = detail::decode_value<Rep>(in);
    return in.ok() ? span(*count) : span::zero();
  }
  static void name(std::string& out) {
    out += "duration<";
    detail::append_name<Rep>(out);
    out.append(",").append(std::to_string(Period::num));
    out.append("/").append(std::to_string(Period::den)).append(">");
  }
};

/// Code, layer, system number and the texts, each cut at limits::error_text_bytes_max.
template <>
struct codec<error> {
  static void encode(writer& out, const error& e);
  static result<error> decode(reader& in);
  static void name(std::string& out) { out += "error"; }
};

template <class T>
requires(encodable<T> || std::is_void_v<T>) struct codec<result<T>> {
  static void encode(writer& out, const result<T>& value) {
    detail::encode_value(out, value.has_value());
    if (!value.has_value()) detail::encode_value(out, value.error());
    else if constexpr (!std::is_void_v<T>) detail::encode_value(out, *value);
  }
  static result<result<T>> decode(reader& in) {
    auto has_value = detail::decode_value<bool>(in);
    if (!in.ok()) return result<result<T>>(in.failure());
    if (!*has_value) {
      auto e = detail::decode_value<error>(in);
      if (in.ok() && e->code() == errc::ok) in.fail();
      if (!in.ok()) return result<result<T>>(in.failure());
      return result<result<T>>(std::in_place, *std::move(e));
    }
    if constexpr (std::is_void_v<T>) return result<result<T>>(std::in_place);
    else {
      auto value = detail::decode_value<T>(in);
      if (!in.ok()) return result<result<T>>(in.failure());
      return result<result<T>>(std::in_place, std::in_place, *std::move(value));
    }
  }
  static void name(std::string& out) {
    out += "result<";
    if constexpr (std::is_void_v<T>) out += "void";
    else detail::append_name<T>(out);
    out += '>';
  }
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
