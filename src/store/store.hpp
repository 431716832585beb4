// SPDX-License-Identifier: Apache-2.0
#pragma once

// The object store of one box: which bytes of which segment are which object, who may write where,
// what is pinned, what leaves memory and what comes back. It counts pins and knows no holder,
// owner, process, socket, clock or thread; it never touches a payload.
//
// Its driver (the agent, or a simulator) calls `advance(now)`, then commands and answers, then
// carries out what `take_actions()` gives. Calls without a session concern the store's own
// segments.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "beamlet/base/result.hpp"
#include "store/actions.hpp"
#include "store/object.hpp"
#include "store/options.hpp"
#include "store/request.hpp"
#include "store/segment.hpp"
#include "store/silent_readers.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

/// Thread: one at a time.   Blocks: never.   Memory: all in the private heap, some 250 bytes per
/// object and 16 per page.
class store {
 public:
  /// `readers`, unless null, must outlive it.
  explicit store(const options& limits, silent_readers* readers = nullptr);
  store(const store&) = delete;
  store& operator=(const store&) = delete;
  ~store();

  // -- time and actions

  /// It is `now_ns` until the next call; requests whose deadline has come fail.
  void advance(base::time_ns now_ns);
  /// Admits what can be admitted, and gives what is to be done since the last call, in order.
  ///
  /// Cost: a few requests of each lane are tried, not all.
  std::vector<action> take_actions();
  /// When `advance` has to be called next, if nothing happens before; base::never_ns: never.
  base::time_ns next_ns() const;

  // -- sessions, numbered from 1; `shared` is the agent itself, which may do as they do

  void session_started(session_id session);
  /// Its connection is gone: its requests, leases and pins are void. What it published stays. Its
  /// memory is not used again before `session_gone`.
  void session_ended(session_id session);
  /// Its process has ended for certain and can write no more.
  void session_gone(session_id session);

  // -- requests: each is answered by `granted`, `pinned` or `failed`, once
  //
  // Errors of all: not_found (no such session or object), invalid_argument, too_large (more than
  // there could ever be; the sentence names the limit and what to do), queue_full and exhausted (a
  // session's quota), timeout (the sentence names what it waited for).

  /// Memory for a session to build objects in: whole pages of a segment that it may write.
  /// `whole`: one of its own, for one object.
  void lease(session_id session, std::uint64_t ticket, std::uint64_t bytes,
             base::time_ns deadline_ns = base::never_ns, bool whole = false);
  /// One pin each on all of `ids`, repeated ones repeatedly, restored where needed: all or none.
  /// Errors: also object_lost and io, when a restore failed.
  void pin_all(session_id session, std::uint64_t ticket, std::span<const object_id> ids,
               std::uint8_t urgency, base::time_ns deadline_ns = base::never_ns);
  struct reservation {
    object_id id;
    std::uint64_t bytes = 0;
    bool primary = false;
    std::uint8_t urgency = 0;
    base::time_ns deadline_ns = base::never_ns;
  };
  /// Memory for an object that the driver fills (a pull) and then seals or drops.
  /// Errors: also already_exists.
  void reserve(std::uint64_t ticket, const reservation& wanted);
  /// Nobody waits for it any more: no answer comes, unless it is among the actions already.
  void cancel(session_id session, std::uint64_t ticket);

  // -- objects

  /// Publishes a range of a lease as an object, in place. Trusts nothing in `where`.
  ///
  /// Errors: invalid_argument (empty, misaligned), not_found (no such segment), permission (not the
  /// session's, in no lease, in strict mode not in a segment of its own), already_exists (the id,
  /// or an overlap), exhausted (options::objects).
  result<void> adopt(session_id session, const object_id& id, const extent& where,
                     bool primary = true);
  /// A reserved object is filled.   Errors: not_found.
  result<void> seal(const object_id& id);
  /// Ends a lease, or whole pages of it: what was published stays, the rest is free.
  ///
  /// Errors: not_found (no such segment or lease), permission, invalid_argument (cuts a page or an
  /// object).
  result<void> unlease(session_id session, const extent& where);
  /// Takes one pin of each; what the session has not pinned does nothing.
  void unpin(session_id session, std::span<const object_id> ids);
  /// Nobody reads it silently any more: who does has a pin now. Unknown: nothing.
  void stop_silent_reading(const object_id& id);
  /// Nobody holds it. It goes when the last pin does. Dropping what is unknown does nothing.
  void drop(const object_id& id);
  /// Whether this copy must not be lost.   Errors: not_found.
  result<void> set_primary(const object_id& id, bool primary);
  /// Sealed, and neither dropped nor lost. It may be on disk only.
  bool has(const object_id& id) const;

  // -- answers

