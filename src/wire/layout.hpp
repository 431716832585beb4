// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a struct of messages.hpp is described to the code that writes and reads it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "beamlet/base/codec_core.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {

/// How a member lies in memory and on the wire. Numbers are bool, integers and enumerations.
enum class shape : std::uint8_t {
  number,
  id,
  range,
  text,
  blob,
  texts,
  ids,
  table,
  tables,
  failure
};

struct table_layout;

/// A vector of tables.
struct list_view {
  void* first;
  std::size_t count;
};

struct field {
  const char* name;
  shape kind;
  std::uint8_t bytes;            ///< that it takes in its table
  std::uint32_t max;             ///< of a text its bytes, of a list its entries, of a byte itself
  std::uint32_t each_max;        ///< of a list of texts, the bytes of each
  void* (*member)(void* owner);  ///< null: one of the ways in which `value` holds its body,
  std::uint8_t body;             ///< of which exactly one is there
  const table_layout* of;        ///< of table and tables, as what follows of tables only
  list_view (*view)(void* list);
  void (*resize)(void* list, std::size_t entry_count);
};

/// All that writing and reading need to know of a type. Data and not templates, because 40 types
/// made 150 KB of those.
struct table_layout {
  const char* name;
  std::size_t name_bytes, type_bytes;
  const field* fields;
  std::size_t field_count;
  const char* (*fault)(const void* value);  ///< what is wrong beyond the limits; null: nothing
};

/// More would need more room on the writer's stack.
inline constexpr std::size_t table_fields_max = 24;

// -- what is wrong with a value

template <class T>
constexpr const char* fault_of(const T&) noexcept {
  return nullptr;
}
inline const char* fault_of(const extent& e) noexcept {
  return e.offset + e.size < e.offset ? "a range that wraps around" : nullptr;
}
inline const char* fault_of(const need& n) noexcept {
  if (n.resource.empty()) return "a need without a resource";
  constexpr auto amount_max = beamlet::limits::resource_units_max * amount_per_unit;
  return n.amount < 0 || n.amount > amount_max ? "an absurd amount of a resource" : nullptr;
}
inline const char* fault_of(const argument& a) noexcept {
  if (a.object.is_null()) return a.by_ref ? "an argument by ref without an object" : nullptr;
  return a.inline_value.empty() && a.contained.empty() ? nullptr
                                                       : "an argument that is object and value";
}
inline const char* fault_of(const sealed& s) noexcept {
  const bytes* carried = std::get_if<bytes>(&s.what.body);
  if (carried == nullptr) return "a value that is not inline";
  if (!s.has_value)
    return carried->empty() && s.what.contained.empty() ? nullptr
                                                        : "a value that is said not to be";
  return s.why.code() == errc::ok ? nullptr : "a value and an error";
}
inline const char* fault_of(const trace& t) noexcept {
  if (t.names.size() > t.runs.size()) return "more names than runs";
  for (const run& each : t.runs)
    if (each.function >= t.names.size()) return "a run of a function without a name";
  return nullptr;
}
inline const char* fault_of(const call_options& o) noexcept {
  return o.retries < -1 || o.restarts < -1 ? "less than no retries" : nullptr;
}

// -- how the lists in fields.hpp become data

template <class T>
struct table;

// Members of an aggregate: as many as can be initialised.
struct any_member {
  template <class M>
  operator M() const;
};
template <class T, class... Given>
constexpr std::size_t member_count() {
  if constexpr (requires { T{Given{}..., any_member{}}; })
    return member_count<T, Given..., any_member>();
  else return sizeof...(Given);
}

template <class T>
constexpr table_layout make_layout() {
  constexpr std::size_t bodies = std::is_same_v<T, value> ? 2 : 0;  // beside the first
  static_assert(
      member_count<T>() + bodies == table<T>::fields.size(),
      "a member in messages.hpp has no field: append it to its table in fields.hpp and to "
      "session.fbs");
  static_assert(table<T>::fields.size() <= table_fields_max);
  constexpr auto name = beamlet::detail::type_name<T>();
  return {name.data(),
          name.size(),
          sizeof(T),
          table<T>::fields.data(),
          table<T>::fields.size(),
          [](const void* value) { return fault_of(*static_cast<const T*>(value)); }};
}
template <class T>
inline constexpr table_layout layout_of = make_layout<T>();

template <class M>
concept is_sized = requires(M member) {
  member.resize(0);
};

template <class M>
constexpr field field_of_type() {
  field made{};
  made.bytes = 4;  // of a distance to what lies elsewhere
  if constexpr (std::is_integral_v<M> || std::is_enum_v<M>) {
    made.kind = shape::number;
    made.bytes = sizeof(M);
    made.max = std::is_same_v<M, bool> ? 1 : 255;
  } else if constexpr (std::is_same_v<M, object_id>) {
    made.kind = shape::id;
    made.bytes = 32;
  } else if constexpr (std::is_same_v<M, extent>) {
    made.kind = shape::range;
    made.bytes = 24;
  } else if constexpr (std::is_same_v<M, std::string>) {
    made.kind = shape::text;
  } else if constexpr (std::is_same_v<M, bytes>) {
    made.kind = shape::blob;
  } else if constexpr (std::is_same_v<M, std::vector<std::string>>) {
    made.kind = shape::texts;
  } else if constexpr (std::is_same_v<M, std::vector<object_id>>) {
    made.kind = shape::ids;
  } else if constexpr (std::is_same_v<M, error>) {
    made.kind = shape::failure;
  } else if constexpr (is_sized<M>) {
    using entry = typename M::value_type;
    made.kind = shape::tables;
    made.of = &layout_of<entry>;
    made.view = [](void* list) -> list_view {
      auto& entries = *static_cast<M*>(list);
      return {entries.data(), entries.size()};
    };
    made.resize = [](void* list, std::size_t count) { static_cast<M*>(list)->resize(count); };
  } else {
    made.kind = shape::table;
    made.of = &layout_of<M>;
  }
  return made;
}

// Compiles with a limit where one is needed, and only there.
template <auto Member, class T, class M, class... Limits>
constexpr field make_field(M T::*, const char* name, Limits... limits) {
  static_assert(sizeof...(Limits) ==
                (is_sized<M> || std::is_enum_v<M>)+std::is_same_v<M, std::vector<std::string>>);
  field made = field_of_type<M>();
  made.name = name;
  made.member = [](void* owner) -> void* { return &(static_cast<T*>(owner)->*Member); };
  if constexpr (sizeof...(Limits) > 0) {
    constexpr std::size_t count = sizeof...(Limits);
    const std::array<std::size_t, count> given = {static_cast<std::size_t>(limits)...};
    made.max = static_cast<std::uint32_t>(given[0]);
    made.each_max = static_cast<std::uint32_t>(given[count - 1]);
  }
  return made;
}
template <std::size_t Index>
constexpr field make_body(const char* name, std::size_t max) {
  field made = field_of_type<std::variant_alternative_t<Index, decltype(value::body)>>();
  made.name = name;
  made.max = static_cast<std::uint32_t>(max);
  made.body = Index;
  return made;
}
template <class... Field>
constexpr std::array<field, sizeof...(Field)> make_fields(Field... fields) {
  return {fields...};
}

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
