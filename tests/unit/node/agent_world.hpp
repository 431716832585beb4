// SPDX-License-Identifier: Apache-2.0
#pragma once

// A box in one thread: the real agent, real shared memory, a disk that fails, and sessions that
// publish, require, read without asking, release, submit, execute, leave and die, all from one
// seed. Every byte that a session may read is compared with what was written, when it comes and
// when it is unpinned. The first broken promise is kept in `wrong`.

#include <algorithm>
#include <map>
#include <set>

#include "agent_box.hpp"
#include "base/rng.hpp"
#include "cluster/mentions.hpp"

namespace agent_test {

/// What one session keeps of the protocol's books.
struct actor_of_world {
  std::shared_ptr<client> link;
  std::map<object_id, std::uint32_t> refs;  // held, with the mentions seen since the last release
  std::vector<object_id> promised;
  std::map<std::uint64_t, std::size_t> asked;  // ticket to how many objects are still to come
  std::map<std::uint64_t, bool> leasing;       // ticket; true: abandoned
  struct pin {
    object_id id;
    wire::extent where;
    std::uint32_t slot = 0;  // 0: it asked for it
  };
  std::vector<pin> pinned;
  std::vector<wire::extent> leases;  // live ones
  wire::extent free;                 // of the newest lease, not yet carved
  std::vector<wire::execute> running;
  bool draining = false, left = false;  // was told to end; has said bye
  bool orphan = false;                  // its connection is gone, its process still writes
};

class agent_world final {
 public:
  explicit agent_world(std::uint64_t seed) : b(options(seed), seed), random_(seed * 2 + 1) {
    auto& faults = b.port.disk().faults();
    if (chance(30)) faults.io_error = 30'000;
    if (chance(30)) faults.no_space = 100'000;
    if (chance(30)) faults.torn_write = 50'000;
    if (chance(30)) faults.flipped_bit = 50'000;
    if (chance(20)) faults.capacity_bytes = 600 * kib;
    for (int i = 0; i < 3; ++i) open(0);
  }

  void run(unsigned steps) {
    for (unsigned n = 0; n < steps && wrong.empty(); ++n) step();
    finish();
    trace = b.port.trace();
  }

  box b;
  std::string wrong;
  std::uint64_t trace = 0;
  std::size_t reads = 0, silent_reads = 0, deaths = 0, executions = 0, errors = 0;
  std::uint64_t spilled = 0, runs_told = 0;

 private:
  static node::agent_options options(std::uint64_t seed) {
    node::agent_options o = small_options();
    o.cpus = 4;
    o.store.memory_bytes = 2 * mib;
    o.store.shared_bytes = 512 * kib;
    o.store.segment_bytes = 512 * kib;
    o.store.spill_bytes = seed % 4 == 0 ? 0 : 16 * mib;
    o.store.spill_batch_bytes_min = 64 * kib;
    o.store.wait_ns_max = 20'000'000'000;
    o.limits.worker_idle_ns = 5'000'000'000;
    o.limits.workers_max = 3;
    return o;
  }
  bool chance(unsigned percent) { return random_.below(100) < percent; }
  /// For an answer; to what was abandoned none need come.
  static bool waits(const actor_of_world& s) {
    auto asked = [](const auto& each) { return each.second > 0; };
    auto leasing = [](const auto& each) { return !each.second; };
    return std::any_of(s.asked.begin(), s.asked.end(), asked) ||
           std::any_of(s.leasing.begin(), s.leasing.end(), leasing);
  }
  void fail(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }

  void open(std::uint64_t pool) {
    auto link = b.open(pool);
    all_[link->number].link = link;
  }
  actor_of_world* pick() {
    if (all_.empty()) return nullptr;
    auto at = all_.begin();
    std::advance(at, random_.below(static_cast<std::uint32_t>(all_.size())));
    return &at->second;
  }
  object_id pick_ref(const actor_of_world& s) {
    if (s.refs.empty()) return {};
    auto at = s.refs.begin();
    std::advance(at, random_.below(static_cast<std::uint32_t>(s.refs.size())));
    return at->first;
  }
  void say(actor_of_world& s, wire::to_agent m) {
    if (!s.left) s.link->outbox.push_back(std::move(m));
  }