  void segment_made(segment_id segment);
  void segment_refused(segment_id segment, const error& why);
  void segment_ended(segment_id segment);
  void spill_written(file_id file, const result<void>& how);
  void restored(const object_id& id, const result<void>& how);

  // -- seen from outside

  usage used() const;
  session_usage used(session_id session) const;
  struct object_usage {
    bool in_memory = false, on_disk = false;
    extent where;  ///< in memory
    std::vector<std::pair<session_id, std::uint32_t>> pins;
  };
  /// Cost: a look into each session's pins, if there are any.
  object_usage used(const object_id& id) const;
  /// Walks everything and compares it with what is counted: empty, or the first difference.
  std::string audit() const;

 private:
  struct session {
    bool ended = false;
    std::map<object_id, std::uint32_t> pins;  // ordered, so that its end is the same in every run
    session_usage used;
  };
  struct spill_file {
    std::uint64_t bytes = 0;
    std::uint32_t records = 0;       // that somebody needs
    std::vector<object_id> writing;  // empty once it is written
  };
  struct spot {
    segment* home = nullptr;
    std::uint64_t offset = 0;
  };
  /// What an attempt may do to get memory.
  enum class effort : std::uint8_t {
    free_space,  ///< of its session's segments
    growth,      ///< also new segments
    reclaim,     ///< also from others
  };
  using segment_map = std::map<segment_id, std::unique_ptr<segment>>;

  // admission.cpp
  void enqueue(request&& r, std::uint8_t urgency);
  void pump_lane(std::list<request>& lane);
  bool attempt(request& r, std::size_t lane, effort how);
  bool attempt_lease(request& r, effort how);
  bool attempt_reserve(request& r, effort how);
  bool attempt_pins(request& r, std::size_t lane, effort how);
  bool read_missing(request& r, effort how);
  void complete_admitted();
  void grant_pins(request& r);
  void hold(object& x);
  void unhold(const request& r);
  void fail(request& r, error why);
  void forget_request(const request& r);
  void fail_waiting_for(const object_id& id, const error& why);
  bool has_expired(request& r);
  error timed_out(const request& r) const;
  void refuse(const request& r, errc code, std::string why);
  bool is_feasible(request& r);
  bool is_within_quota(request& r);

  // room.cpp
  bool place(session_id owner, std::uint64_t bytes, request& r, effort how, spot& out);
  bool fit(session_id owner, std::uint64_t bytes, const request& r, spot& out);
  bool grow(session_id owner, std::uint64_t bytes, backing kind, bool whole);
  bool reclaim(session_id owner, std::uint64_t bytes, request& r, spot& out);
  bool evict_own(session_id owner, std::uint64_t bytes, const request& r, spot& out);
  bool drain_others(session_id owner, std::uint64_t bytes);
  std::uint64_t drained(const segment& s, session_id owner, std::uint64_t shared_left) const;
  std::uint64_t budget_left(session_id owner, backing kind) const;
  void press(request& r);
  bool spill_for(session_id owner, std::uint64_t bytes);
  void spill_in_background();
  segment* next_to_spill(session_id owner, std::uint64_t bytes, bool any) const;
  bool write_batch(session_id owner, std::uint64_t bytes, bool any);
  void end(segment& s);
  void end_whole();

  // objects.cpp
  object* find(const object_id& id);
  void refile(object& x);
  void enter(object& x, segment& home, std::uint64_t offset);
  void leave_memory(object& x);
  void evict(object& x);
  void forget_record(object& x);
  void erase(object& x);
  void erase_if_doomed(object& x);
  void add_pin(session& s, object& x);
  void take_pins(session& s, const object_id& id, std::uint32_t count);
  bool is_read_silently(object& x);

  const options limits_;
  silent_readers* const readers_;
  std::vector<session_id> reading_;  // of is_read_silently(), for its memory
  base::time_ns now_ = 0;
  std::vector<action> actions_;
  std::map<session_id, session> sessions_;
  segment_map segments_;
  std::unordered_map<object_id, object, object_id_hash> objects_;
  std::map<file_id, spill_file> files_;
  lanes lanes_;
  std::list<request> admitted_;  // sets whose memory is there, waiting for it to be filled

  usage used_;  // free, quarantined and evictable are counted when asked for
  std::uint64_t uses_ = 0;
  segment_id last_segment_ = 0;
  file_id last_file_ = 0;
  unsigned spills_in_flight_ = 0;
  struct trouble {  // what the system refused lately, and when to ask again
    error why;
    base::time_ns until = 0;
    base::time_ns pause = 0;
  };
  trouble spill_trouble_, segment_trouble_[2];
  static void add_trouble(trouble& t, const error& why, base::time_ns now);
};

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
