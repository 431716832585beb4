// SPDX-License-Identifier: Apache-2.0
#pragma once

// A world in one thread: virtual time, a disk that fails, and every choice from one seed, so that a
// failure is a number that anyone can run again. Networks that lose join it with their issue.

#include <cstdint>

#include "ports/files.hpp"
#include "ports/port.hpp"
#include "ports/sim/sim_disk.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Thread: one; nothing here is safe for a second.   Blocks: never.   Cost: nanoseconds, and no
/// allocation but for what the disk holds.
class sim_port : public port {
 public:
  explicit sim_port(std::uint64_t seed);
  ~sim_port() override { sim_port::close(); }

  std::uint64_t now_ns() const override { return now_ns_; }
  std::uint64_t boot_ns() const override { return now_ns_; }
  /// Takes a pending wake, else moves the clock to the first file request that is due, or to
  /// `until_ns`. With none of them (no limit either) the world has nothing left to do: stalled().
  void turn(std::uint64_t until_ns) override;
  void wake() override;
  bool external() const override { return false; }
  void drive(void (*callback)(void*), void* user) override;
  void set_deadline(std::uint64_t ns) override;
  void keep_alive(bool) override {}
  void close() override;
  std::uint64_t random_seed() override;
  unsigned choose(unsigned count) override;
  bool simulated() const override { return true; }
  void note(std::uint64_t event) override;

  result<std::unique_ptr<watch>> watch_descriptor(int, void (*)(void*, unsigned), void*) override;
  void start(file_request& request) override;
  void cancel(file_request& request) override;

  /// The disk that this port's files lie on: its faults, and its power.
  sim_disk& disk() { return disk_; }
  /// Loses power and has it again: requests in flight end with errc::io, done or not, whole or
  /// torn; what was not synced is kept, lost or torn by seed. Everything that was open is closed.
  ///
  /// REQUIRES: not inside turn().
  void cut_power();

  /// The last turn had nothing to wait for: on a real port it would have slept for ever.
  bool stalled() const { return stalled_; }
  /// A hash over all turns, choices, seeds and notes so far, in their order: equal for equal runs.
  std::uint64_t trace() const { return trace_; }

 private:
  std::uint64_t next_random();
  void finish_due_requests();
  file_request* first_due();
  void fold(std::uint64_t kind, std::uint64_t value);

  std::uint64_t random_;
  std::uint64_t now_ns_;
  std::uint64_t trace_;
  sim_disk disk_;
  file_request::link in_flight_;
  bool awake_ = false;
  bool stalled_ = false;
  bool closed_ = false;
};

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
