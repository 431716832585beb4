// SPDX-License-Identifier: Apache-2.0
// Actors in worker processes as their agent sees them: programs make, call and kill them, and both
// they and the processes die at random instants, some for lack of memory, all from seeds.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "agent_box.hpp"
#include "base/rng.hpp"
#include "tests/unit/seeds.hpp"

namespace agent_actors {

using namespace agent_test;

/// What a program knows of an actor that it calls.
struct callee {
  std::array<std::uint64_t, 2> sequence{};  // of its two callers
};

struct session_of_world {
  std::shared_ptr<client> link;
  std::map<object_id, callee> actors;  // held
  std::set<object_id> waiting;         // results that were not told yet
  std::deque<wire::execute> running;
  object_id hosts;  // the actor that lives here
  bool draining = false, left = false;
};

class actor_world final {
 public:
  explicit actor_world(std::uint64_t seed) : b(options(), seed), random_(seed * 2 + 1) {
    for (int i = 0; i < 3; ++i) open(0);
  }

  void run(unsigned steps) {
    for (unsigned n = 0; n < steps && wrong.empty(); ++n) step();
    finish();
  }

  box b;
  std::string wrong;
  std::size_t made = 0, again = 0, called = 0, deaths = 0, failed = 0;

 private:
  static node::agent_options options() {
    node::agent_options o = small_options();
    o.cpus = 4;
    o.limits.workers_max = 5;
    o.limits.worker_idle_ns = 5'000'000'000;
    o.limits.calls_ahead_max = 2;
    o.limits.memory_backoff_ns = 1'000'000;
    o.limits.memory_backoff_ns_max = 10'000'000;
    o.memory_watch_ns = 5'000'000;
    return o;
  }
  bool chance(unsigned percent) { return random_.below(100) < percent; }
  void fail(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }
  void open(std::uint64_t pool) {
    auto link = b.open(pool);
    all_[link->number].link = link;
  }
  session_of_world* pick(bool program) {
    std::vector<session_of_world*> some;
    for (auto& [number, s] : all_)
      if ((s.link->pool == 0) == program) some.push_back(&s);
    if (some.empty()) return nullptr;
    return some[random_.below(static_cast<std::uint32_t>(some.size()))];
  }
  void say(session_of_world& s, wire::to_agent m) {
    if (!s.left) s.link->outbox.push_back(std::move(m));
  }

  void step();
  void act(session_of_world& s);
  void submit(session_of_world& s, wire::call_kind kind, const object_id& actor);
  void hear(session_of_world& s, wire::to_session m);
  void execute(session_of_world& s, wire::execute&& e);
  void end_call(session_of_world& s);
  void deliver();
  void serve_world();
  void die(std::uint32_t number);
  void finish();

