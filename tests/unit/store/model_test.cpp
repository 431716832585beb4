// SPDX-License-Identifier: Apache-2.0
// Random commands from a seed, against the model.
#include "tests/unit/store/model.hpp"

#include <doctest/doctest.h>

#include "base/rng.hpp"
#include "tests/unit/seeds.hpp"

namespace model_test {

std::string run_model(std::uint64_t seed, unsigned faults, const store_test::st::options& options,
                      std::uint64_t* trace = nullptr, std::size_t* whole_objects = nullptr) {
  beamlet::base::rng random(seed);
  store_test::model m(
      options, [&](std::uint32_t bound) { return random.below(bound); }, faults);
  for (int i = 0; i < 300 && m.complaint().empty(); ++i) m.step();
  if (m.complaint().empty()) m.finish();
  if (trace != nullptr) *trace = m.trace();
  if (whole_objects != nullptr) *whole_objects += m.whole_objects();
  return m.complaint();
}

TEST_CASE("random commands leave the store as the model says") {
  for (std::uint64_t seed = 1; seed <= seeds(300); ++seed) {
    CAPTURE(seed);
    REQUIRE(run_model(seed, 0, store_test::tiny_options()) == "");
  }
}

TEST_CASE("random commands with refused segments and a failing disk lose only what was damaged") {
  for (std::uint64_t seed = 1; seed <= seeds(300); ++seed) {
    CAPTURE(seed);
    REQUIRE(run_model(seed, 30, store_test::tiny_options()) == "");
  }
}

TEST_CASE("random commands without disk or fallback leave the store as the model says") {
  auto options = store_test::tiny_options();
  options.spill_bytes = options.fallback_bytes = 0;
  for (std::uint64_t seed = 1; seed <= seeds(150); ++seed) {
    CAPTURE(seed);
    REQUIRE(run_model(seed, 10, options) == "");
  }
}

TEST_CASE("random commands in strict mode leave the store as the model says") {
  auto options = store_test::tiny_options();
  options.whole_from_bytes = 32 << 10;
  std::size_t whole_objects = 0;
  for (std::uint64_t seed = 1; seed <= seeds(300); ++seed) {
    CAPTURE(seed);
    REQUIRE(run_model(seed, seed % 2 * 30, options, nullptr, &whole_objects) == "");
  }
  CHECK(whole_objects > seeds(300));
}

TEST_CASE("the same commands give the same actions") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::uint64_t first = 0, second = 0;
    CHECK(run_model(seed, 30, store_test::tiny_options(), &first) == "");
    CHECK(run_model(seed, 30, store_test::tiny_options(), &second) == "");
    CHECK(first == second);
  }
}

}  // namespace model_test
