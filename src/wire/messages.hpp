// SPDX-License-Identifier: Apache-2.0
#pragma once

// What an agent and a session say to each other, decoded. One set for both ways to carry it: as
// flatbuffers through a Unix socket, or as it is through a ring within one process. Messages of one
// session are handled in the order in which they were sent.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "beamlet/base/error.hpp"
#include "beamlet/base/id.hpp"
#include "beamlet/base/ledger.hpp"
#include "wire/trace.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {

using bytes = std::vector<std::byte>;

/// A range of a segment. Offsets are from the segment's start.
struct extent {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  friend bool operator==(const extent&, const extent&) = default;
};

/// How an object's value travels: inline, as a range of a segment, or not at all because making it
/// failed.
struct value {
  std::variant<bytes, extent, error> body;
  std::vector<object_id> contained;  ///< the refs inside it
};

/// One argument of a call: an object, or a value that nobody else refers to.
struct argument {
  object_id object;     ///< null: `inline_value` holds it
  bool by_ref = false;  ///< the callee gets the ref itself: nothing is waited for
  bytes inline_value;
  std::vector<object_id> contained;
};

/// A resource by name, because small ids are a process's own.
struct need {
  std::string resource;
  std::int64_t amount = 0;
};

enum class isolation : std::uint8_t { none, process };

struct call_options {
  std::string name;  ///< the task's, for people
  std::vector<need> needs;
  std::uint8_t urgency = 1;                       ///< as sched::priority
  std::uint64_t deadline_ns = ~std::uint64_t{0};  ///< not started after; of the box's clock
  /// After a worker's death or a failure that may be retried; -1: no end. Of a creation: what calls
  /// to the actor have that say 0.
  std::int32_t retries = 0;
  bool retry_errors = false;  ///< also those that the function returned or threw
  isolation where = isolation::none;
  std::vector<std::string> environment;          ///< NAME=VALUE, of the worker process
  std::uint64_t memory_max = 0, cpu_ms_max = 0;  ///< of the worker process; 0: no limit
  std::uint32_t calls_max = 0;    ///< the worker process ends after so many; 0: no limit
  std::int32_t restarts = 0;      ///< of the actor, after its process died; -1: no end
  bool detached = false;          ///< the actor lives on when nobody holds it
  std::uint32_t concurrency = 1;  ///< of the actor: its calls at a time
  bool traced = false;            ///< every run is to be told, else one in many
  bool repeated = false;          ///< its submitter will try it again itself
};

enum class call_kind : std::uint8_t { task, create_actor, actor_call };

/// What leaves a process. The task's id names the record; `results` were minted by the submitter.
struct call {
  object_id task, actor;
  call_kind kind = call_kind::task;
  std::string function;        ///< wire name: qualified name and signature
  std::uint64_t caller = 0;    ///< calls of one caller to one actor stay in order
  std::uint64_t sequence = 0;  ///< per caller and actor
  std::uint32_t attempt = 0;
  std::vector<argument> arguments;
  std::vector<object_id> results;
  call_options options;
  object_id parent;  ///< the call that submitted it, for recursive cancel; null: none
};

// -- session to agent