  beamlet::base::rng random_;
  std::map<std::uint32_t, session_of_world> all_;
  /// Of each life of an actor and each caller: the last call that began.
  std::map<std::tuple<object_id, std::uint32_t, std::uint32_t, std::uint64_t>, std::uint64_t>
      begun_;
};

void actor_world::submit(session_of_world& s, wire::call_kind kind, const object_id& actor) {
  wire::call call;
  call.task = s.link->mint();
  call.function = "f";
  call.kind = kind;
  call.actor = actor;
  call.options.retries = static_cast<std::int32_t>(random_.below(3)) - 1;
  call.results.push_back(s.link->mint());
  if (kind == wire::call_kind::actor_call) {
    call.caller = random_.below(2);
    call.sequence = s.actors[actor].sequence.at(call.caller)++;
  } else {
    call.options.where = wire::isolation::process;
    call.options.restarts = static_cast<std::int32_t>(random_.below(4)) - 1;
  }
  s.waiting.insert(call.results.back());
  say(s, wire::submit{call});
  if (chance(5)) say(s, wire::cancel{.task = call.task, .force = chance(50)});
}

void actor_world::act(session_of_world& s) {
  object_id known;
  if (!s.actors.empty()) {
    auto at = s.actors.begin();
    std::advance(at, random_.below(static_cast<std::uint32_t>(s.actors.size())));
    known = at->first;
  }
  switch (random_.below(10)) {
    case 0:
      if (s.actors.size() >= 3) break;
      known = s.link->mint();
      s.actors[known];
      submit(s, wire::call_kind::create_actor, known);
      break;
    case 1:
      if (chance(50)) submit(s, wire::call_kind::task, {});
      break;
    case 2:
      if (known.is_null() || chance(60)) break;
      say(s, wire::release{.id = known, .mentions = 0});
      s.actors.erase(known);
      break;
    case 3:
      if (!known.is_null() && chance(20))
        say(s, wire::end_actor{.actor = known, .kill = chance(50)});
      break;
    case 4:  // a handle goes to another program
      if (session_of_world* to = pick(true); !known.is_null() && to->actors.size() < 5) {
        if (to->actors.contains(known)) break;
        to->actors[known];
        say(*to, wire::hold{known});
      }
      break;
    default:
      if (!known.is_null()) submit(s, wire::call_kind::actor_call, known);
  }
}

// What a worker process must be able to rely on.
void actor_world::execute(session_of_world& s, wire::execute&& e) {
  const wire::call& c = e.what;
  if (c.kind == wire::call_kind::actor_call) {
    ++called;
    if (s.hosts != c.actor) fail("a call to an actor that does not live here");
    const std::uint32_t submitter = c.task.session;
    auto [at, first] =
        begun_.try_emplace({c.actor, s.link->number, submitter, c.caller}, c.sequence);
    if (!first && at->second >= c.sequence) fail("a caller's calls are out of order");
    at->second = c.sequence;
  } else {
    if (!s.hosts.is_null()) fail("something else runs where an actor lives");
    if (!s.running.empty()) fail("two calls at a time");
    if (c.kind == wire::call_kind::create_actor) {
      s.hosts = c.actor;
      ++made;
      again += c.attempt > 0;
    }
  }
  s.running.push_back(std::move(e));
  if (s.running.size() > 3) fail("more calls at a time than were allowed");
}

void actor_world::end_call(session_of_world& s) {
  wire::execute e = std::move(s.running.front());
  s.running.pop_front();
  wire::done m{.task = e.what.task, .attempt = e.what.attempt, .results = {}};
  for (std::size_t i = 0; i < e.what.results.size(); ++i) {
    m.results.emplace_back();
    if (chance(5)) m.results.back().body = error(errc::invalid_argument);
    else m.results.back().body = wire::bytes(8);
  }
  // A constructor that fails leaves the process to others.
  if (e.what.kind == wire::call_kind::create_actor && !m.results.empty() &&
      std::holds_alternative<error>(m.results.front().body))
    s.hosts = {};
  say(s, std::move(m));
}

void actor_world::hear(session_of_world& s, wire::to_session m) {
  if (auto* run = std::get_if<wire::execute>(&m)) {
    execute(s, std::move(*run));
  } else if (auto* told = std::get_if<wire::sealed>(&m)) {
    s.waiting.erase(told->id);
    failed += told->why.code() != errc::ok;
    say(s, wire::release{.id = told->id, .mentions = told->has_value ? 1u : 0u});
  } else if (auto* ended = std::get_if<wire::actor_ended>(&m)) {
    if (ended->why.code() == errc::ok) fail("an actor ended without a reason");
  } else if (auto* refused = std::get_if<wire::refused>(&m)) {
    // A handle of what is no more.
    if (refused->fatal || refused->why.code() != errc::not_found)
      fail("refused: " + refused->why.describe());
  } else if (std::holds_alternative<wire::drain>(m)) {
    s.draining = true;
  }
}

void actor_world::deliver() {
  for (auto& [number, s] : all_) {
    if (!s.link->outbox.empty() && chance(70)) {
      wire::to_agent m = std::move(s.link->outbox.front());
      s.link->outbox.pop_front();
      if (s.link->connected) b.agent->on_message(number, std::move(m));
    }
    if (!s.link->heard.empty() && chance(70)) {
      wire::to_session m = std::move(s.link->heard.front());
      s.link->heard.pop_front();
      hear(s, std::move(m));
    }
    if (!s.running.empty() && chance(30)) end_call(s);
  }
}

void actor_world::die(std::uint32_t number) {
  ++deaths;
  if (chance(50) && all_.at(number).link->connected) b.agent->on_closed(number, errc::closed);
  b.agent->process_ended(number, 9, {});
  if (all_.at(number).link->connected) b.agent->on_closed(number, errc::closed);
  all_.erase(number);
}

void actor_world::serve_world() {
  for (std::uint32_t number : std::exchange(b.killed, {}))
    if (all_.contains(number)) die(number);
  for (const node::worker_wish& wish : std::exchange(b.wishes, {})) {
    if (chance(5)) b.agent->worker_failed(wish.pool, errc::exhausted);
    else open(wish.pool);
  }
  std::vector<std::uint32_t> gone;
  for (auto& [number, s] : all_) {
    if (s.draining && s.running.empty() && !s.left) {
      say(s, wire::bye{});
      s.left = true;
    }
    if (!s.link->connected || (s.left && s.link->outbox.empty())) gone.push_back(number);
  }
  for (std::uint32_t number : gone) die(number);
}

void actor_world::step() {
  if (session_of_world* s = pick(true); s != nullptr && chance(60)) act(*s);
  deliver();
  if (chance(30)) b.port.turn(b.port.now_ns() + random_.below(3'000'000));
  b.agent->advance();
  if (std::string what = b.agent->check(); !what.empty()) fail(what);
  serve_world();
  if (chance(2))
    if (session_of_world* s = pick(false)) die(s->link->number);
  if (chance(1)) b.memory_now.used = chance(30) ? b.memory_now.limit : 0;
  if (chance(1) && chance(20)) {
    die(pick(true)->link->number);
    open(0);
  }
}

// Every result is told as long as its program lives; once nobody holds an actor, nothing is left.
void actor_world::finish() {
  auto waits = [&] {
    return std::any_of(all_.begin(), all_.end(), [](const auto& each) {
      return !each.second.waiting.empty() || !each.second.link->outbox.empty() ||
             !each.second.link->heard.empty();
    });
  };
  auto round = [&] {
    deliver();
    b.port.turn(std::min(b.agent->next_ns(), b.port.now_ns() + 1'000'000));
    b.agent->advance();
    if (std::string what = b.agent->check(); !what.empty()) fail(what);
    serve_world();
  };
  b.memory_now.used = 0;
  // Actors that are held take the processes that the others wait for.
  for (auto& [number, s] : all_)
    for (auto& [id, known] : std::exchange(s.actors, {}))
      say(s, wire::release{.id = id, .mentions = 0});
  for (int n = 0; n < 20'000 && waits() && wrong.empty(); ++n) round();
  if (wrong.empty() && waits()) return fail("a call was never answered");
  for (int n = 0; n < 200 && wrong.empty(); ++n) round();
  const auto left = b.agent->look().counts;
  if (left.actors != 0) fail("an actor that nobody holds is left");
  if (left.tasks + left.objects + left.waits != 0) fail("node_state keeps something");
  for (auto& [number, s] : all_)
    if (!s.hosts.is_null()) fail("the process of an actor that has ended is left");
  while (!all_.empty()) die(all_.begin()->first);
  b.agent->advance();
  if (b.agent->sessions() != 0) fail("a session is left");
}

constexpr std::uint64_t worlds = seeds(200);

TEST_CASE("actors keep each caller's order and their process, whoever dies, and leave nothing") {
  std::size_t made = 0, again = 0, called = 0, deaths = 0, failed = 0;
  for (std::uint64_t seed = 1; seed <= worlds; ++seed) {
    CAPTURE(seed);
    actor_world w(seed);
    w.run(2000);
    CHECK(w.wrong == "");
    made += w.made;
    again += w.again;
    called += w.called;
    deaths += w.deaths;
    failed += w.failed;
  }
  // That it went where it was meant to go.
  CHECK(made > 10 * worlds);
  CHECK(again > 2 * worlds);
  CHECK(called > 50 * worlds);
  CHECK(deaths > 10 * worlds);
  CHECK(failed > 10 * worlds);
}

}  // namespace agent_actors
