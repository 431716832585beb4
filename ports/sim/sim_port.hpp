// SPDX-License-Identifier: Apache-2.0
#pragma once

// A world in one thread: virtual time, and every choice from one seed, so that a failure is a
// number that anyone can run again. Networks that lose and disks that fail join it with their
// issues.

#include <cstdint>

#include "ports/port.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Thread: one; nothing here is safe for a second.   Blocks: never.   Cost: nanoseconds; never
/// allocates.
class sim_port final : public port {
 public:
  explicit sim_port(std::uint64_t seed) noexcept;

  std::uint64_t now_ns() const override { return now_ns_; }
  std::uint64_t boot_ns() const override { return now_ns_; }
  /// Takes a pending wake, else moves the clock to `until_ns`. With neither (no wake, no limit) the
  /// world has nothing left to do: stalled().
  void turn(std::uint64_t until_ns) override;
  void wake() override;
  bool external() const override { return false; }
  void drive(void (*callback)(void*), void* user) override;
  void set_deadline(std::uint64_t ns) override;
  void keep_alive(bool) override {}
  void close() override { closed_ = true; }
  std::uint64_t random_seed() override;
  unsigned choose(unsigned count) override;
  bool simulated() const override { return true; }
  void note(std::uint64_t event) override;

  /// The last turn had nothing to wait for: on a real port it would have slept for ever.
  bool stalled() const { return stalled_; }
  /// A hash over all turns, choices, seeds and notes so far, in their order: equal for equal runs.
  std::uint64_t trace() const { return trace_; }

 private:
  std::uint64_t next_random();
  void fold(std::uint64_t kind, std::uint64_t value);

  std::uint64_t random_;
  std::uint64_t now_ns_;
  std::uint64_t trace_;
  bool awake_ = false;
  bool stalled_ = false;
  bool closed_ = false;
};

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
