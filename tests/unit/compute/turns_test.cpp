// SPDX-License-Identifier: Apache-2.0
// The processor's sine and cosine, of every size of number and with every instruction set.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "compute/cpu/cpu_device.hpp"
#include "compute/executor.hpp"
#include "compute/op_functions.hpp"

namespace {
using namespace beamlet;
using namespace beamlet::compute;

constexpr base::time_ns turn_timeout_ns = 60'000'000'000;

std::vector<float> on_processor(isa set, ops::function what, const std::vector<float>& x) {
  auto device = make_cpu_device(set, {});
  REQUIRE(device->open().has_value());
  auto runs = executor::make(*device);
  REQUIRE(runs.has_value());
  const auto row = operand::dense(dtypes::f32, {static_cast<std::int64_t>(x.size())});
  std::unique_ptr<device_buffer> held[2];
  for (auto& one : held)
    one = device->allocate(x.size() * sizeof(float), memory_place::device).value();
  std::copy(x.begin(), x.end(),
            reinterpret_cast<float*>(held[0]->map(memory_access::write, turn_timeout_ns).value()));
  const operand rows[] = {row};
  const auto planned = plan_for(ops::elementwise{{{what}}}, device->info(), rows, rows);
  REQUIRE(planned.has_value());
  device_buffer* const memory[] = {held[0].get(), held[1].get()};
  REQUIRE((*runs)->record(*planned, memory).has_value());
  REQUIRE((*runs)->wait((*runs)->submit().value(), turn_timeout_ns).has_value());
  const auto* out =
      reinterpret_cast<float*>(held[1]->map(memory_access::read, turn_timeout_ns).value());
  return {out, out + x.size()};
}

// In units in the last place of what is right.
double units_off(float got, double right) {
  const double least = std::numeric_limits<float>::denorm_min();
  const double unit = std::max(std::ldexp(1.0, std::ilogb(static_cast<float>(right)) - 23), least);
  return std::abs(got - right) / unit;
}

void check_turns(const std::vector<float>& x, double units_max) {
  for (const isa set : isas) {
    if (!supports(set)) continue;
    CAPTURE(name_of(set));
    const std::vector<float> sine = on_processor(set, ops::function::sin, x);
    const std::vector<float> cosine = on_processor(set, ops::function::cos, x);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double right[] = {std::sin(double{x[i]}), std::cos(double{x[i]})};
      if (right[0] != 0) wrong += !(units_off(sine[i], right[0]) <= units_max);
      wrong += !(units_off(cosine[i], right[1]) <= units_max);
    }
    CHECK(wrong == 0);
  }
}
}  // namespace

TEST_CASE("sines and cosines of all sizes of numbers are within three units in the last place") {
  std::vector<float> x;
  for (std::uint32_t bits = 0; bits < 0x7f800000; bits += 100'003)
    for (const float sign : {1.0f, -1.0f}) x.push_back(sign * std::bit_cast<float>(bits));
  check_turns(x, 3);
}

TEST_CASE("sines and cosines next to quarters of a turn keep their digits") {
  std::vector<float> x;
  for (int quarter = 1; quarter < 8400; quarter += quarter < 100 ? 1 : 7) {
    float below = static_cast<float>(quarter * 1.5707963267948966), above = below;
    for (int i = 0; i < 4; ++i) {
      x.push_back(below);
      x.push_back(-above);
      below = std::nextafter(below, 0.0f);
      above = std::nextafter(above, 1e9f);
    }
  }
  check_turns(x, 3);
}

TEST_CASE("sines and cosines of zeros, infinities and NaN are as C has them") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
  for (const isa set : isas) {
    if (!supports(set)) continue;
    CAPTURE(name_of(set));
    // One that is too large for the vectors among those that are not, too.
    const std::vector<float> x = {0.0f, -0.0f, infinity, -infinity, not_a_number, 1, 1e9f};
    const std::vector<float> sine = on_processor(set, ops::function::sin, x);
    const std::vector<float> cosine = on_processor(set, ops::function::cos, x);
    CHECK(std::bit_cast<std::uint32_t>(sine[0]) == 0);
    CHECK(std::bit_cast<std::uint32_t>(sine[1]) == 0x80000000);
    CHECK(cosine[0] == 1);
    CHECK(cosine[1] == 1);
    for (std::size_t i = 2; i < 5; ++i) {
      CHECK(std::isnan(sine[i]));
      CHECK(std::isnan(cosine[i]));
    }
    CHECK(units_off(sine[5], std::sin(1.0)) < 3);
    CHECK(units_off(cosine[6], std::cos(1e9)) < 3);
  }
}
