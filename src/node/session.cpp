// SPDX-License-Identifier: Apache-2.0
// What the program says and asks.
#include "node/session.hpp"

#include <algorithm>
#include <utility>

#include "node/link_error.hpp"
#include "node/session_books.hpp"
#include "node/session_keeper.hpp"
#include "node/siphash.hpp"
#include "ports/threads.hpp"
#include "wire/encoding.hpp"
#include "wire/limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
base::time_ns time_after(base::time_ns start, base::time_ns span) {
  return span > base::never_ns - start ? base::never_ns : start + span;
}

/// An answer that its asker waits for. Whoever reads brings it, the asker itself perhaps.
template <class T>
struct awaited {
  std::atomic<std::uint32_t> is_here{0};
  const std::uint64_t waiter = ports::thread::current_id();
  std::optional<result<T>> what;

  void come(result<T> answer) {
    what.emplace(std::move(answer));
    is_here.store(1, std::memory_order_release);
    if (ports::thread::current_id() != waiter) ports::wake_one(is_here);
  }
  /// `take_back`: true when the question was still open, and nobody will answer it now.
  template <class TakeBack>
  result<T> wait(session_books& b, base::time_ns until_ns, TakeBack&& take_back) {
    if (!b.wait(is_here, 0, time_after(until_ns, b.grace_ns)) && take_back()) {
      books_lock hold(b);
      return b.is_dead() ? b.dead : link_error(errc::timeout, "the agent did not answer in time");
    }
    // Another thread is about to answer, if it has not.
    while (is_here.load(std::memory_order_acquire) == 0) ports::wait_on(is_here, 0, b.slice_ns);
    return std::move(*what);
  }
};

/// False: no memory for it.
template <class T>
bool make_awaited(std::shared_ptr<awaited<T>>& box, std::function<void(result<T>)>& then) {
  return sched::try_allocate([&] {
    box = std::make_shared<awaited<T>>();
    then = [box](result<T> what) { box->come(std::move(what)); };
  });
}
bool make_awaited(std::shared_ptr<awaited<bool>>& box, std::function<void(error)>& then) {
  return sched::try_allocate([&] {
    box = std::make_shared<awaited<bool>>();
    then = [box](error why) {
      if (why.code() == errc::ok) box->come(true);
      else box->come(std::move(why));
    };
  });
}

/// Nothing was begun.
error caller_out_of_memory() { return error(errc::no_memory, error_layer::node); }
}  // namespace

session::session(session_host& host) : books_(std::make_shared<session_books>(host)) {}

session::~session() { close(); }

result<void> session::open(std::unique_ptr<agent_link> link, const session_options& options,
                           base::time_ns timeout_ns) {
  session_books& b = *books_;
  base::time_ns until_ns = 0;
  (void)b.keep([&] {
    books_lock hold(b);
    if (b.is_dead()) return;
    BEAMLET_ASSERT(b.link == nullptr, "a session is opened once");
    b.link = std::move(link);
    b.now_ns = options.now_ns;
    b.secret = options.secret;
    until_ns = time_after(b.now_ns(), timeout_ns);
    wire::hello hello{.version = wire::format_version,
                      .functions_hash = options.functions_hash,
                      .program = options.program,
                      .worker = options.worker,
                      .slots = options.slots,
                      .has_entry = options.has_entry};
    b.post(std::move(hello));
  });
  {
    books_lock hold(b);
    ++b.waiting;
  }
  for (bool in_time = true;;) {
    std::uint32_t seen = 0;
    {
      books_lock hold(b);
      bool is_over = b.is_welcome || b.is_dead() || !in_time;
      if (is_over) --b.waiting;
      if (b.is_dead()) return b.dead;
      if (b.is_welcome) return {};
      if (is_over) break;
      seen = b.news.load(std::memory_order_relaxed);
    }
    in_time = b.wait(b.news, seen, until_ns);
  }
  close();
  return link_error(errc::timeout, "the agent did not answer in time");
}

void session::close(std::vector<wire::trace> ran) {
  session_books& b = *books_;
  std::shared_ptr<agent_link> last;
  (void)b.keep([&] {
    books_lock hold(b);
    if (b.link != nullptr) b.post(wire::bye{std::move(ran)});
  });
  {
    books_lock hold(b);
    if (!b.is_dead()) b.dead = error(errc::closed, error_layer::node);
    last = std::exchange(b.link, nullptr);
  }
  b.end(error(), false);  // with the reason that is there
}

