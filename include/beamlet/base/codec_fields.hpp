// SPDX-License-Identifier: Apache-2.0
#pragma once

// Structs that list their fields. The list is the format: fields in this order, nothing between
// them.

#include <beamlet/base/codec_core.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

/// Makes the struct around it encodable: `BEAMLET_FIELDS(x, y);` after the fields, with all that
/// make up the value, inherited ones included. The struct stays an aggregate; private fields are
/// fine. A struct without a default constructor must be constructible from its fields in that
/// order.
#define BEAMLET_FIELDS(...)                                                            \
  static constexpr const char* beamlet_field_names() noexcept { return #__VA_ARGS__; } \
  auto beamlet_fields() noexcept { return ::std::tie(__VA_ARGS__); }                   \
  friend struct ::beamlet::detail::field_access

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// Reaches what BEAMLET_FIELDS put into a struct, also when it is private there.
struct field_access {
  template <class Fields, class Owner>
  static Owner owner_of(Fields (Owner::*)() noexcept);

  // A struct that only inherits the list would lose its own fields, so it has none.
  template <class T>
  static constexpr bool has_list = requires {
    requires std::same_as<decltype(owner_of(&T::beamlet_fields)), T>;
  };
  template <class T>
  static auto fields(T& value) noexcept {
    return value.beamlet_fields();
  }
  template <class T>
  static constexpr std::string_view names() noexcept {
    return T::beamlet_field_names();
  }
};

template <class T>
concept has_fields = std::is_class_v<T> && field_access::has_list<T>;

/// The first name of a list "a, b, c", which loses it.
constexpr std::string_view next_field_name(std::string_view& list) noexcept {
  std::size_t end = list.find(',');
  std::string_view name = list.substr(0, end);
  list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
  return name;
}

constexpr bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Whether `out` ends inside the braces of a struct called `name`: there a struct that contains
/// itself is named without its fields.
inline bool is_inside_struct(std::string_view out, std::string_view name) noexcept {
  int depth = 0;
  for (std::size_t i = out.size(); i-- > 0;) {
    if (out[i] == '}') ++depth;
    if (out[i] == '{' && depth-- == 0) {
      depth = 0;
      std::string_view before = out.substr(0, i);
      if (!before.ends_with(name)) continue;
      before.remove_suffix(name.size());
      if (before.empty() || !is_name_character(before.back())) return true;
    }
  }
  return false;
}

template <class Field>
bool decode_field(reader& in, Field& field) {
  auto value = decode_value<Field>(in);
  if (in.ok()) field = *std::move(value);
  return in.ok();
}
}  // namespace detail

template <detail::has_fields T>
struct codec<T> {
  /// A tuple of references.
  using fields = decltype(detail::field_access::fields(std::declval<T&>()));

  static void encode(writer& out, const T& value) {
    // The list is not const; nothing is written through it here.
    auto encode_all = [&](const auto&... field) { (detail::encode_value(out, field), ...); };
    std::apply(encode_all, list(const_cast<T&>(value)));
    if constexpr (std::tuple_size_v<fields> == 0) out.number(std::uint8_t{0});
  }

  static result<T> decode(reader& in) {
    if constexpr (std::tuple_size_v<fields> == 0) {
      if (in.number<std::uint8_t>() != 0) in.fail();
    }
    if constexpr (std::default_initializable<T>) {
      result<T> value(std::in_place);
      auto decode_all = [&](auto&... field) { return (detail::decode_field(in, field) && ...); };
      bool all = in.ok() && std::apply(decode_all, list(*value));
      if (!all) value = result<T>(in.failure());
      return value;
    } else {
      return construct(in, static_cast<fields*>(nullptr));
    }
  }

  static void name(std::string& out) {
    constexpr std::string_view type = detail::type_name<T>();
    bool inside = !type.empty() && detail::is_inside_struct(out, type);
    out.append(type);
    if (!inside) append_fields(out, static_cast<fields*>(nullptr));
  }

 private:
  static fields list(T& value) noexcept { return detail::field_access::fields(value); }

  template <class... Field>
  static result<T> construct(reader& in, std::tuple<Field&...>*) {
    // Braces keep the order.
    std::tuple<result<Field>...> parts{detail::decode_value<Field>(in)...};
    if (!in.ok()) return result<T>(in.failure());
    return std::apply([](auto&... part) { return result<T>(T{*std::move(part)...}); }, parts);
  }

  template <class... Field>
  static void append_fields(std::string& out, std::tuple<Field&...>*) {
    [[maybe_unused]] std::string_view names = detail::field_access::names<T>();
    out.push_back('{');
    (append_field<Field>(out, names), ...);
    out.push_back('}');
  }
  template <class Field>
  static void append_field(std::string& out, std::string_view& names) {
    if (out.back() != '{') out.push_back(',');
    out.append(detail::next_field_name(names)).push_back(':');
    detail::append_name<Field>(out);
  }
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
