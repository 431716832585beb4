// SPDX-License-Identifier: Apache-2.0
#include "ports/sim/sim_port.hpp"

#include <beamlet/base/panic.hpp>

#include <initializer_list>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {
// What happened, in the trace: a choice of 1 and a note of 1 must not look alike.
enum sim_event : unsigned { sim_turned, sim_woken, sim_stalled, sim_seeded, sim_chose, sim_noted };
constexpr std::uint64_t sim_start_ns = 1'000'000'000;  // 0 stays a past time
}  // namespace

sim_port::sim_port(std::uint64_t seed) noexcept
    : random_(seed), now_ns_(sim_start_ns), trace_(0xcbf29ce484222325) {}

void sim_port::turn(std::uint64_t until_ns) {
  BEAMLET_ASSERT(!closed_, "turn() after close()");
  stalled_ = !awake_ && until_ns == UINT64_MAX;
  if (!awake_ && !stalled_ && until_ns > now_ns_) now_ns_ = until_ns;
  fold(awake_ ? sim_woken : stalled_ ? sim_stalled : sim_turned, now_ns_);
  awake_ = false;
}

void sim_port::wake() {
  BEAMLET_ASSERT(!closed_, "wake() after close()");
  awake_ = true;
}

void sim_port::drive(void (*)(void*), void*) {
  BEAMLET_ASSERT(false, "drive() needs an external port");
}

void sim_port::set_deadline(std::uint64_t) {
  BEAMLET_ASSERT(false, "set_deadline() needs an external port");
}

std::uint64_t sim_port::random_seed() {
  std::uint64_t seed = next_random();
  fold(sim_seeded, seed);
  return seed;
}

unsigned sim_port::choose(unsigned count) {
  BEAMLET_ASSERT(count != 0, "choose() among nothing");
  if (count == 1) return 0;
  // The high half scaled to [0, count): no division, and the bias is below 2^-32 * count.
  auto chosen = static_cast<unsigned>((next_random() >> 32) * count >> 32);
  fold(sim_chose, chosen);
  return chosen;
}

void sim_port::note(std::uint64_t event) { fold(sim_noted, event); }

std::uint64_t sim_port::next_random() {  // splitmix64
  random_ += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = (random_ ^ (random_ >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

// FNV-1a by words, with a shift so that high bits reach low ones.
void sim_port::fold(std::uint64_t kind, std::uint64_t value) {
  for (std::uint64_t word : {kind, value}) {
    trace_ = (trace_ ^ word) * 0x100000001b3;
    trace_ ^= trace_ >> 29;
  }
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
