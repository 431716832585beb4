// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "ports/threads.hpp"
#include "tests/kill9/box.hpp"
#include "tests/unit/seeds.hpp"

namespace {
using namespace kill9;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// In which phase clients were killed, and while the agent wrote to disk.
struct instants {
  std::array<std::uint64_t, phase_names.size()> in_phase{};
  std::uint64_t spilling = 0, all = 0;

  void add(phase when, bool spills) {
    ++in_phase.at(static_cast<std::size_t>(when));
    spilling += spills;
    ++all;
  }
  void print() const {
    auto line = [this](const char* name, std::uint64_t count) {
      std::printf("  %-8s %7llu  %5.1f %%\n", name, static_cast<unsigned long long>(count),
                  100.0 * static_cast<double>(count) / static_cast<double>(all));
    };
    for (std::size_t i = 0; i < in_phase.size(); ++i) line(phase_names[i], in_phase[i]);
    line("spill", spilling);
    std::fflush(stdout);
  }
  // In a short run the shares are luck.
  void expect_all_kinds() const {
    if (all < 1000) return;
    const std::uint64_t least = all / 20;
    for (phase each : {phase::create, phase::write, phase::seal, phase::get})
      CHECK(in_phase[static_cast<std::size_t>(each)] >= least);
    CHECK(spilling >= least);
  }
};

void pause_up_to(std::uint64_t span_ns, std::mt19937_64& random) {
  std::atomic<std::uint32_t> never{0};
  ports::wait_on(never, 0, random() % span_ns);
}
}  // namespace

TEST_CASE("clients that are killed at any instant leave nothing behind, and nobody notices") {
  constexpr std::uint64_t pause_ns_max = 60'000'000;
  const std::uint64_t kills = number_from("BEAMLET_TEST_KILLS", seeds(200));
  const std::uint64_t seed = number_from("BEAMLET_TEST_SEED", std::random_device()());
  std::printf("%llu kills, BEAMLET_TEST_SEED=%llu\n", static_cast<unsigned long long>(kills),
              static_cast<unsigned long long>(seed));
  { box(seed).expect_nothing_left(); }  // what is opened once for good is open
  const holdings before = holdings::count();
  {
    box b(seed);
    std::mt19937_64 random(seed);
    instants when;
    for (std::size_t i = 0; i < board::seats_count; ++i) b.start(i);
    for (std::uint64_t i = 0; i < kills; ++i) {
      pause_up_to(pause_ns_max, random);
      std::size_t victim = random() % board::seats_count;
      b.expect_running(victim);
      b.client(victim).kill();
      // Asked for after the kill, so that the agent's turns do not choose the instant.
      bool spills = false;
      b.on_agent([&](node::agent& agent) {
        spills = agent.look().store.spilling > 0;
        CHECK(agent.check() == "");
      });
      INFO("it had ended by itself: " << b.seat(victim).complaint.data());
      REQUIRE(b.client(victim).wait().signal == SIGKILL);
      when.add(b.seat(victim).now, spills);
      b.start(victim);
    }
    for (std::size_t i = 0; i < board::seats_count; ++i) b.expect_running(i);
    b.expect_nothing_left();
    when.print();
    std::printf("  the steady reader: %llu reads, and %llu of clients' objects\n",
                static_cast<unsigned long long>(b.reads()),
                static_cast<unsigned long long>(b.reads_of_clients()));
    when.expect_all_kinds();
  }
  CHECK(holdings::count() == before);
}
