// SPDX-License-Identifier: Apache-2.0
// Sessions that misbehave and systems that have too little, each with the stated result: only that
// session suffers, the error names the limit and the remedy, nothing else is lost, and the agent
// lives. With real processes: tests/kill9/conduct_test.cpp; what disks do: agent_spill_test.cpp.
#include <doctest/doctest.h>

#include "../ports/limit_for_now.hpp"
#include "../ports/scratch_folder.hpp"
#include "agent_box.hpp"

namespace bad_input_test {

using namespace agent_test;

bool mentions(const error& why, std::string_view text) {
  return why.describe().find(text) != std::string::npos;
}

/// A good session beside the bad one: what it has stays right, and it can have more.
struct neighbour {
  explicit neighbour(box& in) : b(in), session(in.join()), first(session->mint()) {
    REQUIRE(b.put(*session, first, 100'000).size == 100'000);
  }
  void expect_unharmed() {
    object_id more = session->mint();
    CHECK(b.put(*session, more, 100'000).size == 100'000);
    for (const object_id& id : {first, more}) {
      auto object = b.get(*session, id);
      REQUIRE(object.has_value());
      REQUIRE(std::holds_alternative<wire::extent>(object->what.body));
      CHECK(session->reads_as(id, std::get<wire::extent>(object->what.body)));
      b.say(*session, wire::unpin{{id}});
    }
    b.say(*session, wire::release{.id = more, .mentions = 1});
    CHECK(session->connected);
    CHECK(b.complaint == "");
  }

  box& b;
  std::shared_ptr<client> session;
  object_id first;
};

TEST_CASE("maps wrongly: who says so of another's segment, or of none, changes nothing") {
  box b;
  neighbour good(b);
  auto bad = b.join();
  auto leasing = b.join();
  leasing->maps_own = false;
  b.say(*leasing, wire::lease{.ticket = 1, .size = 4096});
  const wire::extent where = leasing->take<wire::leased>().value().where;
  b.say(*bad, wire::mapped{where.segment});
  b.say(*bad, wire::unmapped{where.segment});
  b.say(*bad, wire::mapped{4711});
  b.say(*bad, wire::unmapped{4711});
  // Not sealed by somebody else's word.
  object_id id = leasing->mint();
  b.say(*leasing, wire::publish{id});
  b.say(*leasing, wire::fulfil{id, {.body = where, .contained = {}}});
  auto object = b.get(*leasing, id);
  REQUIRE(object.has_value());
  CHECK(std::get<error>(object->what.body).code() == errc::permission);
  good.expect_unharmed();
}

TEST_CASE("maps wrongly: a reader cannot map what it was shown for writing") {
  node::agent_options options = small_options();
  scratch_folder folder;
  SUBCASE("memory") {}
  SUBCASE("a file") {
    options.store.memory_bytes = mib;  // all of it the agent's own
    options.store.spill_bytes = 0;
    options.store.fallback_bytes = 8 * mib;
    options.fallback_folder = folder.path();
  }
  box b(options);
  neighbour good(b);
  auto bad = b.join();
  bad->tries_to_write = true;
  REQUIRE(b.get(*bad, good.first).has_value());
  CHECK(bad->maps.size() == 1);
  CHECK_FALSE(bad->could_write);
  good.expect_unharmed();
}

TEST_CASE("never seals: a session gets no more leases than its quota, and all come back") {
  node::agent_options options = small_options();
  options.store.session_lease_bytes = mib;
  box b(options);
  neighbour good(b);
  auto bad = b.join();
  error why;
  int leases = 0;
  for (; why.code() == errc::ok && leases < 100; ++leases) {
    b.say(*bad, wire::lease{.ticket = ++b.ticket, .size = 128 * kib});
    if (auto refused = bad->take<wire::refused>()) why = refused->why;
  }
  CHECK(leases == 9);
  CHECK(why.code() == errc::exhausted);
  CHECK(mentions(why, "session_lease_bytes"));
  good.expect_unharmed();
  b.die(*bad);
  CHECK(b.agent->look().store.leased == 0);
  good.expect_unharmed();
}

TEST_CASE("leaks pins: a session pins no more than its quota, and its end unpins") {
  node::agent_options options = small_options();
  options.store.session_pinned_bytes = 500'000;
  box b(options);
  neighbour good(b);
  auto bad = b.join();
  error why;
  int pinned = 0;
  for (; why.code() == errc::ok && pinned < 100; ++pinned) {
    object_id id = good.session->mint();
    b.put(*good.session, id, 100'000);
    b.say(*bad, wire::require{.ticket = ++b.ticket, .objects = {id}});
    b.say(*good.session, wire::release{.id = id, .mentions = 0});
    if (auto refused = bad->take<wire::refused>()) why = refused->why;
  }
  CHECK(pinned == 6);
  CHECK(why.code() == errc::exhausted);
  CHECK(mentions(why, "session_pinned_bytes"));
  good.expect_unharmed();
  b.die(*bad);
  CHECK(b.agent->look().store.pinned == 0);
  CHECK(b.agent->look().store.objects == 1);
  good.expect_unharmed();
}

TEST_CASE(
    "memory limit: where no segment can be had the error says whose limit, and the rest goes on") {
  box b;
  neighbour good(b);
  auto other = b.join();
  auto ask = [&] {
    b.say(*other, wire::lease{.ticket = ++b.ticket,
                              .size = 128 * kib,
                              .deadline_ns = b.port.now_ns() + 1'000'000'000});
    b.pass(2'000'000'000);
  };
  std::string limit;
  {
    auto what = RLIMIT_FSIZE;
    SUBCASE("of a memfd's size") { limit = "RLIMIT_FSIZE"; }
    SUBCASE("of descriptors") {
      limit = "RLIMIT_NOFILE";
      what = RLIMIT_NOFILE;
    }
    limit_for_now lower(what, what == RLIMIT_FSIZE ? 4096 : 0);
    ask();
    auto refused = other->take<wire::refused>();
    REQUIRE(refused.has_value());
    CHECK(refused->why.code() == errc::timeout);
    CHECK(mentions(refused->why, limit));
    good.expect_unharmed();
  }
  b.pass(60'000'000'000);
  ask();
  CHECK(other->take<wire::leased>().has_value());
}

TEST_CASE("two versions of one binary: a program runs no calls of one with other functions") {
  box b;
  neighbour good(b);
  auto join_with = [&](std::uint64_t hash, std::uint32_t slots) {
    auto c = b.connect();
    wire::hello hello = box::hello();
    hello.functions_hash = hash;
    hello.slots = slots;
    b.say(*c, hello);
    return c;
  };
  auto old_one = join_with(functions, 1), new_one = join_with(functions + 1, 0);
  wire::call call;
  call.task = new_one->mint();
  call.function = "f";
  call.results = {new_one->mint()};
  b.say(*new_one, wire::submit{call});
  CHECK_FALSE(old_one->take<wire::execute>().has_value());
  auto same = join_with(functions + 1, 1);
  CHECK(same->take<wire::execute>().has_value());
  CHECK_FALSE(old_one->take<wire::execute>().has_value());
  good.expect_unharmed();
}

}  // namespace bad_input_test
