// SPDX-License-Identifier: Apache-2.0
// What a session keeps and sends. Functions are called with the lock held unless they take it.
#include "node/session_books.hpp"

#include <algorithm>
#include <utility>

#include "node/link_error.hpp"
#include "node/session_keeper.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

// -- sending

/// Tries to send. False: not now, or never again. What cannot be sent at all goes as a failure.
bool session_books::send(const wire::to_agent& message) {
  if (is_dead()) return false;
  auto sent = link->send(message);
  if (sent.has_value()) return true;
  if (sent.error().code() == errc::queue_full) return false;
  if (sent.error().code() == errc::agent_lost) {
    dead = sent.error();
    return false;
  }
  if (sent.error().code() == errc::no_memory) return lose(), false;
  auto failed = as_failed(message, sent.error());
  return !failed.has_value() || send(*failed);
}

void session_books::lose() noexcept {
  half_made.store(true, std::memory_order_relaxed);
  if (std::exchange(given_up, true)) return;
  if (!is_dead())
    dead = agent_lost_error(link_error(errc::no_memory, "this program ran out of memory"));
  announce();
  if (link != nullptr) link->give_up();
}

/// The same with errors instead of values; none for what has no values.
std::optional<wire::to_agent> session_books::as_failed(const wire::to_agent& unsent,
                                                       const error& why) {
  auto fail = [&](wire::value& value) {
    const wire::extent* where = std::get_if<wire::extent>(&value.body);
    auto lease = where != nullptr ? take_back(*where) : std::nullopt;
    if (lease.has_value()) backlog.push_back(wire::unlease{*lease});
    bool was_failed = std::holds_alternative<error>(value.body);
    value = wire::value{.body = why, .contained = {}};
    return !was_failed;
  };
  wire::to_agent failed = unsent;
  bool changed = false;
  if (auto* one = std::get_if<wire::fulfil>(&failed)) changed = fail(one->made);
  if (auto* many = std::get_if<wire::done>(&failed))
    for (wire::value& value : many->results) changed |= fail(value);
  return changed ? std::optional(std::move(failed)) : std::nullopt;
}

void session_books::post(wire::to_agent message) {
  drain();
  if (is_dead() || (backlog.empty() && send(message)) || is_dead()) return;
  if (backlog.size() < session::backlog_max) return backlog.push_back(std::move(message));
  // The books and the agent's would part. Whoever reads next tells everybody.
  dead = agent_lost_error(link_error(errc::queue_full, "the agent does not take messages"));
}

result<void> session_books::ask(wire::to_agent message) {
  drain();
  if (is_dead()) return dead;
  if (!backlog.empty()) return link_error(errc::queue_full, "the agent does not keep up");
  auto sent = link->send(std::move(message));
  if (!sent.has_value() && sent.error().code() == errc::agent_lost) dead = sent.error();
  return sent;
}

void session_books::drain() {
  if (is_dead()) return;
  // What asks for this itself only adds to the end.
  while (!backlog.empty()) {
    if (!send(backlog.front())) return;
    backlog.pop_front();
  }
  while (!unpins.empty()) {
    auto some = unpins.end() - std::min<std::ptrdiff_t>(std::ssize(unpins), session::batch_max);
    if (!send(wire::unpin{{some, unpins.end()}})) return;
    unpins.erase(some, unpins.end());
  }
  unpinned_bytes = 0;
  refs.release_due([&](const wire::release& due) { return send(due); });
}

void session_books::flush_if_many() {
  if (unpins.size() + refs.due() >= session::batch_max ||
      unpinned_bytes >= session::batch_bytes_max)
    drain();
}

void session_books::give_back(const std::optional<wire::extent>& lease) {
  if (lease.has_value()) post(wire::unlease{*lease});
}

// -- values and memory