struct hello {
  std::uint32_t version = 0;
  /// Of the registered functions: same binary, same hash. 0: no program, it only looks.
  std::uint64_t functions_hash = 0;
  std::string program;
  bool worker = false;      ///< a worker process, started by the agent
  std::uint32_t slots = 0;  ///< calls that it runs at a time
  bool has_entry = false;   ///< its main begins with run_child: it may be started as a worker
};
struct publish {  ///< a ref gets an id: pending, held by this session
  object_id id;
};
struct fulfil {  ///< its value; an extent must lie in a lease of this session
  object_id id;
  value made;
};
struct hold {  ///< the session's first reference; the id came in a value that the session still
               ///< holds
  object_id id;
};
struct release {  ///< the session's last reference is gone, as far as it has seen `mentions`
  object_id id;
  std::uint32_t mentions = 0;
};
struct require {  ///< all of them pinned here together, then one `here`
  std::uint64_t ticket = 0;
  std::vector<object_id> objects;
  std::uint8_t urgency = 0;  ///< get, wait, task arguments: the lower goes first
  std::uint64_t deadline_ns = ~std::uint64_t{0};
};
struct abandon {  ///< a `require` or `lease` that nobody waits for any more
  std::uint64_t ticket = 0;
};
struct unpin {  ///< one pin of each, given by `here` or `execute`
  std::vector<object_id> objects;
};
struct submit {
  call what;
};
struct cancel {
  object_id task;
  bool force = false;
  bool recursive = false;
};
struct lease {  ///< memory to build objects in
  std::uint64_t ticket = 0;
  std::uint64_t size = 0;
  std::uint64_t deadline_ns = ~std::uint64_t{0};
  bool whole = false;  ///< a segment of its own, for one object (`welcome`'s whole_from)
};
struct unlease {  ///< what was published stays, the rest goes back
  extent where;
};
struct done {  ///< the end of an `execute`: a value per result
  object_id task;
  std::uint32_t attempt = 0;
  std::vector<value> results;
  std::vector<trace> ran = {};  ///< one or none: since the process's last word
};
struct lend_cpu {  ///< the running call waits: others may have its cpu until it goes on
  object_id task;
  std::uint32_t attempt = 0;
  bool lent = false;  ///< false: it goes on, and has it back at once
};
struct end_actor {
  object_id actor;
  bool kill = false;  ///< at once; else after the calls before this one
};
struct name_actor {  ///< answered by `named`; `create`: takes the name, else asks for it
  std::uint64_t ticket = 0;
  std::string space, name;
  object_id actor;
  bool create = false;
};
struct mapped {  ///< the session has mapped its own segment: it may be sealed and shown to others
  std::uint32_t segment = 0;
};
struct unmapped {  ///< the session no longer maps it
  std::uint32_t segment = 0;
};
struct borrow {  ///< resources for what runs in the program itself; answered by `lent`
  std::uint64_t ticket = 0;
  std::vector<need> needs;
  /// What there is of it, for what runs already and goes on: not answered.
  bool at_once = false;
};
struct repay {  ///< what it does not use any more of what it has borrowed
  std::vector<need> needs;
};
struct bye {
  std::vector<trace> ran = {};  ///< as that of `done`
};
struct look {  ///< answered by `status`
  std::uint64_t ticket = 0;
  std::uint32_t objects_max = 0;  ///< to be listed, the largest first
};

using to_agent = std::variant<hello, publish, fulfil, hold, release, require, abandon, unpin,
                              submit, cancel, lease, unlease, done, end_actor, name_actor, mapped,
                              unmapped, bye, look, collect, lend_cpu, borrow, repay>;

// -- agent to session
//
// Every id in `here`, `execute` and a `sealed` with its value, contained ones too, is a mention:
// the session holds it until it releases it, naming how many mentions it has seen, so that a
// release and a new mention may cross. cluster/mentions.hpp has the whole list.

