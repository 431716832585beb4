// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/thread_team.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <vector>

#include "compute/probe.hpp"

namespace {
using namespace beamlet;
using namespace beamlet::compute;
}  // namespace

TEST_CASE("a team runs each piece once, whoever runs it, round after round") {
  for (std::uint32_t threads : {1u, 2u, 5u}) {
    auto team = thread_team::make(threads);
    REQUIRE(team.has_value());
    for (std::size_t round = 0; round < 300; ++round) {
      std::vector<std::atomic<int>> ran(round % 40);
      (*team)->run(ran.size(), [&](std::size_t i) { ++ran[i]; });
      for (const auto& count : ran) CHECK(count == 1);
    }
  }
}

TEST_CASE("a team that never works ends") {
  auto team = thread_team::make(3);
  CHECK(team.has_value());
}

TEST_CASE("a probe tells what it lists, then what it has measured") {
  std::vector<probe_report> told;
  probe_backend({.backend = "cpu", .cache_folder = {}, .threads = 2, .skip = {}},
                [&](const probe_report& r) { told.push_back(r); });
  REQUIRE(told.size() == 2);
  CHECK(told[0].devices.at(0).fault == not_tested);
  CHECK(!told[0].is_done());
  CHECK(told[1].is_done());
  const device_record& cpu = told[1].devices.at(0);
  CHECK(cpu.fault == "");
  CHECK(cpu.info.id() == "cpu:0");
  CHECK(cpu.profile.launch_ns > 0);
  CHECK(cpu.profile.bytes.back().ns > cpu.profile.bytes.front().ns);
  CHECK(cpu.profile.upload_ns_per_byte == 0);
}

TEST_CASE("a probe skips what brought an earlier one down, and knows no other backends") {
  std::vector<probe_report> told;
  const auto take = [&](const probe_report& r) { told.push_back(r); };
  probe_backend({.backend = "cpu", .cache_folder = {}, .threads = 1, .skip = {0}}, take);
  REQUIRE(told.size() == 1);
  CHECK(told[0].is_done());
  CHECK(told[0].devices.at(0).fault == not_tested);
  probe_backend({.backend = "cuda", .cache_folder = {}, .threads = 1, .skip = {}}, take);
  CHECK(told.back().code == static_cast<std::uint16_t>(errc::not_found));
}
