// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <list>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "codec_types.hpp"

using namespace beamlet;
using namespace codec_test;

namespace {
template <class T>
std::vector<std::byte> encoded(const T& value) {
  auto bytes = encode_to(value);
  REQUIRE(bytes.has_value());
  return *bytes;
}

template <class T>
T round_trip(const T& value) {
  auto back = decode_from<T>(encoded(value));
  REQUIRE(back.has_value());
  return *std::move(back);
}

template <class T>
void check_round_trips(std::initializer_list<T> values) {
  for (const T& value : values) CHECK(round_trip(value) == value);
}

template <class T>
void check_limits() {
  using limit = std::numeric_limits<T>;
  check_round_trips<T>({T{0}, T{1}, limit::min(), limit::max(), limit::lowest()});
}

std::vector<std::byte> raw(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (int v : values) bytes.push_back(static_cast<std::byte>(v));
  return bytes;
}
}  // namespace

TEST_CASE("integers of every type come back") {
  check_limits<signed char>();
  check_limits<unsigned char>();
  check_limits<char>();
  check_limits<short>();
  check_limits<unsigned short>();
  check_limits<int>();
  check_limits<unsigned>();
  check_limits<long>();
  check_limits<unsigned long>();
  check_limits<long long>();
  check_limits<unsigned long long>();
  check_limits<char8_t>();
  check_limits<char16_t>();
  check_limits<char32_t>();
  check_round_trips<bool>({false, true});
  check_round_trips<std::byte>({std::byte{0}, std::byte{255}});
}

TEST_CASE("floating point comes back bit by bit") {
  check_limits<float>();
  check_limits<double>();
  CHECK(std::isnan(round_trip(std::numeric_limits<double>::quiet_NaN())));
  CHECK(std::signbit(round_trip(-0.0f)));
  CHECK(round_trip(std::numeric_limits<double>::infinity()) ==
        std::numeric_limits<double>::infinity());
  CHECK(round_trip(std::numeric_limits<double>::denorm_min()) ==
        std::numeric_limits<double>::denorm_min());
}