struct welcome {
  std::uint64_t node = 0;
  std::uint32_t boot = 0, session = 0;
  std::uint64_t inline_max = 0;  ///< larger values travel as extents
  /// Strict mode: an object of so many bytes has a segment of its own, which its writer no longer
  /// maps writable when it publishes it; 0: off.
  std::uint64_t whole_from = 0;
  std::vector<need> resources{};  ///< all that the box has
};
struct refused {  ///< the command could not be done; the session goes on unless `fatal`
  std::uint64_t ticket = 0;
  error why;
  bool fatal = false;
};
struct sealed {  ///< a ref that this session holds is ready
  object_id id;
  error why;               ///< errc::ok, or what making it failed with
  bool has_value = false;  ///< its value came along, so that it need not be asked for
  value what{};            ///< inline, when it did; an error stays in `why`
};
struct object_here {
  object_id id;
  value what;  ///< an extent is pinned for this session until `unpin`
};
struct here {
  std::uint64_t ticket = 0;
  std::vector<object_here> objects;
};
struct leased {
  std::uint64_t ticket = 0;
  extent where;
};
struct new_segment {          ///< a descriptor goes with it
  std::uint32_t segment = 0;  ///< or one of the two below
  std::uint64_t size = 0;
  bool writable = false;
  bool whole = false;  ///< for one object, which seals it
};
/// What holds no objects: the agent's index, read by all; and where a session says what it reads
/// (node/index_layout.hpp). A session may do without.
inline constexpr std::uint32_t index_segment = 0xffffffff, pins_segment = 0xfffffffe;
struct segment_gone {
  std::uint32_t segment = 0;
};
struct returned {  ///< an object in this session's lease was dropped: the range may be used again
  extent where;
};
struct execute {
  call what;
  std::vector<object_here> objects;  ///< the arguments that are objects, pinned
};
struct abort_call {
  object_id task;
  std::uint32_t attempt = 0;
};
struct pressure {  ///< unpin so many bytes if you can
  std::uint64_t size = 0;
};
struct named {
  std::uint64_t ticket = 0;
  object_id actor;
  error why;
};
struct actor_ended {
  object_id actor;
  error why;
};
struct lent {
  std::uint64_t ticket = 0;
  std::vector<need> needs;  ///< as asked for
};
struct recall {  ///< repay so much, at once what is idle, the rest when it becomes so
  std::vector<need> needs;
};
struct drain {};  ///< end when the running calls have ended

// What there is on a box, for people: parts of `status`. None of it is a mention.

struct pin_status {
  std::uint32_t session = 0;
  std::uint64_t pins = 0;
};
enum class object_state : std::uint8_t { pending, inline_value, memory, disk, failed, actor };
struct object_status {
  object_id id;  ///< without its guard: nobody can name it by this
  object_state state = object_state::pending;
  std::uint64_t size = 0;
  std::uint64_t age_ns = 0;   ///< since the agent heard of it
  std::uint32_t holders = 0;  ///< sessions that hold it
  std::vector<pin_status> pins;
};
struct session_status {
  std::uint32_t session = 0;
  std::uint32_t process = 0;
  std::uint64_t pool = 0;  ///< of a worker process; 0: a program
  std::string program;
  std::uint64_t age_ns = 0;
  bool ended = false;                      ///< its process may still be there
  std::uint64_t held = 0;                  ///< objects
  std::uint64_t pins = 0, pinned = 0;      ///< how many, and the bytes of what they are on
  std::uint64_t leases = 0, leased = 0;    ///< the same of leases
  std::uint64_t requests = 0;              ///< that wait for memory or objects
  std::uint64_t running = 0, waiting = 0;  ///< calls that run there; that it submitted, not ended
};
struct resource_status {
  std::string name;
  std::int64_t total = 0, available = 0;  ///< below 0: calls that waited go on
  std::int64_t borrowed = 0;              ///< by programs, for themselves
};
struct store_status {  ///< bytes, as store::usage has them
  std::uint64_t memory = 0, memory_max = 0, files = 0, free = 0, quarantined = 0;
  std::uint64_t leased = 0, published = 0, pinned = 0, evictable = 0;
  std::uint64_t spilled = 0, spill_files = 0, spill_max = 0;
  std::uint64_t requests = 0;  ///< how many wait
};
struct status {
  std::uint64_t ticket = 0;
  std::uint32_t process = 0;  ///< the agent's
  std::string version;
  std::uint64_t up_ns = 0;
  store_status objects_store;
  std::uint64_t objects = 0, calls = 0, actors = 0, names = 0, waits = 0, lineage = 0;
  std::uint64_t programs = 0, workers = 0;
  std::vector<session_status> sessions;  ///< not more than limits::status_sessions_max
  std::vector<object_status> listed;
  std::string log;  ///< the file, where the agent keeps one
  std::vector<resource_status> resources;
};

using to_session = std::variant<welcome, refused, sealed, here, leased, new_segment, segment_gone,
                                returned, execute, abort_call, pressure, named, actor_ended, drain,
                                status, traced, lent, recall>;

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