void session::give_up() {
  std::lock_guard hold(books_->lock);
  books_->lose();
}

void session::look() {
  if (books_->told.load(std::memory_order_relaxed) == ports::thread::current_id()) return;
  std::shared_ptr<agent_link> reading;
  {
    books_lock hold(*books_);
    reading = books_->link;
  }
  if (reading != nullptr && reading->read_by_this_thread()) reading->pump(0);
}

bool session::lost() const {
  books_lock hold(*books_);
  return books_->is_dead();
}

bool session::forked() const { return books_->forked(); }

std::uint64_t session::inline_max() const {
  books_lock hold(*books_);
  return books_->welcome.inline_max;
}

bool session::behind() const {
  books_lock hold(*books_);
  return !books_->backlog.empty();
}

void session::flush() {
  (void)books_->keep([this] {
    books_lock hold(*books_);
    books_->drain();
  });
}

// -- ids

object_id session::mint() {
  session_books& b = *books_;
  std::uint64_t sequence = b.minted.fetch_add(1, std::memory_order_relaxed) + 1;
  return {.node = b.welcome.node,
          .boot = b.welcome.boot,
          .session = b.welcome.session,
          .sequence = sequence,
          .guard = siphash(b.secret, sequence)};
}

void session::publish(const object_id& id) {
  (void)books_->keep([&] {
    books_lock hold(*books_);
    books_->refs.retain(id);
    books_->post(wire::publish{id});
  });
}

void session::retain(const object_id& id) {
  (void)books_->keep([&] {
    books_lock hold(*books_);
    if (books_->refs.retain(id)) books_->post(wire::hold{id});
  });
}

void session::let_go(const object_id& id) {
  (void)books_->keep([&] {
    books_lock hold(*books_);
    books_->refs.let_go(id);
    books_->flush_if_many();
  });
}

void session::fulfil(const object_id& id, made value) {
  session_books& b = *books_;
  (void)b.keep([&] {
    books_lock hold(b);
    std::vector<wire::extent> leases;
    b.post(wire::fulfil{id, b.encode(std::move(value), leases)});
    for (const wire::extent& lease : leases) b.give_back(lease);
  });
}

// -- values

std::uint64_t session::require(std::span<const object_id> objects, std::uint8_t urgency,
                               base::time_ns deadline_ns, fetched then) {
  session_books& b = *books_;
  if (auto shown = b.take_shown(objects)) {
    then(std::move(*shown));
    return 0;
  }
  auto sent = b.kept_answer([&]() -> result<std::uint64_t> {
    books_lock hold(b);
    if (b.is_dead()) return b.dead;
    if (objects.size() > wire::limits::ids_max)
      return link_error(errc::too_large, "more objects than one request may name (ids_max)");
    if (b.requests.size() >= requests_max)
      return link_error(errc::queue_full, "too many requests wait for an answer (requests_max)");
    std::vector<object_id> names(objects.begin(), objects.end());
    std::uint64_t ticket = ++b.tickets;
    BEAMLET_TRY_VOID(b.ask(wire::require{ticket, names, urgency, deadline_ns}));
    session_books::request& asked = b.requests[ticket];
    asked.objects = std::move(names);
    asked.then = std::move(then);
    return ticket;
  });
  if (sent.has_value()) return *sent;
  then(sent.error());
  return 0;
}

bool session::abandon(std::uint64_t ticket) {
  session_books& b = *books_;
  decltype(b.requests)::node_type unwanted;
  (void)b.keep([&] {
    books_lock hold(b);
    unwanted = b.requests.extract(ticket);
    if (!unwanted.empty()) b.post(wire::abandon{ticket});
  });
  if (unwanted.empty()) return false;
  session_keeper::drop_all(unwanted.mapped().got);
  return true;
}

result<std::vector<arrived>> session::fetch(std::span<const object_id> objects,
                                            std::uint8_t urgency, base::time_ns timeout_ns) {
  base::time_ns now = books_->now_ns();
  if (auto shown = books_->take_shown(objects)) {
    // A thread that only does this may be the one that has to read, as it did while it waited.
    if (now >= books_->looks_at_ns.load(std::memory_order_relaxed)) {
      books_->looks_at_ns.store(now + session_books::between_looks_ns, std::memory_order_relaxed);
      flush();
      look();
    }
    return std::move(*shown);
  }
  base::time_ns until_ns = time_after(now, timeout_ns);
  std::shared_ptr<awaited<std::vector<arrived>>> box;
  fetched then;
  if (!make_awaited(box, then)) return caller_out_of_memory();
  std::uint64_t ticket = require(objects, urgency, until_ns, std::move(then));
  return box->wait(*books_, until_ns, [&] { return abandon(ticket); });
}

