// SPDX-License-Identifier: Apache-2.0
#pragma once

// The contract between Beamlet and the world: time, waking, and one poll at a time. `ports/uv`
// keeps it on real systems, `ports/sim` in a seeded world without threads or real time. What a
// program sees must be the same on both: tests/conformance/port_suite.hpp runs on each. Who ports
// Beamlet fills in this file and its neighbours in this folder (see README.md). To come, each with
// its issue: sockets that leave the box, dynamic libraries, cpu features.
//
// A port has one *loop thread*: the one that calls turn(), or the one that runs the caller's own
// loop. Work is never run inside turn(): it collects events, returns, and the driver runs what
// became ready.

#include <beamlet/base/result.hpp>

#include <cstdint>
#include <memory>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

struct file_request;  // files.hpp

/// What a descriptor is ready for; one or both as a sum.
enum ready : unsigned { ready_to_read = 1, ready_to_write = 2 };

/// Interest in one descriptor, as long as it lives. See port::watch_descriptor().
class watch {
 public:
  watch() = default;
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;
  /// The callback never runs again. Allowed in the callback itself.
  ///
  /// REQUIRES: the loop thread; the port is not closed, and the descriptor still open.
  virtual ~watch() = default;
  /// From now on asks for `events` (of `ready`), 0 for none.
  ///
  /// REQUIRES: the loop thread.   Blocks: no.   Cost: at most one system call, in the next turn.
  virtual void want(unsigned events) = 0;
};

class port {
 public:
  port() = default;
  port(const port&) = delete;
  port& operator=(const port&) = delete;
  /// Closes the port if close() was not called.
  ///
  /// REQUIRES: the loop thread, or no thread uses the port any more; as close().
  virtual ~port() = default;

  // -- time

  /// Nanoseconds that never go back, from an arbitrary start above 0. Stands still during suspend.
  ///
  /// Thread: any.   Blocks: no.   Cost: about 20 ns.
  virtual std::uint64_t now_ns() const = 0;

  /// As now_ns(), with the time in suspend counted: for leases and certificates, not for timers.
  /// The start is another one: compare only with itself. Where the system has no such clock,
  /// now_ns().
  ///
  /// Thread: any.   Blocks: no.   Cost: about 20 ns.
  virtual std::uint64_t boot_ns() const = 0;

  // -- polling

  /// Polls once and returns when I/O happened, when wake() was called (since the last turn that
  /// returned for it: an earlier one is not lost), or when `until_ns` has passed, and never before
  /// without one of these but for a rare spurious return. UINT64_MAX: no limit; 0 or a past time:
  /// does not block. The time is rounded up to the port's resolution (uv: 1 ms). Costs nothing
  /// while it waits.
  ///
  /// REQUIRES: the loop thread, !external(), not closed, not inside another turn().
  /// Blocks: yes.   Cost: one to three system calls.
  virtual void turn(std::uint64_t until_ns) = 0;

  /// Makes the current turn() return, or the next one if none is running; an external port runs its
  /// callback once more. Calls before that happens count as one. What the caller wrote before is
  /// visible after the turn returned.
  ///
  /// REQUIRES: close() has not begun.   Thread: any; not a signal handler.
  /// Blocks: no.   Cost: one system call, none when a wake is pending already.
  virtual void wake() = 0;

  // -- descriptors and files

  /// Calls `callback(user, events)` on the loop thread, inside turn() or a callback of the caller's
  /// loop, while the descriptor is ready for what the watch wants; nothing at first. By level:
  /// again in each turn until the cause is gone. The end of a stream, and an error, which the next
  /// read or write tells, count as ready for all that is wanted. The callback must return soon and
  /// not call turn(); it may end watches, this one too. A watch does not keep the caller's loop
  /// running. The descriptor becomes non-blocking.
  ///
  /// REQUIRES: the loop thread; every watch ends before its descriptor is closed and before
  /// close(). Blocks: no.   Cost: an allocation and a few system calls. Errors: unsupported (a
  /// simulation; a descriptor that cannot be polled, as a file's), already_exists (this port
  /// watches it already), no_memory, exhausted.
  virtual result<std::unique_ptr<watch>> watch_descriptor(
      int descriptor, void (*callback)(void* user, unsigned events), void* user) = 0;

