// SPDX-License-Identifier: Apache-2.0
#pragma once

// The store against a model that knows what sessions have leased, published and pinned. What it
// cannot know (when something moves) shows in the bytes: whoever may write to a range scribbles
// over it, and what is pinned must stay as it was made.

#include "tests/unit/store/box.hpp"

namespace store_test {

class model {
 public:
  using chooser = std::function<std::uint32_t(std::uint32_t)>;

  model(const st::options& options, chooser below, unsigned faults)
      : box_(options), below_(below), whole_from_(options.whole_from_bytes) {
    box_.below = below_;
    box_.faults = faults;
    for (int i = 0; i < 3; ++i) start_session();
  }

  const std::string& complaint() const { return box_.complaint; }
  std::uint64_t trace() const { return box_.trace; }
  std::size_t whole_objects() const { return whole_objects_; }

  /// One command, and all that must hold after it.
  void step() {
    switch (below_(16)) {
      case 0:
      case 1: lease(); break;
      case 2:
      case 3:
      case 4: adopt(); break;
      case 5: unlease(); break;
      case 6:
      case 7: pin(); break;
      case 8: unpin(); break;
      case 9: drop(); break;
      case 10: reserve(); break;
      case 11: finish_reserve(); break;
      case 12: cancel_or_demote(); break;
      case 13: box_.pass(below_(4) * 500'000'000u); break;
      case 14:
        if (below_(4) == 0) end_session();
        break;
      default: end_process(); break;
    }
    box_.turn();
    if (!box_.owed.empty() && below_(3) > 0) {
      box_.answer(below_(static_cast<std::uint32_t>(box_.owed.size())));
      box_.turn();
    }
    listen();
    check_counts();
    if (++steps_ % 4 == 0) check_bytes();
  }

