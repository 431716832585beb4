// SPDX-License-Identifier: Apache-2.0
#pragma once

// One process's connection to its agent, as the program sees it: ids and who holds them, values on
// their way, memory to build objects in, calls out and in. It keeps the protocol's books (mentions,
// tickets, pins, leases, mappings); what the values are it does not know.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "beamlet/base/id.hpp"
#include "beamlet/base/result.hpp"
#include "beamlet/base/time.hpp"
#include "beamlet/sched/extra.hpp"
#include "node/link.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// An object's value as it came: bytes inline or in the store, or what making it failed with.
/// `bytes.drop(bytes.keeper)` unpins it and lets go of the id and of `contained`. It must run once,
/// for a failed one too, on any thread and also after the session has ended.
struct arrived {
  object_id id;
  error why;  ///< errc::ok, or there are no bytes
  sched::held_bytes bytes;
  std::vector<object_id> contained;
};

/// Memory of the store that this process may write until it is published.
struct block {
  std::byte* data = nullptr;  ///< 64-aligned; page-aligned from 64 KiB on
  std::uint64_t size = 0;     ///< at least what was asked for
  wire::extent where;
};

/// A value to be told to the agent.
struct made {
  std::vector<std::byte> inline_bytes{};  ///< unless `why` or `place` says otherwise
  std::optional<block> place = {};        ///< in the store: the first `size` bytes of it
  std::uint64_t size = 0;
  bool kept = false;  ///< `place` goes on being read here: it is this process's until `free`
  error why{};
  std::vector<object_id> contained{};
};

/// What the session asks of its program. From the thread that reads; must not block, and must not
/// destroy the session.
class session_host {
 public:
  /// The agent has answered; open() has not returned, and nothing else has come.
  virtual void on_welcome() {}
  /// Each id that `what.arguments` gives as a ref or contains is counted once for the host, which
  /// lets go of it; so is each of `objects` by its keeper.
  virtual void on_execute(wire::call what, std::vector<arrived> objects) = 0;
  virtual void on_abort(const object_id& task, std::uint32_t attempt) = 0;
  /// A ref that this session holds, or has let go of just now, is ready. `value`: only where it
  /// came along; the host drops it.
  virtual void on_sealed(const object_id& id, const error& why, std::optional<arrived> value) = 0;
  virtual void on_actor_ended(const object_id& actor, const error& why) = 0;
  /// What ran for this program in worker processes.
  virtual void on_ran(const std::vector<wire::trace>& ran) { (void)ran; }
  /// Drop what can be dropped. The session has given back its unused leases already.
  virtual void on_pressure(std::uint64_t bytes) = 0;
  virtual void on_drain() = 0;
  /// Repay so much, at once what is idle, the rest when it becomes so.
  virtual void on_recall(const std::vector<wire::need>& needs) { (void)needs; }
  /// The agent is gone: errc::agent_lost. All requests have been answered with it before. Not for
  /// one that is lost in `open`, which says so, and not for `close`.
  virtual void on_lost(const error& why) = 0;

 protected:
  ~session_host() = default;
};

struct session_options {
  std::uint64_t functions_hash = 0;
  std::string program = {};
  bool worker = false;
  std::uint32_t slots = 0;
  bool has_entry = false;  ///< the program may be started as a worker process
  /// The box's clock, as ports::port::now_ns(). Called on any thread.
  std::function<base::time_ns()> now_ns = {};
  /// Random, as ports::port::random_seed(): makes ids that nobody can guess.
  std::array<std::uint64_t, 2> secret{};
};

struct session_books;

/// Thread: any, unless it says otherwise.   Blocks: never, but for `open`, `allocate`, `fetch`,
/// `ask_name` and `collect`. Those must not be called from a host's function, nor from a `fetched`.
/// REQUIRES of all but `open`, `close` and the destructor: open() has returned, and no thread is
/// inside when the destructor begins.
///
/// Memory: where it runs out in what the session keeps, on whatever thread, the session is lost
/// like one whose agent is gone: agent_lost with this cause. What fails before that is no_memory.
///
/// After the agent is lost every request is answered with errc::agent_lost and everything else
/// does nothing; values that arrived and blocks stay usable memory. What the agent does not take
/// at once waits here, up to `backlog_max` messages; a session that passes that is lost.
class session final : public agent_messages {
 public:
  /// All of them, in the order asked for, or the one that failed with `why` set in it.
  using fetched = std::function<void(result<std::vector<arrived>>)>;

  static constexpr std::size_t backlog_max = std::size_t{1} << 18;   ///< messages
  static constexpr std::size_t requests_max = std::size_t{1} << 16;  ///< not yet answered
  static constexpr std::size_t batch_max = 64;  ///< unpins and releases that wait for each other
  static constexpr std::uint64_t batch_bytes_max = std::uint64_t{1} << 20;  ///< ... and their bytes

  /// Lifetime: `host` until close() has returned.
  explicit session(session_host& host);
  /// close(). Values that arrived stay readable until they are dropped; blocks do not.
  ~session();