/// None: it does not lie in a segment of ours. The mentions are counted by the caller.
std::optional<arrived> session_books::take(wire::object_here&& object, std::uint32_t slot) {
  auto kept = std::make_unique<session_keeper>();
  arrived out;
  out.id = kept->id = object.id;
  if (const auto* where = std::get_if<wire::extent>(&object.what.body)) {
    auto at = segments.find(where->segment);
    if (at == segments.end() || at->second.gone) return std::nullopt;
    const ports::mapped_memory& mapped = at->second.memory;
    if (where->offset > mapped.bytes() || where->size > mapped.bytes() - where->offset)
      return std::nullopt;
    ++at->second.uses;
    kept->pinned = *where;
    kept->slot = slot;
    out.bytes.data = mapped.data() + where->offset;
    out.bytes.size = where->size;
  } else if (auto* carried = std::get_if<wire::bytes>(&object.what.body)) {
    kept->bytes = std::move(*carried);
    out.bytes.data = kept->bytes.data();
    out.bytes.size = kept->bytes.size();
  } else {
    out.why = std::get<error>(object.what.body);
    if (out.why.code() == errc::ok) out.why = errc::unknown;  // must not read as success
  }
  out.contained = object.what.contained;
  kept->contained = std::move(object.what.contained);
  kept->books = shared_from_this();
  out.bytes.drop = &session_keeper::drop;
  out.bytes.keeper = kept.release();
  return out;
}

std::optional<arrived> session_books::take_shown(const object_id& id) {
  if (!refs.retain_held(id)) return std::nullopt;
  bool owed = false;
  auto shown = index.find(id, owed);
  if (shown.has_value()) {
    auto one = take({id, std::move(shown->what)}, shown->slot);
    if (one.has_value()) return one;
    owed = shown->slot != 0 && index.unpin(shown->slot);  // in a segment that is not mapped here
  }
  if (owed) unpins.push_back(id);
  refs.let_go(id);
  return std::nullopt;
}

void session_keeper::drop(void* keeper) noexcept {
  std::unique_ptr<session_keeper> kept(static_cast<session_keeper*>(keeper));
  session_books& b = *kept->books;
  if (b.forked()) return (void)kept.release();
  (void)b.keep([&] {
    books_lock hold(b);  // ends before what may be the books' last owner
    b.refs.let_go(kept->id);
    for (const object_id& inner : kept->contained) b.refs.let_go(inner);
    if (kept->pinned.has_value()) {
      const bool owed = kept->slot == 0 || b.index.unpin(kept->slot);
      if (owed && !b.is_dead()) {
        b.unpins.push_back(kept->id);
        b.unpinned_bytes += kept->pinned->size;
        if (kept->slot != 0) b.drain();  // the agent waits for this one
      }
      b.unuse(kept->pinned->segment);
    }
    b.flush_if_many();
  });
}

std::optional<block> session_books::carve(std::uint64_t bytes) {
  auto where = memory.carve(bytes);
  if (!where.has_value()) return std::nullopt;
  return block_at(*where);
}

block session_books::block_at(const wire::extent& where) {
  segment& home = segments.at(where.segment);
  ++home.uses;
  return {.data = home.memory.data() + where.offset, .size = where.size, .where = where};
}

/// Nobody of this process can write there any more.
result<void> session_books::close(const wire::extent& where) {
  segment& home = segments.at(where.segment);
  if (!home.writer) return {};
  return home.memory.make_read_only(std::exchange(home.writer, {}).number());
}

result<void> session_books::ask_for_lease(lease_request& r, base::time_ns until_ns) {
  if (r.answered) {  // refused: what is needed may be there where more is not
    r = {.bytes = r.bytes, .whole = r.whole};
    lease_bytes = lease_bytes_min;
  }
  if (r.ticket != 0) return {};
  std::uint64_t needed = store::pages_for(r.bytes) * store::page_bytes;
  r.generous = r.generous && !r.whole && needed < lease_bytes;
  bool one_comes = std::any_of(leases_asked.begin(), leases_asked.end(),
                               [](const auto& each) { return each.second->generous; });
  if (r.generous && one_comes) return {};
  std::uint64_t ticket = ++tickets;
  BEAMLET_TRY_VOID(ask(
      wire::lease{.ticket = ticket,
                  .size = r.generous ? lease_bytes : std::max(needed, store::page_bytes),
                  .deadline_ns = r.generous ? std::min(until_ns, now_ns() + patience_ns) : until_ns,
                  .whole = r.whole}));
  r.ticket = ticket;
  leases_asked[ticket] = &r;
  return {};
}

void session_books::forget_lease(const lease_request& r) {
  if (leases_asked.erase(r.ticket) > 0) post(wire::abandon{r.ticket});
}

void session_books::unuse(std::uint32_t id) {
  auto at = segments.find(id);
  if (--at->second.uses == 0 && (at->second.gone || is_dead())) unmap(at);
}