  /// Everybody leaves, and nothing may be left.
  void finish() {
    box_.faults = 0;
    while (!sessions_.empty()) {
      end_session();
      box_.turn();
      listen();
    }
    while (!zombies_.empty()) end_process();
    for (; !filling_.empty(); finish_reserve()) {}
    for (auto& [id, x] : objects_) box_.s.drop(id);
    box_.pass(3600'000'000'000);
    box_.settle();
    listen();
    for (; !filling_.empty(); finish_reserve()) {}
    for (auto& [id, x] : objects_) box_.s.drop(id);
    box_.settle();
    st::usage u = box_.s.used();
    if (u.objects + u.leased + u.published + u.pinned + u.spilled + u.spill_files + u.waiting +
                u.quarantined !=
            0 ||
        u.free != u.memory + u.files)
      box_.complain("something is left at the end");
    if (!box_.disk.empty()) box_.complain("a spill file is left at the end");
    if (!waiting_.empty()) box_.complain("a request was never answered");
    check_counts();
  }

 private:
  struct lease_range {
    st::extent where;
    std::map<std::uint64_t, std::pair<std::uint64_t, object_id>> published;  // offset: size, id
  };
  struct session {
    std::vector<lease_range> leases;
    std::map<object_id, std::uint32_t> pins;
  };
  struct object {
    std::uint64_t size = 0;
    bool primary = true;
    st::extent seen{};  // where it was when it was pinned last
  };
  struct waiting {
    bool is_lease = false;
    bool whole = false;
    std::vector<object_id> ids{};
  };

  void start_session() {
    sessions_.try_emplace(++last_session_);
    box_.s.session_started(last_session_);
  }
  template <class Map>
  auto any(Map& of) {
    return std::next(of.begin(), below_(static_cast<std::uint32_t>(of.size())));
  }

  void lease() {
    if (sessions_.empty()) return;
    auto id = any(sessions_)->first;
    std::uint64_t size = below_(8) == 0 ? std::uint64_t{1} << 40 : 1 + below_(90'000);
    bool whole = is_large(size) && below_(3) > 0;
    waiting_[{id, ++ticket_}] = {.is_lease = true, .whole = whole};
    box_.s.lease(id, ticket_, size, box_.now + 2'000'000'000, whole);
  }

  void adopt() {
    if (sessions_.empty()) return;
    auto& [session, state] = *any(sessions_);
    if (state.leases.empty()) return;
    lease_range& range = *any(state.leases);
    std::uint64_t offset = below_(static_cast<std::uint32_t>(range.where.size / 32)) * 32;
    st::extent where{range.where.segment, range.where.offset + offset, 1 + below_(70'000)};
    if (below_(2) == 0) where.offset &= ~std::uint64_t{4095};
    if (below_(4) > 0) where.size = std::min(where.size, range.where.size - offset);
    if (below_(50) == 0) where.size = ~std::uint64_t{0} - below_(5000);
    auto claimed = below_(10) == 0 ? any(sessions_)->first : session;
    object_id id = id_of(++last_object_);
    bool whole = box_.made[where.segment].whole;
    if (whole && below_(2) == 0) where = {where.segment, range.where.offset, range.where.size};
    bool right = claimed == session && fits(range, where) && (whole || !is_large(where.size));
    bool taken = right && overlaps(range, where);
    if (right && !taken) box_.fill(id, where);
    bool primary = below_(3) > 0;
    result<void> how = box_.s.adopt(claimed, id, where, primary);
    if (how.has_value() != (right && !taken))
      return box_.complain("adopt: " + std::to_string(right));
    if (!how.has_value()) return;
    range.published[where.offset] = {where.size, id};
    objects_[id] = {where.size, primary};
    whole_objects_ += is_large(where.size);
  }
  /// In strict mode it has to lie in a segment of its own.
  bool is_large(std::uint64_t size) const { return whole_from_ != 0 && size >= whole_from_; }
  static bool fits(const lease_range& range, const st::extent& where) {
    std::uint64_t end = range.where.offset + range.where.size;
    return where.offset % (where.size >= 65536 ? 4096 : 64) == 0 &&
           where.offset >= range.where.offset && where.offset < end &&
           where.size <= end - where.offset;
  }
  static bool overlaps(const lease_range& range, const st::extent& where) {
    for (auto& [offset, x] : range.published)
      if (offset < where.offset + where.size && where.offset < offset + x.first) return true;
    return false;
  }

  void unlease() {
    if (sessions_.empty()) return;
    auto& [session, state] = *any(sessions_);
    if (state.leases.empty()) return;
    auto it = any(state.leases);
    st::extent part = it->where;
    if (below_(3) == 0) {  // only a part of it
      auto pages = static_cast<std::uint32_t>(part.size / 4096);
      std::uint64_t first = below_(pages);
      part.offset += first * 4096;
      part.size = (1 + below_(pages - static_cast<std::uint32_t>(first))) * 4096;
    }
    bool cuts = false;
    for (auto& [offset, x] : it->published)
      for (std::uint64_t edge : {part.offset, part.offset + part.size})
        cuts |= offset < edge && edge < offset + x.first;
    result<void> how = box_.s.unlease(session, part);
    if (how.has_value() == cuts) return box_.complain("unlease");
    if (cuts) return;
    lease_range old = std::move(*it), rest[2];
    state.leases.erase(it);
    rest[0].where = {part.segment, old.where.offset, part.offset - old.where.offset};
    rest[1].where = {part.segment, part.offset + part.size,
                     old.where.offset + old.where.size - part.offset - part.size};
    for (lease_range& r : rest) {
      for (auto& [offset, x] : old.published)
        if (offset >= r.where.offset && offset < r.where.offset + r.where.size)
          r.published[offset] = x;
      if (r.where.size > 0) state.leases.push_back(std::move(r));
    }
  }

  void pin() {
    if (sessions_.empty() || objects_.empty()) return;
    auto id = any(sessions_)->first;
    waiting w;
    for (std::uint32_t count = 1 + below_(4); count > 0; --count)
      w.ids.push_back(any(objects_)->first);
    waiting_[{id, ++ticket_}] = w;
    box_.s.pin_all(id, ticket_, w.ids, static_cast<std::uint8_t>(below_(3)),
                   box_.now + 2'000'000'000);
  }

  void unpin() {
    if (sessions_.empty()) return;
    auto& [session, state] = *any(sessions_);
    if (state.pins.empty()) return;
    auto it = any(state.pins);
    object_id id = it->first;
    if (--it->second == 0) state.pins.erase(it);
    box_.s.unpin(session, {&id, 1});
    if (below_(10) == 0) {
      object_id unknown = id_of(1'000'000);
      box_.s.unpin(session, {&unknown, 1});
    }
  }

  void drop() {
    if (objects_.empty()) return;
    auto it = any(objects_);
    box_.s.drop(it->first);
    gone_.insert(*it);  // its pins still count
    objects_.erase(it);
  }

  void reserve() {
    object_id id = id_of(++last_object_);
    waiting_[{st::shared, ++ticket_}] = {.ids = {id}};
    box_.s.reserve(ticket_, {.id = id,
                             .bytes = 1 + below_(60'000),
                             .primary = below_(2) == 0,
                             .urgency = static_cast<std::uint8_t>(below_(2)),
                             .deadline_ns = box_.now + 2'000'000'000});
  }
  void finish_reserve() {
    if (filling_.empty()) return;
    auto it = any(filling_);
    box_.fill(it->first, it->second);
    if (below_(4) == 0) {
      box_.s.drop(it->first);
    } else {
      if (!box_.s.seal(it->first).has_value()) box_.complain("seal");
      bool primary = below_(2) == 0;
      if (!box_.s.set_primary(it->first, primary).has_value()) box_.complain("set_primary");
      objects_[it->first] = {it->second.size, primary};
    }
    filling_.erase(it);
  }

  void cancel_or_demote() {
    if (below_(2) == 0 && !waiting_.empty()) {
      auto it = any(waiting_);
      box_.s.cancel(it->first.first, it->first.second);
      waiting_.erase(it);
    } else if (!objects_.empty()) {
      auto it = any(objects_);
      it->second.primary = below_(2) == 0;
      if (!box_.s.set_primary(it->first, it->second.primary).has_value())
        box_.complain("an object is not known any more");
    }
  }

  void end_session() {
    if (sessions_.empty()) return;
    auto it = any(sessions_);
    auto session = it->first;
    box_.s.session_ended(session);
    for (auto& range : it->second.leases) zombies_[session].push_back(range);
    zombies_.try_emplace(session);
    std::erase_if(waiting_, [&](auto& w) { return w.first.first == session; });
    sessions_.erase(it);
    may_start_ = true;
  }
  void end_process() {
    if (!zombies_.empty()) {
      auto it = any(zombies_);
      box_.s.session_gone(it->first);
      zombies_.erase(it);
    }
    if (std::exchange(may_start_, false)) start_session();
  }

  void listen() {
    for (st::action& a : std::exchange(box_.told, {}))
      std::visit([&](auto& what) { hear(what); }, a);
  }
  bool take_waiting(st::session_id session, std::uint64_t ticket, waiting& out) {
    auto it = waiting_.find({session, ticket});
    if (it == waiting_.end()) {
      box_.complain("an answer to nobody");
      return false;
    }
    out = std::move(it->second);
    waiting_.erase(it);
    return true;
  }
  void hear(st::granted& g) {
    waiting w;
    if (!take_waiting(g.session, g.ticket, w)) return;
    box_.scribble(g.where);
    if (w.is_lease && box_.made[g.where.segment].whole != w.whole)
      box_.complain("a lease in a segment of the other kind");
    if (w.whole && g.where.size != box_.memory[g.where.segment].size())
      box_.complain("a segment of its own is larger than its lease");
    if (!w.is_lease) filling_[w.ids.front()] = g.where;
    else if (box_.made[g.where.segment].owner == g.session)
      sessions_[g.session].leases.push_back({g.where, {}});
    else box_.complain("a lease in another session's segment");
  }
  void hear(st::pinned& p) {
    waiting w;
    if (!take_waiting(p.session, p.ticket, w)) return;
    if (p.where.size() != w.ids.size()) return box_.complain("a set is not whole");
    for (std::size_t i = 0; i < w.ids.size(); ++i) {
      auto it = objects_.find(w.ids[i]);
      object& x = it != objects_.end() ? it->second : gone_[w.ids[i]];
      x.seen = p.where[i];
      if (x.seen.size != x.size || !box_.holds(w.ids[i], x.seen)) box_.complain("wrong bytes");
      ++sessions_[p.session].pins[w.ids[i]];
    }
  }
  void hear(st::failed& f) {
    waiting w;
    if (!take_waiting(f.session, f.ticket, w)) return;
    bool may_be_lost = std::any_of(w.ids.begin(), w.ids.end(),
                                   [&](auto& id) { return box_.damaged.contains(id); });
    if ((f.why == errc::object_lost || f.why.code() == errc::io) && !may_be_lost)
      box_.complain("an object that nobody damaged is lost");
  }
  void hear(st::returned& r) {
    for (lease_range& range : sessions_[r.session].leases) {
      if (range.where.segment != r.where.segment) continue;
      auto it = range.published.find(r.where.offset);
      if (it == range.published.end() || it->second.first != r.where.size) continue;
      range.published.erase(it);
      return box_.scribble(r.where);
    }
    box_.complain("a range came back that the session had not published");
  }
  void hear(st::evicted& e) {
    auto it = objects_.find(e.id);
    if (it == objects_.end() || it->second.primary) return box_.complain("a primary was evicted");
    objects_.erase(it);
  }
  void hear(st::lost& l) {
    if (!box_.damaged.contains(l.id)) box_.complain("lost, and nobody damaged it");
    objects_.erase(l.id);
  }
  template <class Other>
  void hear(Other&) {}

  void check_counts() {
    if (std::string what = box_.s.audit(); !what.empty()) box_.complain(what);
    for (auto& [id, state] : sessions_) {
      st::session_usage u = box_.s.used(id);
      std::uint64_t leased = 0, pins = 0;
      for (auto& range : state.leases) leased += range.where.size;
      for (auto& [object, count] : state.pins) pins += count;
      if (u.leased != leased || u.leases != state.leases.size() || u.pins != pins)
        box_.complain("a session's counts");
    }
  }

  void check_bytes() {
    for (auto& [session, state] : sessions_)
      for (auto& [id, count] : state.pins) {
        auto it = objects_.find(id);
        const object& x = it != objects_.end() ? it->second : gone_[id];
        if (!box_.holds(id, x.seen)) box_.complain("a pinned object has changed");
      }
    for (auto& [id, where] : filling_) box_.scribble(where);
    for (auto& [session, ranges] : zombies_)  // a process that outlives its session writes on
      for (auto& range : ranges) {
        std::uint64_t cursor = range.where.offset, end = cursor + range.where.size;
        for (auto& [offset, x] : range.published) {
          box_.scribble({range.where.segment, cursor, offset - cursor});
          cursor = offset + x.first;
        }
        box_.scribble({range.where.segment, cursor, end - cursor});
      }
  }

  box box_;
  chooser below_;
  std::map<st::session_id, session> sessions_;
  std::map<st::session_id, std::vector<lease_range>> zombies_;
  std::map<object_id, object> objects_, gone_;
  std::map<object_id, st::extent> filling_;
  std::map<std::pair<st::session_id, std::uint64_t>, waiting> waiting_;
  std::uint64_t ticket_ = 0, last_object_ = 0;
  st::session_id last_session_ = 0;
  unsigned steps_ = 0;
  bool may_start_ = false;
  const std::uint64_t whole_from_;
  std::size_t whole_objects_ = 0;
};

/// A store so small that everything happens often.
inline st::options tiny_options() {
  st::options o;
  o.memory_bytes = 640 << 10, o.segment_bytes = 160 << 10, o.shared_bytes = 160 << 10;
  o.fallback_bytes = 160 << 10, o.spill_bytes = 1 << 20;
  o.spill_batch_bytes_min = 16 << 10, o.spill_batch_bytes_max = 128 << 10;
  o.spill_batch_objects = 8;
  return o;
}

}  // namespace store_test
