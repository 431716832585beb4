// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codecs of containers. Maps, sets, deques and lists are recognised by their members, so that this
// header need not include theirs (and containers that look like them work too).

#include <beamlet/base/codec_core.hpp>
#include <beamlet/base/codec_fields.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

template <class T>
inline constexpr bool copies_as_memory = std::endian::native == std::endian::little&& is_flat<T>;

template <class T>
concept set_like = !has_fields<T> && std::same_as<typename T::key_type, typename T::value_type> &&
                   requires(T & set, const T& constant, typename T::key_type key) {
  constant.size();
  { set.insert(std::move(key)).second } -> std::convertible_to<bool>;
};

template <class T>
concept map_like = !has_fields<T> && requires(T & map, const T& constant, typename T::key_type key,
                                              typename T::mapped_type value) {
  constant.size();
  { map.emplace(std::move(key), std::move(value)).second } -> std::convertible_to<bool>;
};

template <class T>
concept sequence_like =
    !has_fields<T> && requires(T & sequence, const T& constant, typename T::value_type value) {
  constant.size();
  constant.begin();
  sequence.pop_front();
  sequence.push_back(std::move(value));
};

/// Writes a count and as many elements; `each` writes one.
template <class Container, class Each>
void encode_elements(writer& out, const Container& elements, Each&& each) {
  nesting level(out);
  out.count(elements.size());
  std::size_t before = out.size();
  for (const auto& element : elements) {
    if (!out.ok()) return;
    each(element);
  }
  // A reader would not believe the count (see codec.hpp).
  if (out.ok() && out.size() - before < elements.size())
    out.fail({errc::invalid_argument, error_layer::base});
}

/// Reads a count and calls `each`, which reads one element and says whether to go on, as often.
template <class Container, class Each>
result<Container> decode_elements(reader& in, Each&& each) {
  nesting level(in);
  result<Container> elements(std::in_place);
  std::size_t count = in.count();
  // No more than the input's own size, whatever an element takes here.
  if constexpr (requires { elements->reserve(count); })
    elements->reserve(std::min(count, in.remaining() / sizeof(typename Container::value_type) + 1));
  for (std::size_t i = 0; i < count && in.ok(); ++i)
    if (!each(*elements)) in.fail();
  if (!in.ok()) elements = result<Container>(in.failure());
  return elements;
}

template <class Container>
bool decode_back(reader& in, Container& elements) {
  auto value = decode_value<typename Container::value_type>(in);
  if (in.ok()) elements.push_back(*std::move(value));
  return in.ok();
}
}  // namespace detail

template <class Allocator>
struct codec<std::basic_string<char, std::char_traits<char>, Allocator>> {
  using string = std::basic_string<char, std::char_traits<char>, Allocator>;
  static void encode(writer& out, const string& text) {
    out.count(text.size());
    out.bytes(base::bytes_of(text));
  }
  static result<string> decode(reader& in) {
    auto text = base::text_of(in.bytes(in.count()));
    return result<string>(std::in_place, text.begin(), text.end());
  }
  static void name(std::string& out) { out += "string"; }
};

template <encodable T, class Allocator>
struct codec<std::vector<T, Allocator>> {
  using vector = std::vector<T, Allocator>;
  static void encode(writer& out, const vector& elements) {
    if constexpr (detail::copies_as_memory<T>) {
      out.count(elements.size());
      out.bytes(std::as_bytes(std::span(elements)));
    } else {
      detail::encode_elements(out, elements, [&](const T& e) { detail::encode_value(out, e); });
    }
  }
  static result<vector> decode(reader& in) {
    if constexpr (detail::copies_as_memory<T>) {
      auto image = in.bytes(in.count(sizeof(T)) * sizeof(T));
      result<vector> elements(std::in_place, image.size() / sizeof(T));
      if (!image.empty()) std::memcpy(elements->data(), image.data(), image.size());
      return elements;
    } else {
      return detail::decode_elements<vector>(
          in, [&](vector& to) { return detail::decode_back(in, to); });
    }
  }
  static void name(std::string& out) { detail::append_names<T>(out, "vector"); }
};

template <detail::sequence_like T>
requires encodable<typename T::value_type>
struct codec<T> {
  static void encode(writer& out, const T& elements) {
    detail::encode_elements(out, elements, [&](const auto& e) { detail::encode_value(out, e); });
  }
  static result<T> decode(reader& in) {
    return detail::decode_elements<T>(in, [&](T& to) { return detail::decode_back(in, to); });
  }
  /// std::deque and std::list share a name and a format.
  static void name(std::string& out) {
    detail::append_names<typename T::value_type>(out, "sequence");
  }
};

/// Duplicate keys are malformed.
template <detail::set_like T>
requires encodable<typename T::key_type>
struct codec<T> {
  using key = typename T::key_type;
  static void encode(writer& out, const T& keys) {
    detail::encode_elements(out, keys, [&](const key& k) { detail::encode_value(out, k); });
  }
  static result<T> decode(reader& in) {
    return detail::decode_elements<T>(in, [&](T& to) {
      auto k = detail::decode_value<key>(in);
      return in.ok() && to.insert(*std::move(k)).second;
    });
  }
  static void name(std::string& out) {
    detail::append_names<key>(
        out, requires { typename T::hasher; } ? "unordered_set" : "set");
  }
};

/// Duplicate keys are malformed.
template <detail::map_like T>
requires encodable<typename T::key_type> && encodable<typename T::mapped_type>
struct codec<T> {
  using key = typename T::key_type;
  using mapped = typename T::mapped_type;
  static void encode(writer& out, const T& entries) {
    detail::encode_elements(out, entries, [&](const auto& entry) {
      detail::encode_value(out, entry.first);
      detail::encode_value(out, entry.second);
    });
  }
  static result<T> decode(reader& in) {
    return detail::decode_elements<T>(in, [&](T& to) {
      auto k = detail::decode_value<key>(in);
      auto m = detail::decode_value<mapped>(in);
      return in.ok() && to.emplace(*std::move(k), *std::move(m)).second;
    });
  }
  static void name(std::string& out) {
    detail::append_names<key, mapped>(
        out, requires { typename T::hasher; } ? "unordered_map" : "map");
  }
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
