// SPDX-License-Identifier: Apache-2.0
// What the agent says. Each kind updates the books under the lock and tells the program without it.
#include <algorithm>
#include <utility>
#include <variant>

#include "cluster/mentions.hpp"
#include "node/link_error.hpp"
#include "node/session_books.hpp"
#include "node/session_keeper.hpp"
#include "wire/limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
error wrong_message(const char* what) {
  return agent_lost_error(
      link_error(errc::malformed, std::string("the agent sent nonsense: ") + what));
}

template <class Message>
void count_mentions(ref_counts& refs, const Message& message) {
  cluster::for_each_mention(message, [&](const object_id& id) { refs.mention(id); });
}

/// Marks the thread that hands over, which must not read meanwhile.
class telling {
 public:
  explicit telling(session_books& books)
      : books_(books), outer_(books.told.exchange(ports::thread::current_id())) {}
  telling(const telling&) = delete;
  telling& operator=(const telling&) = delete;
  ~telling() { books_.told.store(outer_); }

 private:
  session_books& books_;
  const std::uint64_t outer_;
};
}  // namespace

void session::on_message(wire::to_session message, ports::descriptor segment) {
  session_books& b = *books_;
  telling inside(b);
  {
    books_lock hold(b);
    if (b.ended) return;
  }
  auto on_this = [&](auto& m) {
    if constexpr (std::is_same_v<std::decay_t<decltype(m)>, wire::new_segment>)
      b.on(std::move(m), std::move(segment));
    else b.on(std::move(m));
  };
  (void)b.keep([&] {
    std::visit(on_this, message);
    books_lock hold(b);
    b.drain();
  });
  books_lock hold(b);
  if (!b.is_dead() || b.ended) return;
  hold.unlock();
  b.end(error(), true);  // with the reason that is there
}

void session::on_lost(const error& why) {
  telling inside(*books_);
  books_->end(why.code() == errc::agent_lost ? why : agent_lost_error(why), true);
}

void session_books::on(wire::welcome&& m) {
  books_lock hold(*this);
  if (is_welcome) {
    hold.unlock();
    return end(wrong_message("a second welcome"), true);
  }
  welcome = m;
  welcome.inline_max =
      std::min<std::uint64_t>(m.inline_max, std::uint64_t{wire::limits::inline_bytes_max});
  hold.unlock();
  host->on_welcome();
  hold.lock();
  is_welcome = true;
  announce();
}

void session_books::on(wire::refused&& m) {
  if (m.why.code() == errc::ok) m.why = errc::unknown;  // must not read as success
  books_lock hold(*this);
  if (!is_welcome || m.fatal) {
    error why = is_welcome ? agent_lost_error(m.why) : m.why;
    hold.unlock();
    return end(std::move(why), true);
  }
  auto asked = requests.extract(m.ticket);
  auto named = names_asked.extract(m.ticket);
  auto due = answers_due.extract(m.ticket);
  if (auto at = leases_asked.find(m.ticket); at != leases_asked.end()) {
    at->second->why = std::move(m.why);
    at->second->answered = true;
    leases_asked.erase(at);
    return announce();
  }
  hold.unlock();
  if (!asked.empty()) {
    session_keeper::drop_all(asked.mapped().got);
    asked.mapped().then(std::move(m.why));
  } else if (!named.empty()) {
    named.mapped()({}, std::move(m.why));
  } else if (!due.empty()) {
    due.mapped()(std::move(m.why));
  }
}

void session_books::on(wire::sealed&& m) {
  std::optional<arrived> value;
  if (m.has_value) {
    books_lock hold(*this);
    count_mentions(refs, m);
    value = take({m.id, std::move(m.what)});
    hold.unlock();
    if (!value.has_value()) return end(wrong_message("a value outside of its segment"), true);
  }
  host->on_sealed(m.id, m.why, std::move(value));
}

void session_books::on(wire::here&& m) {
  values_in_hand unwanted, answer;
  session::fetched then;
  const char* wrong = nullptr;
  {
    books_lock hold(*this);
    count_mentions(refs, m);
    auto at = requests.find(m.ticket);
    request* r = at != requests.end() ? &at->second : nullptr;
    // From here on only take() needs memory, which lets nothing fall.
    unwanted.all.reserve(m.objects.size() + (r != nullptr ? r->got.size() : 0));
    answer.all.reserve(1);
    if (r != nullptr) r->got.reserve(r->got.size() + m.objects.size());
    for (wire::object_here& object : m.objects) {
      auto one = take(std::move(object));
      if (!one.has_value()) {
        wrong = "a value outside of its segment";
        break;
      }
      if (r == nullptr || !answer.all.empty()) {
        unwanted.all.push_back(std::move(*one));
      } else if (one->why.code() != errc::ok) {
        answer.all.push_back(std::move(*one));
      } else {
        r->got.push_back(std::move(*one));
        std::size_t i = r->got.size() - 1;
        if (i >= r->objects.size() || r->objects[i] != r->got[i].id)
          wrong = "an object not asked for";
      }
    }
    if (r != nullptr && wrong == nullptr) {
      if (!answer.all.empty()) {  // one failed: the rest is of no use
        for (arrived& each : r->got) unwanted.all.push_back(std::move(each));
        then = std::move(r->then);
      } else if (r->got.size() == r->objects.size()) {
        answer.all = std::move(r->got);
        then = std::move(r->then);
      }
      if (then) requests.erase(at);
    }
  }
  session_keeper::drop_all(unwanted.all);
  if (then) return then(std::exchange(answer.all, {}));
  session_keeper::drop_all(answer.all);
  if (wrong != nullptr) end(wrong_message(wrong), true);
}

