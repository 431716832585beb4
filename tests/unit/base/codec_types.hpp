// SPDX-License-Identifier: Apache-2.0
#pragma once

// Types that the codec tests share.

#include <beamlet/base/codec.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace codec_test {

struct point {
  double x = 0, y = 0;
  BEAMLET_FIELDS(x, y);
  friend bool operator==(const point&, const point&) = default;
};

struct labelled {
  std::string label;
  std::vector<point> outline;
  std::optional<std::int16_t> rank;
  std::map<std::string, std::vector<std::byte>> extra;
  BEAMLET_FIELDS(label, outline, rank, extra);
  friend bool operator==(const labelled&, const labelled&) = default;
};

struct tree {
  std::int32_t value = 0;
  std::vector<tree> children;
  BEAMLET_FIELDS(value, children);
  friend bool operator==(const tree&, const tree&) = default;
};

struct nothing {
  BEAMLET_FIELDS();
  friend bool operator==(const nothing&, const nothing&) = default;
};

/// Private fields, no default constructor.
class account {
 public:
  account(std::string owner, std::int64_t balance) : owner_(std::move(owner)), balance_(balance) {}
  friend bool operator==(const account&, const account&) = default;

 private:
  std::string owner_;
  std::int64_t balance_;
  BEAMLET_FIELDS(owner_, balance_);
};

template <class T>
struct box {
  struct inner {
    T value{};
    BEAMLET_FIELDS(value);
    friend bool operator==(const inner&, const inner&) = default;
  };
  inner content;
  BEAMLET_FIELDS(content);
  friend bool operator==(const box&, const box&) = default;
};

enum class colour : std::uint8_t { red = 1, green = 2 };
enum classic { one = 1 };  // no fixed type: not every number is a valid value

/// What a user writes by hand. Even numbers only, to have something to refuse.
struct even {
  std::uint32_t value = 0;
  friend bool operator==(const even&, const even&) = default;
};

struct silent {};  // breaks the rule that a value takes at least one byte

}  // namespace codec_test

template <>
struct beamlet::codec<codec_test::even> {
  static void encode(writer& out, const codec_test::even& e) {
    if (e.value % 2 != 0) out.fail(errc::unsupported);
    out.number(e.value);
  }
  static result<codec_test::even> decode(reader& in) {
    codec_test::even e{in.number<std::uint32_t>()};
    if (e.value % 2 != 0) return errc::unsupported;
    return e;
  }
  static void name(std::string& out) { out += "even"; }
};

template <>
struct beamlet::codec<codec_test::silent> {
  static void encode(writer&, const codec_test::silent&) {}
  static result<codec_test::silent> decode(reader&) { return codec_test::silent(); }
  static void name(std::string& out) { out += "silent"; }
};
