// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/base/ledger.hpp>

#include <limits>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "panics.hpp"

using namespace beamlet;

namespace {
using amounts = std::vector<quantity>;
constexpr std::int64_t unit = amount_per_unit;

ledger with(const amounts& total) {
  ledger l;
  REQUIRE(l.grow(total));
  return l;
}

bool mentions(const error& e, std::string_view text) {
  return e.message().find(text) != std::string_view::npos;
}
}  // namespace

TEST_CASE("a ledger gives out what it has and no more") {
  ledger l = with({{resource::cpu, 2 * unit}});
  CHECK(l.take(amounts{{resource::cpu, unit + unit / 2}}));
  CHECK_FALSE(l.take(amounts{{resource::cpu, unit}}));
  CHECK(l.available(resource::cpu) == unit / 2);
  l.give(amounts{{resource::cpu, unit + unit / 2}});
  CHECK(l.available(resource::cpu) == l.total(resource::cpu));
}

TEST_CASE("ten thousand parts of a unit add up to it exactly") {
  ledger l = with({{resource::gpu, unit}});
  for (int i = 0; i < 10'000; ++i) REQUIRE(l.take(amounts{{resource::gpu, 1}}));
  CHECK_FALSE(l.take(amounts{{resource::gpu, 1}}));
  CHECK(l.available(resource::gpu) == 0);
}

TEST_CASE("a list is taken whole or not at all") {
  ledger l = with({{resource::cpu, 2 * unit}, {resource::gpu, unit}});
  CHECK_FALSE(l.take(amounts{{resource::cpu, unit}, {resource::gpu, 2 * unit}}));
  CHECK(l.available(resource::cpu) == 2 * unit);
  CHECK(l.available(resource::gpu) == unit);
  CHECK(l.take(amounts{{resource::cpu, unit}, {resource::gpu, unit}}));
}

TEST_CASE("a resource named twice in a list counts twice") {
  ledger l = with({{resource::gpu, unit}});
  amounts twice{{resource::gpu, 6000}, {resource::gpu, 6000}};
  CHECK_FALSE(l.take(twice));
  CHECK_FALSE(l.feasible(twice));
  CHECK(l.available(resource::gpu) == unit);
}

TEST_CASE("negative amounts and unknown resources are refused") {
  ledger l = with({{resource::cpu, unit}});
  CHECK_FALSE(l.take(amounts{{resource::cpu, -1}}));
  CHECK_FALSE(l.take(amounts{{~0u, 1}}));
  CHECK_FALSE(l.feasible(amounts{{resource::cpu, -1}}));
  CHECK_FALSE(l.grow(amounts{{resource::cpu, 1}, {resource::cpu, -1}}));
  CHECK_FALSE(l.grow(amounts{{resource::gpu, 1}, {limits::resources_max, 1}}));
  CHECK(l.total(resource::cpu) == unit);
  CHECK(l.total(resource::gpu) == 0);
  CHECK(l.take({}));
}

TEST_CASE("totals cannot pass the limit") {
  ledger l;
  std::int64_t max = limits::resource_units_max * unit;
  CHECK(l.grow(amounts{{resource::memory, max}}));
  CHECK_FALSE(l.grow(amounts{{resource::memory, 1}}));
  CHECK_FALSE(l.grow(amounts{{resource::cpu, INT64_MAX}}));
  CHECK_FALSE(l.feasible(amounts{{resource::memory, max}, {resource::memory, INT64_MAX}}));
  CHECK(l.total(resource::memory) == max);
}

TEST_CASE("what is in use now may still be feasible") {
  ledger l = with({{resource::cpu, unit}});
  CHECK(l.take(amounts{{resource::cpu, unit}}));
  CHECK(l.feasible(amounts{{resource::cpu, unit}}));
  CHECK_FALSE(l.feasible(amounts{{resource::cpu, unit + 1}}));
  CHECK_FALSE(l.feasible(amounts{{resource::gpu, 1}}));
}

TEST_CASE("giving back more than was taken panics") {
  ledger l = with({{resource::cpu, unit}});
  quantity some[] = {{resource::cpu, 1}};
  CHECK(panic_test::panics([&] { l.give(some); }));
}

TEST_CASE("an overdrawn resource refuses everything but nothing until it is given back") {
  ledger l = with({{resource::cpu, unit}});
  quantity one{resource::cpu, unit};
  CHECK(l.take({&one, 1}));
  l.overdraw(one);
  CHECK(l.available(resource::cpu) == -unit);
  CHECK(l.take(amounts{{resource::cpu, 0}}));
  CHECK_FALSE(l.take(amounts{{resource::cpu, 1}}));
  CHECK(l.shrink(one) == 0);
  CHECK(l.feasible({&one, 1}));
  l.give({&one, 1});
  CHECK_FALSE(l.take(amounts{{resource::cpu, 1}}));
  l.give({&one, 1});
  CHECK(l.take({&one, 1}));
  CHECK(panic_test::panics([&] { l.overdraw({resource::cpu, -1}); }));
}

TEST_CASE("a ledger lends to another and recalls what is idle there") {
  ledger node = with({{resource::cpu, 4 * unit}, {resource::gpu, unit}});
  ledger session;
  amounts lent{{resource::cpu, 3 * unit}, {resource::gpu, unit}};
  REQUIRE(node.carve(lent, session));
  CHECK(node.available(resource::cpu) == unit);
  CHECK(node.total(resource::cpu) == 4 * unit);
  CHECK(session.total(resource::cpu) == 3 * unit);
  CHECK(session.take(amounts{{resource::cpu, unit}}));

  CHECK_FALSE(node.recall(lent, session));
  CHECK(node.available(resource::cpu) == 3 * unit);
  CHECK(node.available(resource::gpu) == unit);
  CHECK(session.total(resource::cpu) == unit);

  session.give(amounts{{resource::cpu, unit}});
  CHECK(node.recall(amounts{{resource::cpu, unit}}, session));
  CHECK(node.available(resource::cpu) == 4 * unit);
  CHECK(session.total(resource::cpu) == 0);
}

TEST_CASE("a loan that does not fit changes nothing") {
  ledger node = with({{resource::cpu, unit}});
  ledger session;
  CHECK_FALSE(node.carve(amounts{{resource::cpu, unit}, {resource::gpu, 1}}, session));
  CHECK(node.available(resource::cpu) == unit);
  CHECK(session.total(resource::cpu) == 0);
}

TEST_CASE("no resource is made or lost in any sequence of loans") {
  base::rng random(7);
  ledger node = with({{resource::cpu, 10 * unit}, {resource::gpu, 5 * unit}});
  ledger sessions[3];
  amounts taken[3];
  for (int step = 0; step < 20'000; ++step) {
    std::uint32_t s = random.below(3);
    amounts q{{random.below(2), random.below(3 * unit)}, {random.below(2), random.below(unit)}};
    switch (random.below(4)) {
      case 0: static_cast<void>(node.carve(q, sessions[s])); break;
      case 1: node.recall(q, sessions[s]); break;
      case 2:
        if (sessions[s].take(q)) taken[s].insert(taken[s].end(), q.begin(), q.end());
        break;
      default: sessions[s].give(taken[s]), taken[s].clear();
    }
    for (std::uint32_t id : {resource::cpu, resource::gpu}) {
      std::int64_t sum = node.available(id);
      for (const ledger& l : sessions) sum += l.total(id);
      REQUIRE(sum == node.total(id));
    }
  }
}

TEST_CASE("amounts round to a ten-thousandth") {
  CHECK(*parse_amount(0, "cpu") == 0);
  CHECK(*parse_amount(0.5, "cpu") == 5000);
  CHECK(*parse_amount(0.1 + 0.2, "cpu") == 3000);
  CHECK(*parse_amount(0.00005, "cpu") == 1);
  CHECK(*parse_amount(1.0 / 3, "cpu") == 3333);
  CHECK(*parse_amount(static_cast<double>(limits::resource_units_max), "memory") ==
        limits::resource_units_max * unit);
}

TEST_CASE("an absurd amount is an error that names the resource and the number") {
  using limit = std::numeric_limits<double>;
  for (double units : {-1.0, -1e-300, 1e-5, 3e14, 1e300, limit::infinity(), -limit::infinity(),
                       limit::quiet_NaN()}) {
    auto amount = parse_amount(units, "camera");
    REQUIRE_FALSE(amount.has_value());
    CHECK(amount.error() == errc::invalid_argument);
    CHECK(mentions(amount.error(), "'camera'"));
  }
  CHECK(parse_amount(-1.5, "gpu").error().message() == "resource 'gpu': -1.5 is negative");
  CHECK(parse_amount(limit::quiet_NaN(), "gpu").error().message() ==
        "resource 'gpu': not a number");
}

TEST_CASE("a name keeps the id it was given") {
  resource_names names;
  CHECK(*names.find("cpu") == resource::cpu);
  CHECK(*names.find("gpu") == resource::gpu);
  CHECK(*names.find("memory") == resource::memory);
  std::uint32_t camera = *names.intern("camera");
  CHECK(*names.intern("camera") == camera);
  CHECK(names.name(camera) == "camera");
  CHECK(*names.find("camera") == camera);
  CHECK(names.find("lidar").error() == errc::not_found);
  CHECK(mentions(names.find("lidar").error(), "'lidar'"));
  CHECK(names.name(9999) == "unknown");
}

TEST_CASE("names of resources are short and plain") {
  resource_names names;
  CHECK(names.intern(std::string(limits::resource_name_bytes_max, 'x')).has_value());
  CHECK(names.intern("node:10.0.0.1/left_eye-2").has_value());
  for (std::string name :
       {std::string(), std::string(65, 'x'), std::string("a b"), std::string("a\n"),
        std::string("a\0b", 3), std::string("gr\xc3\xbcn"), std::string("a\"b")})
    CHECK(names.intern(name).error() == errc::invalid_argument);
}

TEST_CASE("there are only so many names of resources") {
  resource_names names;
  while (names.size() < limits::resources_max)
    REQUIRE(names.intern(std::to_string(names.size())).has_value());
  CHECK(names.intern("one_more").error() == errc::exhausted);
  CHECK(names.intern("100").has_value());
}