  void step();
  void act(actor_of_world& s);
  void deliver();
  void hear(actor_of_world& s, wire::to_session m);
  void hear_objects(actor_of_world& s, std::vector<wire::object_here>& objects);
  void serve_world();
  wire::value value_of(actor_of_world& s, const object_id& id);
  void carve(actor_of_world& s, std::uint64_t bytes, wire::extent& out);
  void submit(actor_of_world& s);
  void complete(actor_of_world& s, std::size_t index);
  std::vector<wire::trace> ran_in(const actor_of_world& s);
  void hear_runs(const actor_of_world& s, const std::vector<wire::trace>& ran);
  void unpin(actor_of_world& s, std::size_t index);
  void read_silently(actor_of_world& s);
  void release(actor_of_world& s, const object_id& id);
  void unlease_all(actor_of_world& s);
  void die(std::uint32_t number, bool at_once);
  void check_bytes(actor_of_world& s, const object_id& id, const wire::extent& where);
  void check_value(const object_id& id, const wire::bytes& carried);
  void scribble();
  void finish();

  beamlet::base::rng random_;
  std::map<std::uint32_t, actor_of_world> all_;
  std::uint64_t tickets_ = 0, runs_ = 0;
  std::set<std::uint64_t> untold_runs_;
};

inline void agent_world::check_bytes(actor_of_world& s, const object_id& id,
                                     const wire::extent& where) {
  ++reads;
  if (s.link->at(where).empty()) return fail("a place in a segment that the session does not have");
  if (!s.link->reads_as(id, where)) fail("wrong bytes are read");
}

inline void agent_world::carve(actor_of_world& s, std::uint64_t bytes, wire::extent& out) {
  const std::uint64_t align = bytes >= 64 * kib ? 4096 : 64;
  const std::uint64_t begin = (s.free.offset + align - 1) / align * align;
  if (s.free.size == 0 || begin + bytes > s.free.offset + s.free.size) return;
  out = {s.free.segment, begin, bytes};
  s.free.size -= begin + bytes - s.free.offset;
  s.free.offset = begin + bytes;
}

inline wire::value agent_world::value_of(actor_of_world& s, const object_id& id) {
  wire::value v;
  if (object_id inner = pick_ref(s); chance(30) && !inner.is_null() && inner < id)
    v.contained.push_back(inner);
  wire::extent where;
  if (chance(70)) carve(s, 64 + random_.below(chance(50) ? 3000 : 120'000), where);
  if (where.size == 0) {
    wire::bytes inline_bytes(8);
    for (std::size_t k = 0; k < 8; ++k) inline_bytes[k] = byte_of(id, k);
    v.body = std::move(inline_bytes);
  } else {
    s.link->fill(id, where);
    v.body = where;
  }
  return v;
}

inline void agent_world::release(actor_of_world& s, const object_id& id) {
  say(s, wire::release{.id = id, .mentions = s.refs.at(id)});
  s.refs.erase(id);
}

inline void agent_world::unpin(actor_of_world& s, std::size_t index) {
  auto [id, where, slot] = s.pinned[index];
  check_bytes(s, id, where);
  s.pinned.erase(s.pinned.begin() + static_cast<std::ptrdiff_t>(index));
  if (!s.left) s.link->unpin(id, slot);
}

inline void agent_world::read_silently(actor_of_world& s) {
  const object_id id = pick_ref(s);
  auto found = s.link->read_silently(id);
  if (!found.has_value()) return;
  ++silent_reads;
  if (const auto* where = std::get_if<wire::extent>(&found->what.body)) {
    check_bytes(s, id, *where);
    s.pinned.push_back({id, *where, found->slot});
  } else {
    check_value(id, std::get<wire::bytes>(found->what.body));
  }
}

inline void agent_world::check_value(const object_id& id, const wire::bytes& carried) {
  if (carried.size() != 8 || carried[3] != byte_of(id, 3)) fail("wrong inline bytes");
}

inline void agent_world::unlease_all(actor_of_world& s) {
  for (const wire::extent& each : s.leases) say(s, wire::unlease{each});
  s.leases.clear();
  s.free = {};
}

inline void agent_world::submit(actor_of_world& s) {
  wire::call call;
  call.task = s.link->mint();
  call.function = "f";
  call.options.where = wire::isolation::process;
  call.options.retries = static_cast<std::int32_t>(random_.below(3));
  if (chance(20)) call.options.environment = {"A=1"};
  for (unsigned n = random_.below(3); n > 0; --n)
    if (object_id id = pick_ref(s); !id.is_null()) {
      wire::argument& a = call.arguments.emplace_back();
      a.object = id;
      a.by_ref = chance(20);
    }
  for (unsigned n = 1 + random_.below(2); n > 0; --n) {
    call.results.push_back(s.link->mint());
    s.refs[call.results.back()];
  }
  say(s, wire::submit{call});
  if (chance(5)) say(s, wire::cancel{.task = call.task, .force = chance(50), .recursive = true});
}

inline void agent_world::complete(actor_of_world& s, std::size_t index) {
  wire::execute e = std::move(s.running[index]);
  s.running.erase(s.running.begin() + static_cast<std::ptrdiff_t>(index));
  wire::done m{.task = e.what.task, .attempt = e.what.attempt, .results = {}};
  for (const object_id& id : e.what.results) m.results.push_back(value_of(s, id));
  m.ran = ran_in(s);
  say(s, std::move(m));
}

/// Each run has a start of its own, by which it is known; who it ran in is a lie.
inline std::vector<wire::trace> agent_world::ran_in(const actor_of_world& s) {
  if (s.link->pool == 0 && !chance(5)) return {};
  wire::trace made{.process = 99, .names = {"f"}, .runs = {}};
  for (unsigned n = chance(5) ? 300 : random_.below(4); n > 0; --n) {
    made.runs.push_back({.start_ns = ++runs_, .duration_ns = 1, .function = 0, .thread = 0});
    if (s.link->pool != 0) untold_runs_.insert(runs_);
  }
  return {std::move(made)};
}

inline void agent_world::hear_runs(const actor_of_world& s, const std::vector<wire::trace>& ran) {
  if (s.link->pool != 0 && !ran.empty()) fail("a worker process is told what others ran");
  for (const wire::trace& each : ran) {
    if (each.process == 99) fail("a process said which one it is, and was believed");
    for (const wire::run& one : each.runs) {
      ++runs_told;
      if (untold_runs_.erase(one.start_ns) == 0) fail("a run is told twice, or was never run");
    }
  }
}

inline void agent_world::act(actor_of_world& s) {
  switch (random_.below(15)) {
    case 0:
    case 1: {
      object_id id = s.link->mint();
      s.refs[id];
      s.promised.push_back(id);
      say(s, wire::publish{id});
      break;
    }
    case 2:
    case 3:
      if (s.promised.empty()) break;
      say(s, wire::fulfil{s.promised.back(), value_of(s, s.promised.back())});
      s.promised.pop_back();
      break;
    case 4: {
      wire::require m{.ticket = ++tickets_, .objects = {}};
      for (unsigned n = 1 + random_.below(3); n > 0; --n)
        if (object_id id = pick_ref(s); !id.is_null()) m.objects.push_back(id);
      if (m.objects.empty()) break;
      m.urgency = static_cast<std::uint8_t>(random_.below(2));
      if (chance(20)) m.deadline_ns = b.port.now_ns() + random_.below(2'000'000'000);
      s.asked[m.ticket] = m.objects.size();
      say(s, m);
      if (chance(10)) {
        s.asked[m.ticket] = 0;
        say(s, wire::abandon{m.ticket});
      }
      break;
    }
    case 5:
    case 6:
      if (object_id id = pick_ref(s); !id.is_null() && s.refs.size() > 3) release(s, id);
      break;
    case 7:
    case 8:
      if (!s.pinned.empty()) unpin(s, random_.below(static_cast<std::uint32_t>(s.pinned.size())));
      break;
    case 9:
      if (!s.leasing.empty() || s.free.size > 100'000) break;
      if (chance(60)) unlease_all(s);
      s.leasing[++tickets_] = false;
      say(s, wire::lease{.ticket = tickets_, .size = 4096 + random_.below(200'000)});
      if (chance(10)) {
        s.leasing[tickets_] = true;
        say(s, wire::abandon{tickets_});
      }
      break;
    case 10: submit(s); break;
    case 14:
      s.asked[++tickets_] = 1;
      say(s, wire::collect{tickets_});
      break;
    case 11:
    case 12: read_silently(s); break;
    default:
      if (!s.running.empty()) complete(s, 0);
  }
}

inline void agent_world::hear_objects(actor_of_world& s, std::vector<wire::object_here>& objects) {
  for (const wire::object_here& each : objects) {
    if (const auto* where = std::get_if<wire::extent>(&each.what.body)) {
      check_bytes(s, each.id, *where);
      s.pinned.push_back({each.id, *where});
    } else if (const auto* carried = std::get_if<wire::bytes>(&each.what.body)) {
      check_value(each.id, *carried);
    } else {
      ++errors;
    }
  }
}

inline void agent_world::hear(actor_of_world& s, wire::to_session m) {
  std::visit(
      [&](const auto& each) {
        auto saw = [&](const object_id& id) { ++s.refs[id]; };
        if constexpr (requires { cluster::for_each_mention(each, saw); })
          cluster::for_each_mention(each, saw);
      },
      m);
  if (auto* here = std::get_if<wire::here>(&m)) {
    auto asked = s.asked.find(here->ticket);
    if (asked == s.asked.end()) return fail("an answer that nobody asked for");
    hear_objects(s, here->objects);
    const bool failed = std::holds_alternative<error>(here->objects.at(0).what.body);
    if (failed || asked->second <= here->objects.size()) s.asked.erase(asked);
    else asked->second -= here->objects.size();
  } else if (auto* run = std::get_if<wire::execute>(&m)) {
    ++executions;
    hear_objects(s, run->objects);
    s.running.push_back(std::move(*run));
  } else if (auto* leased = std::get_if<wire::leased>(&m)) {
    auto waited = s.leasing.extract(leased->ticket);
    if (waited.empty()) return fail("a lease that nobody asked for");
    if (s.link->at(leased->where).empty()) return fail("a lease in a segment that is not here");
    // One that came although it was abandoned goes back.
    if (waited.mapped()) return say(s, wire::unlease{leased->where});
    s.leases.push_back(leased->where);
    s.free = leased->where;
  } else if (auto* refused = std::get_if<wire::refused>(&m)) {
    ++errors;
    if (refused->fatal) return fail("refused: " + refused->why.describe());
    if (s.asked.erase(refused->ticket) + s.leasing.erase(refused->ticket) == 0)
      fail("refused: " + refused->why.describe());
  } else if (std::holds_alternative<wire::pressure>(m)) {
    if (s.leasing.empty()) unlease_all(s);
  } else if (auto* traced = std::get_if<wire::traced>(&m)) {
    hear_runs(s, traced->ran);
    if (traced->ticket != 0 && s.asked.erase(traced->ticket) == 0)
      fail("an answer that nobody asked for");
  } else if (std::holds_alternative<wire::drain>(m)) {
    s.draining = true;
  }
}

inline void agent_world::deliver() {
  for (auto& [number, s] : all_) {
    if (!s.orphan && !s.link->outbox.empty() && chance(70)) {
      wire::to_agent m = std::move(s.link->outbox.front());
      s.link->outbox.pop_front();
      if (s.link->connected) b.agent->on_message(number, std::move(m));
    }
    if (!s.link->heard.empty() && chance(70)) {
      wire::to_session m = std::move(s.link->heard.front());
      s.link->heard.pop_front();
      if (!s.orphan) hear(s, std::move(m));
    }
  }
}

// Whoever may write must not harm anybody, until its process is gone.
inline void agent_world::scribble() {
  for (auto& [number, s] : all_)
    if (s.orphan && s.free.size > 0)
      for (std::byte& each : s.link->at(s.free)) each = std::byte{0xee};
}

inline void agent_world::die(std::uint32_t number, bool at_once) {
  actor_of_world& s = all_.at(number);
  if (s.orphan || at_once) {
    if (!s.orphan && chance(50)) b.agent->on_closed(number, errc::closed);
    b.agent->process_ended(number, 9, {});
    if (s.link->connected) b.agent->on_closed(number, errc::closed);
    ++deaths;
    all_.erase(number);
    return;
  }
  b.agent->on_closed(number, errc::closed);
  s.orphan = true;
}

inline void agent_world::serve_world() {
  for (std::uint32_t number : std::exchange(b.killed, {}))
    if (all_.contains(number)) die(number, true);
  for (const node::worker_wish& wish : std::exchange(b.wishes, {})) {
    if (chance(10)) b.agent->worker_failed(wish.pool, errc::exhausted);
    else open(wish.pool);
  }
  std::vector<std::uint32_t> left;
  for (auto& [number, s] : all_) {
    if (s.draining && s.running.empty()) {
      say(s, wire::bye{ran_in(s)});
      s.left = true;
    }
    const bool gone = !s.link->connected || (s.left && s.link->outbox.empty());
    if (gone && !s.orphan) left.push_back(number);
  }
  for (std::uint32_t number : left) die(number, true);
}

inline void agent_world::step() {
  if (actor_of_world* s = pick(); s != nullptr && !s->orphan && s->link->connected) act(*s);
  deliver();
  scribble();
  if (chance(30)) {
    b.port.turn(b.port.now_ns() + random_.below(chance(5) ? 900'000'000 : 3'000'000));
  }
  if (chance(60)) {
    b.agent->advance();
    if (std::string what = b.agent->check(); !what.empty()) fail(what);
    spilled = std::max(spilled, b.agent->look().store.spilled);
  }
  serve_world();
  if (chance(1)) {
    if (actor_of_world* s = pick()) die(s->link->number, chance(30));
    std::size_t programs = 0;
    for (auto& [number, s] : all_) programs += s.link->pool == 0;
    if (programs < 3) open(0);
  }
}

// Everybody ends what it does and leaves; nothing may be left.
inline void agent_world::finish() {
  b.port.disk().faults() = {};
  for (unsigned round = 0; round < 3000 && wrong.empty(); ++round) {
    bool quiet = true;
    for (auto& [number, s] : all_) {
      if (s.orphan) continue;
      while (!s.promised.empty()) {
        say(s, wire::fulfil{s.promised.back(), value_of(s, s.promised.back())});
        s.promised.pop_back();
      }
      while (!s.running.empty()) complete(s, 0);
      while (!s.pinned.empty()) unpin(s, 0);
      unlease_all(s);
      quiet &= !waits(s) && s.link->outbox.empty() && s.link->heard.empty();
    }
    deliver();
    b.port.turn(std::min(b.agent->next_ns(), b.port.now_ns() + 50'000'000));
    b.agent->advance();
    if (std::string what = b.agent->check(); !what.empty()) fail(what);
    serve_world();
    if (quiet && b.agent->look().counts.tasks == 0) break;
  }
  if (!wrong.empty()) return;
  for (auto& [number, s] : all_)
    if (!s.orphan && waits(s)) return fail("a request was never answered");
  // With all the sessions there, and nothing held: nothing is kept.
  for (auto& [number, s] : all_)
    while (!s.orphan && !s.refs.empty()) release(s, s.refs.begin()->first);
  for (unsigned round = 0; round < 300; ++round) {
    deliver();
    b.agent->advance();
    serve_world();
  }
  for (const auto& each : b.agent->look().sessions) {
    auto at = all_.find(each.session);
    if (at == all_.end() || at->second.orphan || at->second.draining) continue;
    if (each.usage.pins + each.usage.leased + each.usage.requests != 0)
      return fail("a session that gave back everything has something");
  }
  while (!all_.empty()) die(all_.begin()->first, true);
  b.agent->advance();
  while (b.agent->busy()) {
    b.port.turn(UINT64_MAX);
    b.agent->advance();
  }
  if (std::string what = b.agent->check(); !what.empty()) return fail(what);
  const auto left = b.agent->look();
  const store::usage& u = left.store;
  if (u.leased + u.published + u.pinned + u.spilled + u.spill_files + u.objects + u.waiting != 0)
    fail("the store keeps something");
  if (left.counts.objects + left.counts.tasks + left.counts.waits + left.counts.sessions != 0)
    fail("node_state keeps something");
  if (b.agent->sessions() != 0) fail("a session is left");
}

}  // namespace agent_test