  /// Begins what `request` says; files.hpp tells what that may be. `request.done(request)` runs
  /// once, on the loop thread, inside a later turn() or a callback of the caller's loop, which a
  /// request in flight keeps running. It must return soon and not call turn(); it may start
  /// requests, this one too, or free it. How many are in flight the caller bounds.
  ///
  /// REQUIRES: the loop thread, not closed, `request` not in flight.   Blocks: no.
  /// Lifetime: `request`, and the memory that it names, until `done` runs.
  virtual void start(file_request& request) = 0;

  /// A request that has not been begun by the system ends with errc::cancelled, any other as if
  /// nothing had been said; `done` runs in a later turn either way. Nothing for one not in flight.
  ///
  /// REQUIRES: the loop thread.   Blocks: no.
  virtual void cancel(file_request& request) = 0;

  // -- the caller's own loop

  /// True where the polling belongs to the caller: turn() must not be called, drive() and
  /// set_deadline() take its place. False: the reverse.
  virtual bool external() const = 0;

  /// From now on `callback(user)` runs on the loop's thread after each wake() (one that came before
  /// is not lost) and when the deadline passes; now and then for no reason. It runs inside a
  /// callback of that loop: it must return soon, and must not run the loop. It may call any
  /// function of the port, close() included. Null: none.
  ///
  /// REQUIRES: external(), the loop thread, not closed.
  virtual void drive(void (*callback)(void*), void* user) = 0;

  /// The callback is to run when `ns` (of now_ns()) has passed, never before because of it, once;
  /// replaces the deadline before. UINT64_MAX: none. A past time: in the loop's next iteration.
  ///
  /// REQUIRES: external(), the loop thread, not closed.   Blocks: no.   Cost: no system call, a
  /// wake() for a past time.
  virtual void set_deadline(std::uint64_t ns) = 0;

  /// Whether the port keeps the caller's loop running (uv: whether its handle is referenced) when
  /// the caller's own handles are gone. False at first: an idle runtime must not hold up the
  /// program's `uv_run`; the driver says true while work is pending that the loop must finish. A
  /// loop that is not kept alive and runs for other reasons still serves wake() and the deadline;
  /// after a wake() on the loop thread itself it is kept alive until the callback has begun.
  /// No effect where !external().
  ///
  /// REQUIRES: the loop thread, not closed.   Blocks: no.
  virtual void keep_alive(bool keep) = 0;

  /// Ends the port: only time and const functions may be called after it. Again: nothing happens.
  /// File requests in flight are cancelled; `done` runs for all of them before it returns, for an
  /// external port in the next iterations of the caller's loop.
  /// An external port closes the handles that it added to the caller's loop, which stays the
  /// caller's, and the callback never runs again; the loop must run once more before it can be
  /// closed itself (`uv_run` with any mode finishes it), while the port object may be destroyed at
  /// once.
  ///
  /// REQUIRES: the loop thread, not inside turn(), no other thread in wake() or about to call it.
  /// Blocks: no longer than the system takes to close what is open.
  virtual void close() = 0;

  // -- chance and the simulation

  /// A number that nobody can foresee and no other runtime has; in a simulation the next one of its
  /// seed.
  ///
  /// Thread: any, in a simulation its only one.   Blocks: no.
  virtual std::uint64_t random_seed() = 0;

  /// Which of `count` ready things goes first, in [0, count): by seed in a simulation, 0 elsewhere.
  ///
  /// REQUIRES: count >= 1.   Thread: as random_seed().   Blocks: no.
  virtual unsigned choose(unsigned count) = 0;

  /// True: one thread, virtual time that moves only in turn(), everything follows from the seed.
  virtual bool simulated() const = 0;

  /// Folds an event into the trace by which two simulated runs are compared. Elsewhere nothing
  /// happens.
  ///
  /// Thread: as random_seed().   Blocks: no.
  virtual void note(std::uint64_t event) { (void)event; }
};

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