void session_books::unmap(std::map<std::uint32_t, segment>::iterator at) {
  std::uint32_t id = at->first;
  segments.erase(at);
  post(wire::unmapped{id});
}

std::optional<wire::extent> session_books::take_back(const wire::extent& object) {
  auto at = kept.find(place_of(object));
  if (at == kept.end()) return memory.take_back(object);
  at->second.gone = true;
  return std::nullopt;
}

/// Takes the block over. Leases that this leaves without use are to be given back after the value
/// was sent.
wire::value session_books::encode(made&& what, std::vector<wire::extent>& leases) {
  wire::value value;
  value.contained = std::move(what.contained);
  if (what.place == std::nullopt) {
    value.body = std::move(what.inline_bytes);
  } else if (!memory.is_building(what.place->where) || what.size > what.place->size) {
    what.why = link_error(errc::invalid_argument,
                          "a value was said to lie where its session builds nothing");
  } else {
    const wire::extent& where = what.place->where;
    const bool whole = segments.at(where.segment).whole;
    bool published = what.why.code() == errc::ok && what.size > 0;
    if (published && whole) {
      auto closed = close(where);
      if (!closed.has_value()) what.why = closed.error();
      published = closed.has_value();
    }
    if (published) value.body = wire::extent{where.segment, where.offset, what.size};
    if (!what.kept) {
      auto lease = whole       ? memory.release(where)
                   : published ? memory.publish(where, what.size)
                               : memory.free(where);
      if (lease.has_value()) leases.push_back(*lease);
      unuse(where.segment);
    } else if (published) {
      kept[place_of(where)] = {.size = what.size};
    }
  }
  if (what.why.code() != errc::ok) {
    value.body = std::move(what.why);
    value.contained.clear();
  }
  return value;
}

void session_books::announce() {
  news.fetch_add(1, std::memory_order_release);
  if (waiting > 0) ports::wake_all(news);
}

// -- without the lock

void session_books::end(error why, bool tell_host) {
  std::map<std::uint64_t, request> unanswered;
  std::map<std::uint64_t, named_then> unnamed;
  std::map<std::uint64_t, answer_then> unheard;
  {
    books_lock hold(*this);
    if (std::exchange(ended, true)) return;
    if (!is_dead()) dead = std::move(why);
    why = dead;
    tell_host = tell_host && is_welcome;
    unanswered.swap(requests);
    unnamed.swap(names_asked);
    unheard.swap(answers_due);
    backlog.clear();
    unpins.clear();
    std::erase_if(segments, [](const auto& each) { return each.second.uses == 0; });
    announce();
  }
  // Everybody is told, also where one of them has no memory for it.
  auto say = [](auto&& to) { (void)sched::try_allocate(to); };
  for (auto& each : unanswered) {
    session_keeper::drop_all(each.second.got);
    say([&] { each.second.then(why); });
  }
  for (auto& each : unnamed) say([&] { each.second({}, why); });
  for (auto& each : unheard) say([&] { each.second(why); });
  if (tell_host) say([&] { host->on_lost(why); });
}

std::optional<std::vector<arrived>> session_books::take_shown(std::span<const object_id> objects) {
  values_in_hand got;
  (void)keep([&] {
    books_lock hold(*this);
    if (is_dead() || objects.empty() || objects.size() > pin_slots) return;
    got.all.reserve(objects.size());
    for (const object_id& id : objects) {
      auto one = take_shown(id);
      if (!one.has_value()) break;
      got.all.push_back(std::move(*one));
    }
  });
  if (objects.empty() || got.all.size() != objects.size()) return std::nullopt;
  return std::exchange(got.all, {});
}

bool session_books::wait(std::atomic<std::uint32_t>& word, std::uint32_t seen,
                         base::time_ns until_ns) {
  std::shared_ptr<agent_link> reading;
  {
    books_lock hold(*this);
    reading = link;
  }
  for (;;) {
    if (word.load(std::memory_order_acquire) != seen) return true;
    base::time_ns now = now_ns();
    if (now >= until_ns) return false;
    base::time_ns left = std::min(until_ns - now, slice_ns);
    if (reading != nullptr && reading->read_by_this_thread()) reading->pump(left);
    else ports::wait_on(word, seen, left);
    (void)keep([this] {
      books_lock hold(*this);
      drain();  // nobody else may come by to do it
    });
    books_lock hold(*this);
    if (is_dead()) return word.load(std::memory_order_acquire) != seen;
  }
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