void session_books::on(wire::leased&& m) {
  books_lock hold(*this);
  auto at = segments.find(m.where.segment);
  bool right = at != segments.end() && at->second.writable && !at->second.gone &&
               m.where.offset <= at->second.memory.bytes() &&
               m.where.size <= at->second.memory.bytes() - m.where.offset;
  auto asked = leases_asked.find(m.ticket);
  if (right && asked == leases_asked.end()) return give_back(m.where);  // nobody waits any more
  const bool whole = right && at->second.whole;
  if (right && (whole ? memory.add_whole(m.where) : memory.add(m.where)).has_value()) {
    lease_request& r = *asked->second;
    r.answered = true;
    if (!whole) r.got = carve(r.bytes);
    else if (r.whole && r.bytes <= m.where.size) r.got = block_at(m.where);
    leases_asked.erase(asked);
    if (r.generous) lease_bytes = std::min(2 * lease_bytes, lease_bytes_max);
    right = r.got.has_value();
    announce();
  } else {
    right = false;
  }
  hold.unlock();
  if (!right) end(wrong_message("a lease that cannot be"), true);
}

void session_books::on(wire::new_segment&& m, ports::descriptor descriptor) {
  if (index_reader::is_its(m.segment)) {
    books_lock hold(*this);
    return index.take(m, descriptor.number());
  }
  if (!std::in_range<std::size_t>(m.size)) {
    return end(wrong_message("a segment larger than this process can address"), true);
  }
  ports::memory_claim claim{
      .bytes = static_cast<std::size_t>(m.size), .writable = m.writable, .file = false};
  auto mapped = ports::map_shared_memory(descriptor.number(), claim);
  if (!mapped.has_value() && mapped.error().code() == errc::malformed) {
    claim.file = true;  // where memory is short a file stands in
    mapped = ports::map_shared_memory(descriptor.number(), claim);
  }
  books_lock hold(*this);
  bool is_new = !segments.contains(m.segment);
  if (is_new && mapped.has_value()) {
    segment& made = segments[m.segment];
    made.memory = std::move(*mapped);
    made.writable = m.writable;
    made.whole = m.whole && m.writable;
    if (made.whole) made.writer = std::move(descriptor);
    if (m.writable) post(wire::mapped{m.segment});
    return;
  }
  hold.unlock();
  end(is_new ? agent_lost_error(mapped.error()) : wrong_message("a segment twice"), true);
}

void session_books::on(wire::segment_gone&& m) {
  books_lock hold(*this);
  auto at = segments.find(m.segment);
  if (at == segments.end()) return post(wire::unmapped{m.segment});
  if (memory.has_lease_in(m.segment)) {
    hold.unlock();
    return end(wrong_message("the end of a segment that is leased"), true);
  }
  at->second.gone = true;
  if (at->second.uses == 0) unmap(at);
}

void session_books::on(wire::returned&& m) {
  books_lock hold(*this);
  give_back(take_back(m.where));
  announce();
}

void session_books::on(wire::execute&& m) {
  values_in_hand objects;
  bool right = true;
  {
    books_lock hold(*this);
    count_mentions(refs, m);
    objects.all.reserve(m.objects.size());
    for (wire::object_here& object : m.objects) {
      auto one = take(std::move(object));
      right = right && one.has_value();
      if (one.has_value()) objects.all.push_back(std::move(*one));
    }
  }
  if (right) return host->on_execute(std::move(m.what), std::exchange(objects.all, {}));
  session_keeper::drop_all(objects.all);
  end(wrong_message("a value outside of its segment"), true);
}

void session_books::on(wire::abort_call&& m) { host->on_abort(m.task, m.attempt); }

void session_books::on(wire::pressure&& m) {
  {
    books_lock hold(*this);
    for (const wire::extent& unused : memory.take_unused()) post(wire::unlease{unused});
    lease_bytes = lease_bytes_min;
  }
  host->on_pressure(m.size);
}

void session_books::on(wire::named&& m) {
  named_then then;
  {
    books_lock hold(*this);
    count_mentions(refs, m);
    if (auto asked = names_asked.extract(m.ticket); !asked.empty()) {
      then = std::move(asked.mapped());
    } else if (!m.actor.is_null()) {
      refs.let_go(m.actor);
    }
  }
  if (then) then(m.actor, std::move(m.why));
}

void session_books::on(wire::lent&& m) {
  answer_then then;
  {
    books_lock hold(*this);
    if (auto asked = answers_due.extract(m.ticket); !asked.empty())
      then = std::move(asked.mapped());
    else post(wire::repay{std::move(m.needs)});  // nobody waits any more
  }
  if (then) then(error());
}

void session_books::on(wire::actor_ended&& m) { host->on_actor_ended(m.actor, m.why); }

void session_books::on(wire::drain&&) { host->on_drain(); }

void session_books::on(wire::traced&& m) {
  if (!m.ran.empty()) host->on_ran(m.ran);
  books_lock hold(*this);
  auto asked = answers_due.extract(m.ticket);
  hold.unlock();
  if (!asked.empty()) asked.mapped()({});
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
