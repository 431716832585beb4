// SPDX-License-Identifier: Apache-2.0
#pragma once

// The owner's table: every object that somebody holds, and who. Holders come in two kinds: sessions
// (later also nodes), with a flat count of the mentions that each has not released; and uses from
// within the agent, counted together: a value that contains the ref, a call that has it as an
// argument, a `require` that waits for it. An actor is an entry too, so that handles are held as
// refs are.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "cluster/event.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// Who holds: a session of a node in one of its lives; session 0 is the node as a whole.
struct holder {
  node_id where;
  std::uint32_t session = 0;
  friend auto operator<=>(const holder&, const holder&) = default;
};

/// Why an object cannot be made again.
enum class barred : std::uint8_t { put, actor_call, no_retries, cancelled, forgotten };

struct object {
  enum class state : std::uint8_t {
    pending,   ///< nobody has made it yet
    adopting,  ///< its value is here, the store checks the range
    sealed,    ///< its value is here; a body that is an error: making it failed
    actor,     ///< no value, and none will come
  };
  /// One session's part.
  struct hold {
    holder who;
    std::uint32_t mentions = 0;  ///< sent to it and not yet released
    bool own = false;            ///< it said so itself: publish, hold, submit
    bool told = false;           ///< it knows that the object is sealed (or the actor ended)
  };

  bool failed() const { return what == state::sealed && std::holds_alternative<error>(made.body); }
  bool stored() const {
    return what == state::sealed && std::holds_alternative<wire::extent>(made.body);
  }

  state what = state::pending;
  barred why_not = barred::put;  ///< means something when `maker` is not in the lineage
  bool doubted = false;          ///< queued to be looked at by `next_freed`
  std::uint32_t uses = 0;
  std::uint64_t since_ns = 0;  ///< when it was first heard of
  object_id maker;             ///< the call whose result it is; null: put
  wire::value made;
  std::vector<hold> holds;          ///< in the order in which they came
  std::set<std::uint64_t> waiting;  ///< keys of those who wait until it is sealed
};

/// Thread: one.   Blocks: no.   Cost: logarithmic in the number of objects; freeing never recurses.
/// Ordered maps, because their order must not depend on addresses and because ids are chosen by
/// strangers, who may make hashes collide.
class objects {
 public:
  object* find(const object_id& id);
  const object* find(const object_id& id) const;
  /// A new one is pending, and freed at the end of the step unless somebody takes it.
  object& get_or_make(const object_id& id);

  /// The session's part, a new one if it has none. REQUIRES: it exists (all four).
  object::hold& hold_of(const holder& who, const object_id& id);
  /// The session holds it.
  object::hold& own(const holder& who, const object_id& id);
  object::hold& mention(const holder& who, const object_id& id);
  void use(const object_id& id);

  /// The session's references are gone, and it has seen so many mentions since its last release.
  /// Those still on their way to it go on holding. Unknown: nothing.
  void release(const holder& who, const object_id& id, std::uint32_t mentions);
  /// Unknown: nothing.
  void unuse(const object_id& id);
  /// All that this session holds.
  void end(const holder& who);

  /// Sets value and state; the value holds what it contains. REQUIRES: those exist.
  void fill(object& to, wire::value&& value, object::state as);
  /// Back to pending: what its value contained is released.
  void empty(object& of);

  /// Takes out one object that nobody holds, its contents released in turn; nullopt: none is left.
  std::optional<std::pair<object_id, object>> next_freed();

  std::size_t size() const { return all_.size(); }
  std::size_t held_count(const holder& who) const;
  /// Pending ones minted by this session that no call is to make.
  std::vector<object_id> promised_by(const holder& who) const;
  const std::map<object_id, object>& all() const { return all_; }
  const std::map<holder, std::set<object_id>>& held() const { return held_; }

 private:
  void drop_hold(const holder& who, const object_id& id, object& from);
  void doubt(const object_id& id, object& about);

  std::map<object_id, object> all_;
  std::map<holder, std::set<object_id>> held_;
  std::vector<object_id> doubted_;
};

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