  /// Says hello and waits for the welcome. Once.
  ///
  /// Errors: agent_lost, timeout, what the agent refused; the session is of no use then.
  result<void> open(std::unique_ptr<agent_link> link, const session_options& options,
                    base::time_ns timeout_ns);
  /// Says bye, with what ran since the last `done`, and lets go of the link. Requests are answered
  /// with errc::closed from now on.
  ///
  /// REQUIRES: not in a call of the host or of a `fetched`.
  void close(std::vector<wire::trace> ran = {});
  /// Its program ran out of memory in the midst of what it does with the session: as if that had
  /// happened in here.
  void give_up();
  /// Reads what has come, where this thread is the one that has to; nothing in a call of the host.
  void look();
  bool lost() const;
  /// In a fork of its process, where no thread will ever give back the lock that one may have held:
  /// nothing else of the session may be called, and nothing of it destroyed.
  bool forked() const;
  std::uint64_t inline_max() const;
  /// The agent does not keep up: who makes more and can wait should.
  bool behind() const;
  /// Sends what was collected. To be called by a thread that goes idle, as unpins and releases wait
  /// for the next message, for the end of what the reading thread hands over, or for `batch_max`.
  void flush();

  // -- ids. A local count per id: publish, retain, arrival of a value that names it; at 0 the agent
  // is told (`release`, with the mentions seen).

  /// REQUIRES: open.
  object_id mint();
  void publish(const object_id& id);  ///< pending, counted once
  void retain(const object_id& id);
  /// REQUIRES: it is counted.
  void let_go(const object_id& id);
  /// A value that cannot be sent becomes the error that says why. A block is the agent's from now
  /// on: it may be written by others as soon as the object is dropped, so who reads it here
  /// fetches. One that is kept stays as it is, and its lease here, so that it is not spilled.
  void fulfil(const object_id& id, made value);

  // -- values

  /// All of them pinned here together, then `then` runs once, on the thread that reads. At once
  /// here where it need not be asked (all of them are held and in the agent's index), or cannot be:
  /// agent_lost, too_large (wire::limits::ids_max), queue_full.
  /// Errors: also what the agent refuses, as timeout.
  /// Returns a ticket for `abandon`, 0 for one that was answered.
  std::uint64_t require(std::span<const object_id> objects, std::uint8_t urgency,
                        base::time_ns deadline_ns, fetched then);
  /// True: `then` will not run. False: it has run, or is about to.
  bool abandon(std::uint64_t ticket);
  /// The same for a caller that waits.   Blocks: until the deadline; where it need not ask it makes
  /// no system call, but for a look at what has come every 10 ms.
  /// Errors: as require().
  result<std::vector<arrived>> fetch(std::span<const object_id> objects, std::uint8_t urgency,
                                     base::time_ns timeout_ns);

  // -- memory

  /// Blocks: until there is room; without a message to the agent for what fits into a lease at
  /// hand. Errors: too_large, exhausted, queue_full, timeout, agent_lost.
  /// Lifetime: until it is published or freed; at most the session's.
  result<block> allocate(std::uint64_t bytes, base::time_ns timeout_ns);
  void free(const block& unused);  ///< was not published, or kept then

  // -- calls

  /// Counts its results once, and the actor that it creates.
  ///
  /// Errors: agent_lost, queue_full, too_large; nothing was counted then.
  result<void> submit(wire::call call);
  void cancel(const object_id& task, bool force, bool recursive);
  /// `ran`: one or none, what ran here since the last one.
  void done(const object_id& task, std::uint32_t attempt, std::vector<made> results,
            std::vector<wire::trace> ran = {});
  /// All that worker processes have told so far has been given to `on_ran` when this returns.
  ///
  /// Blocks: yes.   Errors: timeout, agent_lost, queue_full.
  result<void> collect(base::time_ns timeout_ns);
  /// A call that runs here waits, or goes on.
  void lend_cpu(const object_id& task, std::uint32_t attempt, bool lent);
  void end_actor(const object_id& actor, bool kill);
  /// `then` runs as that of require(). The id that it gets, unless null, is counted once for it.
  std::uint64_t name_actor(const std::string& space, const std::string& name,
                           const object_id& actor, bool create,
                           std::function<void(object_id, error)> then);
  /// The same, waiting for the answer: the actor, counted once for the caller.
  ///
  /// Blocks: yes.   Errors: what the agent says (not_found, already_exists), timeout, agent_lost.
  result<object_id> ask_name(const std::string& space, const std::string& name,
                             const object_id& actor, bool create, base::time_ns timeout_ns);

  // -- resources for what runs in this process

  /// All that the box has.
  std::vector<wire::need> resources() const;
  /// `then` runs as that of require(), with errc::ok when all of it is lent.
  std::uint64_t borrow(std::vector<wire::need> needs, std::function<void(error)> then);
  /// The same, waiting for it. What comes too late is repaid.
  ///
  /// Blocks: until the deadline.   Errors: timeout, infeasible, agent_lost, queue_full.
  result<void> await_loan(std::vector<wire::need> needs, base::time_ns timeout_ns);
  /// What this process uses already: there is no answer.
  void borrow_at_once(std::vector<wire::need> needs);
  void repay(std::vector<wire::need> needs);

  void on_message(wire::to_session message, ports::descriptor segment) override;
  void on_lost(const error& why) override;

 private:
  void post(wire::to_agent message);

  const std::shared_ptr<session_books> books_;  // values that arrived outlive the session
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