TEST_CASE("the bytes are the same on every machine") {
  CHECK(encoded(std::int32_t{-2}) == raw({0xfe, 0xff, 0xff, 0xff}));
  CHECK(encoded(1L) == raw({1, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(encoded(1.0) == raw({0, 0, 0, 0, 0, 0, 0xf0, 0x3f}));
  CHECK(encoded(std::string("ab")) == raw({2, 0, 0, 0, 0, 0, 0, 0, 'a', 'b'}));
  CHECK(encoded(std::vector<std::uint16_t>{0x0102, 3}) ==
        raw({2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 3, 0}));
  CHECK(encoded(std::vector<long>{5}) == raw({1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(encoded(std::optional<std::uint8_t>(7)) == raw({1, 7}));
  CHECK(encoded(std::variant<int, std::uint8_t>(std::uint8_t{9})) == raw({1, 9}));
  CHECK(encoded(colour::green) == raw({2}));
  CHECK(encoded(nothing{}) == raw({0}));
  CHECK(encoded(std::array<std::uint16_t, 2>{1, 2}) == raw({1, 0, 2, 0}));
}

TEST_CASE("a long beyond the word size of the reader is malformed") {
  auto bytes = encoded(std::int64_t{1} << 40);
  auto back = decode_from<long>(bytes);
  if constexpr (sizeof(long) == 8) CHECK(*back == (std::int64_t{1} << 40));
  else CHECK(back.error() == errc::malformed);
}

TEST_CASE("strings and sequences come back") {
  check_round_trips<std::string>({"", "text", std::string("\0\xff", 2), std::string(100'000, 'x')});
  check_round_trips<std::vector<int>>({{}, {1, 2, 3}, std::vector<int>(10'000, -1)});
  check_round_trips<std::vector<double>>({{}, {0.5, -1.5}});
  check_round_trips<std::vector<bool>>({{}, {true, false, true}});
  check_round_trips<std::vector<std::string>>({{}, {"", "a"}});
  check_round_trips<std::vector<std::vector<std::byte>>>({{}, {{}, {std::byte{1}}}});
  check_round_trips<std::deque<int>>({{}, {1, 2, 3}});
  check_round_trips<std::list<std::string>>({{}, {"a", "b"}});
  check_round_trips<std::vector<colour>>({{}, {colour::red, colour::green}});
}

TEST_CASE("maps and sets come back") {
  check_round_trips<std::map<std::string, int>>({{}, {{"a", 1}, {"b", 2}}});
  check_round_trips<std::unordered_map<int, std::string>>({{}, {{1, "a"}, {2, "b"}}});
  check_round_trips<std::set<int>>({{}, {3, 1, 2}});
  check_round_trips<std::unordered_set<std::string>>({{}, {"x", "y"}});
}

TEST_CASE("fixed parts come back") {
  check_round_trips<std::array<int, 3>>({{1, 2, 3}});
  check_round_trips<std::array<std::string, 2>>({{"a", "b"}});
  check_round_trips<std::array<int, 0>>({{}});
  check_round_trips<std::array<account, 2>>({{account("a", 1), account("b", 2)}});
  check_round_trips<std::pair<int, std::string>>({{1, "one"}});
  check_round_trips<std::tuple<>>({{}});
  check_round_trips<std::tuple<int>>({{5}});
  check_round_trips<std::tuple<int, std::string, std::tuple<bool>>>({{1, "two", {true}}});
  CHECK(round_trip(std::array<float, 4096>{1, 2, 3}) == std::array<float, 4096>{1, 2, 3});
}

TEST_CASE("optionals and variants come back") {
  check_round_trips<std::optional<std::string>>({std::nullopt, "text"});
  check_round_trips<std::optional<std::optional<int>>>({std::nullopt, std::optional<int>(), 1});
  using variant = std::variant<std::monostate, int, std::string, int>;
  check_round_trips<variant>({variant(), variant(std::in_place_index<1>, 1), variant("a"),
                              variant(std::in_place_index<3>, 1)});
}

TEST_CASE("durations and ids come back") {
  using namespace std::chrono_literals;
  check_round_trips<std::chrono::milliseconds>({0ms, -5ms, std::chrono::milliseconds::max()});
  check_round_trips<std::chrono::duration<float>>({std::chrono::duration<float>(1.5f)});
  check_round_trips<object_id>({{}, {1, 2, 3, 4, ~0ull}});
}

TEST_CASE("results and errors come back with their detail") {
  error detailed(errc::user_exception, error_layer::runtime,
                 error_detail{.message = "m", .type = "t", .function = "f", .cause = "c"}, -7);
  error back = round_trip(detailed);
  CHECK(back == detailed);
  CHECK(back.describe() == detailed.describe());
  CHECK(round_trip(error(errc::timeout)).detail() == nullptr);

  CHECK(*round_trip(result<int>(5)) == 5);
  CHECK(round_trip(result<int>(detailed)).error().message() == "m");
  CHECK(round_trip(result<void>()).has_value());
  CHECK(round_trip(result<void>(errc::closed)).error() == errc::closed);
  CHECK(*round_trip(result<errc>(std::in_place, errc::busy)) == errc::busy);
  CHECK(**round_trip(result<result<std::string>>(std::in_place, std::string("x"))) == "x");
}

TEST_CASE("structs come back by their fields") {
  check_round_trips<point>({{}, {.x = 1, .y = -2}});
  check_round_trips<labelled>(
      {{},
       {.label = "a", .outline = {{1, 2}, {3, 4}}, .rank = 5, .extra = {{"k", {std::byte{1}}}}}});
  check_round_trips<tree>(
      {{},
       {.value = 1, .children = {{.value = 2, .children = {}}, {.value = 3, .children = {{}}}}}});
  check_round_trips<account>({account("ann", -5)});
  check_round_trips<box<int>>({{{7}}});
  check_round_trips<std::vector<nothing>>({{}, std::vector<nothing>(5)});
  CHECK(encoded(point{1, 2}) == encoded(std::pair<double, double>(1, 2)));
}

TEST_CASE("a struct keeps being an aggregate with BEAMLET_FIELDS") {
  CHECK(std::is_aggregate_v<point>);
  CHECK(sizeof(point) == 2 * sizeof(double));
}

namespace {
struct wide {
  int a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 10, k = 11, l = 12, m = 13,
      n = 14, o = 15, p = 16;
  int q = 17, r = 18, s = 19, t = 20, u = 21, v = 22, w = 23, x = 24, y = 25, z = 26, aa, bb, cc,
      dd, ee = 31, ff = 32;
  BEAMLET_FIELDS(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa,
                 bb, cc, dd, ee, ff);
};
struct base_point : point {};
struct point_3d : point {
  double z = 0;
  BEAMLET_FIELDS(x, y, z);
};
struct no_codec {};
}  // namespace

TEST_CASE("a struct may list 32 fields") {
  wide w{};
  w.dd = 30;
  wide back = round_trip(w);
  CHECK(back.a == 1);
  CHECK(back.dd == 30);
  CHECK(back.ff == 32);
}

TEST_CASE("a type without a codec is not encodable, nor what is made of it") {
  CHECK(encodable<int>);
  CHECK(encodable<labelled>);
  CHECK(encodable<point_3d>);
  CHECK_FALSE(encodable<base_point>);  // it would be sliced
  CHECK_FALSE(encodable<no_codec>);
  CHECK_FALSE(encodable<std::vector<no_codec>>);
  CHECK_FALSE(encodable<std::optional<no_codec>>);
  CHECK_FALSE(encodable<std::map<int, no_codec>>);
  CHECK_FALSE(encodable<std::tuple<int, no_codec>>);
  CHECK_FALSE(encodable<int*>);
  CHECK_FALSE(encodable<const char*>);
  CHECK_FALSE(encodable<int[3]>);
  CHECK_FALSE(encodable<wchar_t>);
  CHECK_FALSE(encodable<long double>);
  CHECK_FALSE(encodable<classic>);
  CHECK_FALSE(encodable<std::unique_ptr<int>>);
  CHECK_FALSE(encodable<std::multimap<int, int>>);
}

TEST_CASE("a codec of the user's own may refuse in both directions") {
  check_round_trips<even>({{4}});
  CHECK(encode_to(even{3}).error() == errc::unsupported);
  CHECK(encode_to(std::vector<even>{{2}, {3}, {4}}).error() == errc::unsupported);
  CHECK(decode_from<even>(encoded(std::uint32_t{3})).error() == errc::unsupported);
  CHECK(decode_from<std::tuple<even, int>>(encoded(std::tuple(3u, 1))).error() ==
        errc::unsupported);
}

TEST_CASE("elements that write nothing cannot be counted") {
  CHECK(encode_to(std::vector<silent>(3)).error() == errc::invalid_argument);
  CHECK(encode_to(std::vector<silent>()).has_value());
}

TEST_CASE("writer and reader carry the context of a higher layer") {
  int context = 0;
  std::vector<std::byte> bytes;
  writer out(bytes, &context);
  reader in(bytes, &context);
  CHECK(out.context() == &context);
  CHECK(in.context() == &context);
}

TEST_CASE("a writer appends to what is there and stops at its limit") {
  std::vector<std::byte> bytes(3);
  writer out(bytes, nullptr, 8);
  out.number(std::uint32_t{1});
  CHECK(bytes.size() == 7);
  CHECK(out.size() == 4);
  out.number(std::uint64_t{1});
  CHECK(out.failure() == errc::too_large);
  out.number(std::uint8_t{1});
  CHECK(bytes.size() == 7);
  CHECK(encode_to(std::string(100, 'x'), nullptr, 108).has_value());
  CHECK(encode_to(std::string(100, 'x'), nullptr, 107).error() == errc::too_large);
}
