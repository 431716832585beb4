// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/result.hpp>

#include <cstdint>

#include "ports/descriptor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Something that any thread can make ready to read: what a port watches, or a thread waits on
/// beside a socket, so that others can call it there. Two descriptors of this process's limit.
///
/// Lifetime: a fork has the same bell, and must only destroy it.
class doorbell {
 public:
  /// Errors: exhausted (descriptors).
  static result<doorbell> make();

  /// For port::watch_descriptor(): ready to read from ring() until clear().
  int number() const noexcept { return reading_.number(); }
  /// Thread: any; no signal handler.   Blocks: no.   Cost: a system call.
  void ring() noexcept;
  /// Forgets all rings so far. Who does work for a ring clears first and looks then.
  ///
  /// Thread: any.   Blocks: no.   Cost: a system call.
  void clear() noexcept;

 private:
  doorbell(descriptor reading, descriptor writing) noexcept
      : reading_(std::move(reading)), writing_(std::move(writing)) {}

  descriptor reading_, writing_;
};

/// What ended a wait; nothing of it: the time has passed, or there was no reason.
struct waited {
  unsigned events = 0;  ///< of `ready` (port.hpp), as a sum: what the descriptor is ready for
  bool rung = false;
};

/// Waits until `descriptor` is ready for one of `events`, or `bell` was rung; the end of a stream
/// and an error count as in port::watch_descriptor(). May return early without a reason: the caller
/// looks again. The time is rounded up to a millisecond.
///
/// Thread: any, one without a port that watches the same.   Blocks: up to `timeout_ns`.
waited wait_ready(int descriptor, unsigned events, const doorbell& bell, std::uint64_t timeout_ns);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
