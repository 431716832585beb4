// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/base/result.hpp>

#include <memory>
#include <string>
#include <utility>

#include "panics.hpp"

using beamlet::errc;
using beamlet::result;

namespace {
struct counted {
  static inline int alive = 0;
  counted() { ++alive; }
  counted(const counted&) { ++alive; }
  counted(counted&&) noexcept { ++alive; }
  counted& operator=(const counted&) = default;
  ~counted() { --alive; }
};

// Not inlined: g++ 12 at -O1 would warn of an error that it believes to be read.
[[gnu::noinline]] result<counted> make_counted() { return result<counted>(std::in_place); }
[[gnu::noinline]] result<counted> take(result<counted>& from) { return std::move(from); }
[[gnu::noinline]] void assign(result<counted>& to, const result<counted>& from) { to = from; }

result<int> half(int value) {
  if (value % 2 != 0) return errc::invalid_argument;
  return value / 2;
}

result<std::string> half_as_text(int value) {
  BEAMLET_TRY(int h, half(value));
  return std::to_string(h);
}

result<void> check_quarter(int value) {
  BEAMLET_TRY(int h, half(value));
  BEAMLET_TRY(int q, half(h));
  static_cast<void>(q);
  return {};
}

result<int> quarter_if_checked(int value) {
  BEAMLET_TRY_VOID(check_quarter(value));
  return value / 4;
}
}  // namespace

TEST_CASE("a result holds a value or an error") {
  result<int> good = half(4);
  REQUIRE(good.has_value());
  CHECK(static_cast<bool>(good));
  CHECK(*good == 2);
  CHECK(good.value() == 2);
  result<int> bad = half(3);
  CHECK_FALSE(bad.has_value());
  CHECK(bad.error() == errc::invalid_argument);
}

TEST_CASE("a result copies, moves and assigns across its two states") {
  result<std::string> a = std::string(100, 'a');
  result<std::string> b = errc::timeout;
  result<std::string> copy = a;
  copy = b;
  CHECK(copy.error() == errc::timeout);
  copy = a;
  CHECK(copy->size() == 100);
  b = std::move(a);
  CHECK(*b == std::string(100, 'a'));
  const auto& same = b;
  b = same;
  CHECK(*b == std::string(100, 'a'));
}

TEST_CASE("a result destroys what it holds once") {
  {
    result<counted> a = make_counted();
    result<counted> b = a;
    result<counted> c = take(b);
    assign(c, errc::closed);
    assign(a, c);
    assign(c, make_counted());
    CHECK(counted::alive == 2);  // b's moved-from value and c's
  }
  CHECK(counted::alive == 0);
}

TEST_CASE("a result carries types that only move") {
  result<std::unique_ptr<int>> p = std::make_unique<int>(7);
  std::unique_ptr<int> out = *std::move(p);
  CHECK(*out == 7);
}

TEST_CASE("value_or, and_then and transform pass the error on") {
  CHECK(half(4).value_or(9) == 2);
  CHECK(half(3).value_or(9) == 9);
  CHECK(*half(8).and_then(half) == 2);
  CHECK(half(6).and_then(half).error() == errc::invalid_argument);
  CHECK(*half(8).transform([](int v) { return v + 0.5; }) == 4.5);
  CHECK(half(7).transform([](int v) { return v; }).error() == errc::invalid_argument);
}

TEST_CASE("a result of nothing says whether it went well") {
  CHECK(check_quarter(8).has_value());
  CHECK(check_quarter(6).error() == errc::invalid_argument);
}

TEST_CASE("BEAMLET_TRY returns the first error") {
  CHECK(*half_as_text(10) == "5");
  CHECK(half_as_text(9).error() == errc::invalid_argument);
  CHECK(*quarter_if_checked(8) == 2);
  CHECK(quarter_if_checked(2).error() == errc::invalid_argument);
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("value() of an error throws what describes it") {
  auto failed = half(3);
  CHECK_THROWS_WITH_AS(static_cast<void>(failed.value()), "invalid argument", beamlet::bad_result);
  CHECK_THROWS_AS(check_quarter(3).value(), beamlet::bad_result);
}
#else
TEST_CASE("value() of an error panics") {
  auto failed = half(3);
  CHECK(panic_test::panics([&] { static_cast<void>(failed.value()); }));
  auto nothing = check_quarter(3);
  CHECK(panic_test::panics([&] { nothing.value(); }));
}
#endif