// -- memory

result<block> session::allocate(std::uint64_t bytes, base::time_ns timeout_ns) {
  session_books& b = *books_;
  if (carver::rounded(bytes) == 0)
    return link_error(errc::too_large, "no store has so many bytes at once");
  session_books::lease_request mine{.bytes = bytes, .whole = false, .generous = true};
  auto got = b.kept_answer([&] { return b.await_block(mine, timeout_ns); });
  if (got.has_value()) return got;
  books_lock hold(b);  // where memory ran out it may still be among those
  std::erase_if(b.leases_asked, [&mine](const auto& each) { return each.second == &mine; });
  return got;
}

result<block> session_books::await_block(lease_request& r, base::time_ns timeout_ns) {
  base::time_ns until_ns = base::never_ns;
  books_lock hold(*this);
  if (!is_dead()) until_ns = time_after(now_ns(), timeout_ns);
  r.whole = welcome.whole_from != 0 && r.bytes >= welcome.whole_from;
  for (bool in_time = true;;) {
    std::optional<block> got = r.got;
    if (!got.has_value() && !is_dead() && !r.whole) got = carve(r.bytes);
    result<void> failed;
    if (is_dead()) failed = dead;
    else if (r.answered && !r.generous) failed = r.why;
    else if (!in_time) failed = link_error(errc::timeout, "no memory came in time");
    else if (!got.has_value()) failed = ask_for_lease(r, until_ns);
    if (got.has_value() || !failed.has_value()) {
      forget_lease(r);
      if (got.has_value()) return *got;
      return failed.error();
    }
    std::uint32_t seen = news.load(std::memory_order_relaxed);
    ++waiting;
    hold.unlock();
    in_time = wait(news, seen, time_after(until_ns, grace_ns));
    hold.lock();
    --waiting;
  }
}

void session::free(const block& unused) {
  session_books& b = *books_;
  (void)b.keep([&] {
    books_lock hold(b);
    BEAMLET_ASSERT(b.memory.is_building(unused.where), "a block is freed once, unless published");
    auto kept = b.kept.extract(session_books::place_of(unused.where));
    bool is_object = !kept.empty() && !kept.mapped().gone;
    if (b.segments.at(unused.where.segment).whole) b.give_back(b.memory.release(unused.where));
    else
      b.give_back(is_object ? b.memory.publish(unused.where, kept.mapped().size)
                            : b.memory.free(unused.where));
    b.unuse(unused.where.segment);
  });
}

// -- calls

result<void> session::submit(wire::call call) {
  session_books& b = *books_;
  return b.kept_answer([&]() -> result<void> {
    std::vector<object_id> counted = call.results;
    if (call.kind == wire::call_kind::create_actor) counted.push_back(call.actor);
    books_lock hold(b);
    BEAMLET_TRY_VOID(b.ask(wire::submit{std::move(call)}));
    for (const object_id& id : counted) b.refs.retain(id);
    return {};
  });
}

void session::post(wire::to_agent message) {
  (void)books_->keep([&] {
    books_lock hold(*books_);
    books_->post(std::move(message));
  });
}

void session::cancel(const object_id& task, bool force, bool recursive) {
  post(wire::cancel{task, force, recursive});
}

void session::done(const object_id& task, std::uint32_t attempt, std::vector<made> results,
                   std::vector<wire::trace> ran) {
  session_books& b = *books_;
  (void)b.keep([&] {
    books_lock hold(b);
    std::vector<wire::extent> leases;
    wire::done message{.task = task, .attempt = attempt, .results = {}, .ran = std::move(ran)};
    for (made& each : results) message.results.push_back(b.encode(std::move(each), leases));
    b.post(std::move(message));
    for (const wire::extent& lease : leases) b.give_back(lease);
  });
}

void session::lend_cpu(const object_id& task, std::uint32_t attempt, bool lent) {
  post(wire::lend_cpu{task, attempt, lent});
}

