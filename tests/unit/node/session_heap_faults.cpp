// SPDX-License-Identifier: Apache-2.0
// Memory runs out in a session, at each of its allocations: it is lost, which everybody who waits
// for something of it is told once, and nothing is left.
#include <doctest/doctest.h>

#include "session_box.hpp"
#include "tests/unit/seeds.hpp"

namespace session_heap_faults {
using namespace session_box;

namespace {
constexpr std::size_t segment_bytes = 1 << 20;

/// A program that does a little of everything.
struct faulty_program : box {
  std::size_t asked = 0, answered = 0;
  std::optional<error> unopened;

  template <class F>
  auto in_session(F&& what) {
    heap::counting inside(true);
    return what();
  }
  void ask(std::vector<object_id> objects) {
    ++asked;
    node::session::fetched then = [this](auto what) {
      heap::counting outside(false);
      answers.push_back(std::move(what));
    };
    in_session([&] { session.require(objects, 0, ~std::uint64_t{0}, std::move(then)); });
  }
  auto noting() {
    return [this](const auto&...) {
      heap::counting outside(false);
      ++answered;
    };
  }

  void run() {
    with->turns.push_back([this] { welcome(); });
    auto link = std::make_unique<script_link>(with);
    node::session_options options;
    options.program = "a program with a name that needs the heap";
    options.now_ns = [s = with] { return s->now; };
    auto opened = in_session([&] { return session.open(std::move(link), options, second); });
    if (!opened.has_value()) {
      unopened = opened.error();
      return;
    }
    segment(7, segment_bytes, false);
    make_objects();
    read_objects();
    submit_and_serve();
    ask_and_borrow();
    say(wire::pressure{.size = 1});
    in_session([&] { session.flush(); });
  }

  void make_objects() {
    with->turns.push_back([this] {
      auto lease = said<wire::lease>();
      if (lease.empty()) return;
      segment(3, segment_bytes, true);
      say(wire::leased{lease.back().ticket, {3, 0, segment_bytes}});
    });
    auto block = in_session([&] { return session.allocate(1000, second); });
    auto unused = in_session([&] { return session.allocate(70'000, second); });
    for (int i = 0; i < 3; ++i) {
      object_id id = session.mint();
      node::made value;
      if (i == 0 && block.has_value()) {
        value.place = *block;
        value.size = 1000;
      } else {
        value.inline_bytes.resize(100);
      }
      in_session([&] {
        session.publish(id);
        session.fulfil(id, std::move(value));
        session.retain(id);
        session.let_go(id);
        session.let_go(id);
      });
    }
    if (unused.has_value()) in_session([&] { session.free(*unused); });
  }

  void read_objects() {
    ask({other_id(1), other_id(2), other_id(3)});
    ask({other_id(4)});
    ask({other_id(5)});
    auto questions = said<wire::require>();
    if (questions.size() < 3) return;
    say(wire::here{questions[0].ticket,
                   {inline_object(other_id(1), 100, {other_id(20), other_id(21)}),
                    stored_object(other_id(2), {7, 0, 4096})}});
    say(wire::here{questions[0].ticket, {stored_object(other_id(3), {7, 8192, 100})}});
    say(wire::here{questions[1].ticket, {failed_object(other_id(4), errc::object_lost)}});
    with->turns.push_back([this] {
      auto last = said<wire::require>().back();
      say(wire::here{last.ticket, {inline_object(other_id(6))}});
    });
    const object_id wanted[] = {other_id(6)};
    auto fetched = in_session([&] { return session.fetch(wanted, 0, second); });
    if (fetched.has_value()) in_session([&] { drop(*fetched); });
    for (auto& each : answers)
      if (each.has_value()) in_session([&] { drop(*each); });
  }

  void submit_and_serve() {
    wire::call call;
    call.task = session.mint();
    call.function = "a function with a long name, and an argument";
    call.arguments.emplace_back().inline_value.resize(100);
    call.results.push_back(session.mint());
    object_id result = call.results.front();
    const bool sent = in_session([&] { return session.submit(std::move(call)); }).has_value();
    wire::sealed news;
    news.id = result;
    news.has_value = true;
    news.what.body = wire::bytes(200);
    if (sent) say(std::move(news));
    wire::execute run;
    run.what.task = other_id(9);
    run.objects.push_back(inline_object(other_id(10), 100, {other_id(11)}));
    say(std::move(run));
    std::vector<node::made> results(1);
    results[0].inline_bytes.resize(300);
    in_session([&] { session.done(other_id(9), 0, std::move(results)); });
    for (auto& each : host.calls) in_session([&] { drop(each.objects); });
    for (auto& each : host.sealed)
      if (each.value.has_value()) in_session([&] { drop(*each.value); });
  }

  void ask_and_borrow() {
    asked += 2;
    const std::string space = "a space with a long enough name", name = "as long for the actor";
    std::vector<wire::need> needs{{"gpu", 10'000}};
    std::function<void(object_id, error)> named = noting();
    std::function<void(error)> lent = noting();
    in_session([&] {
      session.name_actor(space, name, other_id(12), true, std::move(named));
      session.borrow(std::move(needs), std::move(lent));
      session.end_actor(other_id(12), true);
      session.cancel(other_id(13), true, true);
    });
    ask({other_id(14)});
  }
};

/// Whether there was an n-th allocation to fail.
bool fails_at(std::uint64_t n, bool and_all_after) {
  CAPTURE(n);
  faulty_program p;
  heap::fail_at(n, and_all_after);
  p.run();
  const bool came = heap::has_failed();
  const bool is_lost = p.session.lost();
  // As a link does that was given up.
  if (p.with->given_up) p.session.on_lost(error(errc::closed));
  heap::fail_at(0);
  if (p.with->given_up) CHECK(is_lost);
  if (is_lost && !p.unopened.has_value()) {
    REQUIRE(p.host.lost.size() == 1);
    CHECK(p.host.lost[0].code() == errc::agent_lost);
    if (!and_all_after) CHECK(p.host.lost[0].cause() == "this program ran out of memory");
    CHECK(p.answers.size() + p.answered == p.asked);
    CHECK(p.session.allocate(100, second).error().code() == errc::agent_lost);
  }
  if (p.unopened.has_value()) CHECK(came);
  p.session.close();
  CHECK(p.answers.size() + p.answered == p.asked);
  return came;
}
}  // namespace

TEST_CASE("memory that runs out at any allocation of a session loses it, and everybody is told") {
  bool and_all_after = false;
  SUBCASE("where there is some again") {}
  SUBCASE("and stays away") { and_all_after = true; }
  std::uint64_t faults = 0;
  while (fails_at(faults + 1, and_all_after)) ++faults;
  CHECK(faults > 80);
}

}  // namespace session_heap_faults