void session::end_actor(const object_id& actor, bool kill) { post(wire::end_actor{actor, kill}); }

std::uint64_t session::name_actor(const std::string& space, const std::string& name,
                                  const object_id& actor, bool create,
                                  std::function<void(object_id, error)> then) {
  session_books& b = *books_;
  auto sent = b.kept_answer([&]() -> result<std::uint64_t> {
    books_lock hold(b);
    std::uint64_t ticket = ++b.tickets;
    if (b.names_asked.size() >= requests_max)
      return link_error(errc::queue_full, "too many names were asked for (requests_max)");
    BEAMLET_TRY_VOID(b.ask(wire::name_actor{ticket, space, name, actor, create}));
    b.names_asked[ticket] = std::move(then);
    return ticket;
  });
  if (sent.has_value()) return *sent;
  then({}, sent.error());
  return 0;
}

result<object_id> session::ask_name(const std::string& space, const std::string& name,
                                    const object_id& actor, bool create, base::time_ns timeout_ns) {
  base::time_ns until_ns = time_after(books_->now_ns(), timeout_ns);
  std::shared_ptr<awaited<object_id>> box;
  std::function<void(object_id, error)> then;
  const bool whole = sched::try_allocate([&] {
    box = std::make_shared<awaited<object_id>>();
    then = [this, box](object_id id, error why) {
      if (why.code() == errc::ok) return box->come(id);
      if (!id.is_null()) let_go(id);
      box->come(std::move(why));
    };
  });
  if (!whole) return caller_out_of_memory();
  std::uint64_t ticket = name_actor(space, name, actor, create, std::move(then));
  return box->wait(*books_, until_ns, [&] {
    books_lock hold(*books_);
    return !books_->names_asked.extract(ticket).empty();  // a later answer is let go of
  });
}

result<void> session::collect(base::time_ns timeout_ns) {
  session_books& b = *books_;
  std::shared_ptr<awaited<bool>> box;
  std::function<void(error)> then;
  if (!make_awaited(box, then)) return caller_out_of_memory();
  std::uint64_t ticket = 0;
  base::time_ns until_ns = 0;
  BEAMLET_TRY_VOID(b.kept_answer([&]() -> result<void> {
    books_lock hold(b);
    if (b.is_dead()) return b.dead;
    until_ns = time_after(b.now_ns(), timeout_ns);
    ticket = ++b.tickets;
    BEAMLET_TRY_VOID(b.ask(wire::collect{ticket}));
    b.answers_due[ticket] = std::move(then);
    return {};
  }));
  auto answer = box->wait(b, until_ns, [&] {
    books_lock hold(b);
    return !b.answers_due.extract(ticket).empty();
  });
  if (answer.has_value()) return {};
  return std::move(answer).error();
}

// -- resources

std::vector<wire::need> session::resources() const {
  books_lock hold(*books_);
  return books_->welcome.resources;
}

std::uint64_t session::borrow(std::vector<wire::need> needs, std::function<void(error)> then) {
  session_books& b = *books_;
  auto sent = b.kept_answer([&]() -> result<std::uint64_t> {
    books_lock hold(b);
    std::uint64_t ticket = ++b.tickets;
    BEAMLET_TRY_VOID(b.ask(wire::borrow{.ticket = ticket, .needs = std::move(needs)}));
    b.answers_due[ticket] = std::move(then);
    return ticket;
  });
  if (sent.has_value()) return *sent;
  then(sent.error());
  return 0;
}

result<void> session::await_loan(std::vector<wire::need> needs, base::time_ns timeout_ns) {
  base::time_ns until_ns = time_after(books_->now_ns(), timeout_ns);
  std::shared_ptr<awaited<bool>> box;
  std::function<void(error)> then;
  if (!make_awaited(box, then)) return caller_out_of_memory();
  std::uint64_t ticket = borrow(std::move(needs), std::move(then));
  auto lent = box->wait(*books_, until_ns, [&] {
    books_lock hold(*books_);
    return !books_->answers_due.extract(ticket).empty();
  });
  if (!lent.has_value()) return std::move(lent).error();
  return {};
}

void session::borrow_at_once(std::vector<wire::need> needs) {
  post(wire::borrow{.ticket = 0, .needs = std::move(needs), .at_once = true});
}

void session::repay(std::vector<wire::need> needs) { post(wire::repay{std::move(needs)}); }

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
