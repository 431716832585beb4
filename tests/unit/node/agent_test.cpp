// SPDX-License-Identifier: Apache-2.0
// The agent with scripted sessions on the simulated port: what it answers, whom it ends, and that
// nothing is left.
#include "agent_box.hpp"

#include <doctest/doctest.h>

#include "../ports/scratch_folder.hpp"

namespace agent_test {

using namespace agent_test;

/// Of a store from which everything has gone but segments.
bool is_clear(const store::usage& u) {
  return u.leased + u.published + u.pinned + u.spilled + u.spill_files + u.objects + u.waiting == 0;
}

const wire::extent* place(const std::optional<wire::object_here>& object) {
  return object.has_value() ? std::get_if<wire::extent>(&object->what.body) : nullptr;
}
errc code_of(const std::optional<wire::object_here>& object) {
  const auto* why = object.has_value() ? std::get_if<error>(&object->what.body) : nullptr;
  return why != nullptr ? why->code() : errc::ok;
}
/// A call that a worker process is to run: `b.wishes` tells of which kind.
void submit_isolated(box& b, client& program) {
  wire::call call;
  call.task = program.mint();
  call.function = "f";
  call.results = {program.mint()};
  call.options.where = wire::isolation::process;
  b.say(program, wire::submit{call});
  REQUIRE(b.wishes.size() == 1);
}

TEST_CASE("a session that says hello is welcomed") {
  box b;
  auto c = b.connect();
  b.say(*c, box::hello());
  auto welcome = c->take<wire::welcome>();
  REQUIRE(welcome.has_value());
  CHECK(welcome->node == 7);
  CHECK(welcome->boot == 3);
  CHECK(welcome->session == c->number);
  CHECK(welcome->inline_max == 64 * kib);
}

TEST_CASE("another session reads the same bytes through its own mapping") {
  box b;
  auto writer = b.join(), reader = b.join();
  object_id id = writer->mint();
  wire::extent where = b.put(*writer, id, 100'000);
  REQUIRE(where.size == 100'000);
  auto object = b.get(*reader, id);
  REQUIRE(place(object) != nullptr);
  CHECK(reader->reads_as(id, *place(object)));
  CHECK_FALSE(reader->writable.at(place(object)->segment));
  CHECK(writer->writable.at(where.segment));

  b.say(*writer, wire::release{.id = id, .mentions = 0});
  CHECK(b.agent->look().store.published == 100'000);
  b.say(*reader, wire::unpin{{id}});
  b.say(*reader, wire::release{.id = id, .mentions = 1});
  CHECK(is_clear(b.agent->look().store));
  CHECK(b.agent->look().counts.objects == 0);
  CHECK(b.complaint == "");
}

TEST_CASE("a segment is shown to a session once") {
  box b;
  auto writer = b.join(), reader = b.join();
  for (int i = 0; i < 3; ++i) {
    object_id id = writer->mint();
    b.put(*writer, id, 70'000);
    REQUIRE(place(b.get(*reader, id)) != nullptr);
  }
  CHECK(reader->take<wire::new_segment>().has_value());
  CHECK_FALSE(reader->take<wire::new_segment>().has_value());
}

TEST_CASE("a session reads its own object without another mapping") {
  box b;
  auto c = b.join();
  object_id id = c->mint();
  wire::extent where = b.put(*c, id, 5000);
  c->take<wire::new_segment>();
  auto object = b.get(*c, id);
  REQUIRE(place(object) != nullptr);
  CHECK(*place(object) == where);
  CHECK_FALSE(c->take<wire::new_segment>().has_value());
}

TEST_CASE("what a session published outlives it, and what it leased does not") {
  box b;
  auto writer = b.join(), reader = b.join();
  object_id id = writer->mint();
  b.put(*writer, id, 100'000);
  b.say(*reader, wire::hold{id});
  b.say(*writer, wire::lease{.ticket = 77, .size = 200'000});
  REQUIRE(writer->take<wire::leased>().has_value());
  b.die(*writer);
  CHECK(b.agent->look().store.leased == 0);
  auto object = b.get(*reader, id);
  REQUIRE(place(object) != nullptr);
  CHECK(reader->reads_as(id, *place(object)));
  b.die(*reader);
  CHECK(is_clear(b.agent->look().store));
  CHECK(b.agent->sessions() == 0);
  CHECK(b.complaint == "");
}

TEST_CASE("memory that a closed session could still write is not used before its process ends") {
  node::agent_options options = small_options();
  options.store.memory_bytes = 2 * mib;  // one segment for sessions, one for the agent
  options.store.spill_bytes = 0;
  box b(options);
  auto first = b.join(), second = b.join();
  b.say(*first, wire::lease{.ticket = 1, .size = mib});
  REQUIRE(first->take<wire::leased>().has_value());
  b.agent->on_closed(first->number, errc::closed);
  b.pass(5'000'000'000);
  CHECK(b.agent->look().store.quarantined == mib);
  b.say(*second, wire::lease{.ticket = 2, .size = mib});
  b.pass(5'000'000'000);
  CHECK_FALSE(second->take<wire::leased>().has_value());
  b.agent->process_ended(first->number, 9, {});
  b.settle();
  CHECK(second->take<wire::leased>().has_value());
}

TEST_CASE("the signal of a process that ends after its connection is told") {
  box b;
  auto program = b.join();
  submit_isolated(b, *program);
  auto worker = b.open(b.wishes[0].pool);
  b.settle();
  REQUIRE(worker->take<wire::execute>().has_value());
  b.agent->on_closed(worker->number, errc::closed);
  b.settle();
  CHECK_FALSE(program->take<wire::sealed>().has_value());
  b.agent->process_ended(worker->number, 11, {});
  b.settle();
  auto sealed = program->take<wire::sealed>();
  REQUIRE(sealed.has_value());
  CHECK(sealed->why.code() == errc::worker_died);
  CHECK(sealed->why.system() == 11);
}

TEST_CASE("a worker process that ends before hello fails its call") {
  box b;
  auto program = b.join();
  submit_isolated(b, *program);
  auto worker = b.connect(b.wishes[0].pool);
  b.die(*worker, 6);
  auto sealed = program->take<wire::sealed>();
  REQUIRE(sealed.has_value());
  CHECK(sealed->why.code() == errc::worker_died);
  CHECK(b.agent->sessions() == 1);
}

TEST_CASE("a worker process that is still starting when the agent drains is killed") {
  box b;
  auto program = b.join();
  submit_isolated(b, *program);
  auto worker = b.connect(b.wishes[0].pool);
  b.agent->drain();
  CHECK(b.killed == std::vector<std::uint32_t>{worker->number});
  CHECK(program->take<wire::drain>().has_value());
}

TEST_CASE("a call whose inline arguments together are too large fails, and holds nothing") {
  box b;
  auto c = b.connect();
  b.clients().push_back(c);
  wire::hello hello = box::hello();
  hello.slots = 1;
  b.say(*c, hello);
  wire::call call;
  call.task = c->mint();
  call.function = "f";
  call.results = {c->mint()};
  for (int i = 0; i < 200; ++i) {
    object_id id = c->mint();
    b.say(*c, wire::publish{id});
    b.say(*c, wire::fulfil{id, {.body = wire::bytes(60 * kib), .contained = {}}});
    call.arguments.emplace_back().object = id;
  }
  object_id stored = c->mint();
  b.put(*c, stored, 100'000);
  call.arguments.emplace_back().object = stored;
  b.say(*c, wire::submit{call});
  CHECK_FALSE(c->take<wire::execute>().has_value());
  auto sealed = c->take<wire::sealed>();
  while (sealed.has_value() && sealed->id != call.results[0]) sealed = c->take<wire::sealed>();
  REQUIRE(sealed.has_value());
  CHECK(sealed->why.code() == errc::too_large);
  CHECK(sealed->why.message().find("answer_bytes_max") != std::string_view::npos);
  for (const wire::argument& each : call.arguments) b.say(*c, wire::release{each.object, 0});
  b.say(*c, wire::release{call.results[0], 0});
  CHECK(b.agent->look().counts.objects == 0);
  CHECK(is_clear(b.agent->look().store));
  CHECK(c->connected);
  CHECK(b.complaint == "");
}

TEST_CASE("two versions of one binary: a worker process of the other one is refused and ended") {
  box b;
  auto program = b.join();
  submit_isolated(b, *program);
  auto worker = b.connect(b.wishes[0].pool);
  wire::hello other = box::hello(true);
  other.functions_hash = functions + 1;
  b.say(*worker, other);
  auto refused = worker->take<wire::refused>();
  REQUIRE(refused.has_value());
  CHECK(refused->fatal);
  CHECK(refused->why.code() == errc::unsupported);
  CHECK(b.killed == std::vector<std::uint32_t>{worker->number});
  auto sealed = program->take<wire::sealed>();
  REQUIRE(sealed.has_value());
  CHECK(sealed->why.code() == errc::worker_died);
  CHECK(sealed->why.cause().find("other functions") != std::string_view::npos);
}

TEST_CASE("a session that breaks the order of the protocol is refused, and no other one suffers") {
  box b;
  auto good = b.join();
  auto is_refused = [&](const std::shared_ptr<client>& bad) {
    auto refused = bad->take<wire::refused>();
    CHECK(refused.has_value());
    CHECK((refused.has_value() && refused->fatal));
    CHECK_FALSE(bad->connected);
    b.pass(2'000'000'000);
    // Who was never let in is forgotten, though its process lives.
    if (b.agent->sessions() == 1) return;
    b.agent->process_ended(bad->number, 0, {});
    b.settle();
  };
  SUBCASE("hello twice") {
    auto bad = b.open();
    b.say(*bad, box::hello());
    is_refused(bad);
  }
  SUBCASE("no hello") {
    auto bad = b.connect();
    b.say(*bad, wire::lease{.ticket = 1, .size = 1});
    is_refused(bad);
  }
  SUBCASE("another version") {
    auto bad = b.connect();
    wire::hello m = box::hello();
    m.version = 200;
    b.say(*bad, m);
    auto refused = bad->take<wire::refused>();
    REQUIRE(refused.has_value());
    CHECK(refused->why.code() == errc::unsupported);
    CHECK(refused->why.message().find("version 200") != std::string_view::npos);
    CHECK(refused->why.message().find("version 1:") != std::string_view::npos);
    bad->heard.push_front(*refused);
    is_refused(bad);
  }
  SUBCASE("a worker that nobody started") {
    auto bad = b.connect();
    b.say(*bad, box::hello(true));
    is_refused(bad);
  }
  SUBCASE("no hello in time") {
    auto bad = b.connect();
    b.pass(40'000'000'000);
    is_refused(bad);
  }
  CHECK(b.agent->sessions() == 1);
  object_id id = good->mint();
  b.put(*good, id, 70'000);
  CHECK(place(b.get(*good, id)) != nullptr);
  CHECK(b.complaint == "");
}

TEST_CASE("what a session says after bye is not heard, and its end comes soon") {
  box b;
  auto c = b.open();
  b.agent->on_message(c->number, wire::bye{});
  b.say(*c, wire::lease{.ticket = 1, .size = 1});
  CHECK(b.agent->look().store.leased == 0);
  b.pass(2'000'000'000);
  CHECK_FALSE(c->connected);
  b.agent->process_ended(c->number, 0, {});
  b.settle();
  CHECK(b.agent->sessions() == 0);
}

TEST_CASE("ranges outside its leases or overlapping others fail, each with its reason") {
  box b;
  auto victim = b.join(), bad = b.join();
  object_id theirs = victim->mint();
  wire::extent place_of_theirs = b.put(*victim, theirs, 70'000);
  b.say(*bad, wire::lease{.ticket = 1, .size = 64 * kib});
  wire::extent mine = bad->take<wire::leased>().value().where;
  auto publish = [&](const wire::extent& where) {
    object_id id = bad->mint();
    b.say(*bad, wire::publish{id});
    b.say(*bad, wire::fulfil{id, {.body = where, .contained = {}}});
    return code_of(b.get(*bad, id));
  };
  CHECK(publish({mine.segment, mine.offset + 60 * kib, 8 * kib}) == errc::permission);
  CHECK(publish({mine.segment, mine.offset + 1, 64}) == errc::invalid_argument);
  CHECK(publish({mine.segment, ~std::uint64_t{0} - 63, 128}) == errc::permission);
  CHECK(publish({mine.segment, mine.offset, 0}) == errc::invalid_argument);
  CHECK(publish(place_of_theirs) == errc::permission);
  CHECK(publish({4711, 0, 64}) == errc::permission);
  CHECK(publish({mine.segment, mine.offset, 4096}) == errc::ok);
  CHECK(publish({mine.segment, mine.offset, 4096}) == errc::already_exists);
  b.say(*bad, wire::unlease{place_of_theirs});
  CHECK(bad->take<wire::refused>().value().why.code() == errc::permission);
  CHECK(bad->connected);
  auto object = b.get(*victim, theirs);
  REQUIRE(place(object) != nullptr);
  CHECK(victim->reads_as(theirs, *place(object)));
  CHECK(b.complaint == "");
}

TEST_CASE("nothing is published from a segment whose writer has not mapped it") {
  box b;
  auto c = b.join();
  c->maps_own = false;
  b.say(*c, wire::lease{.ticket = 1, .size = 4096});
  wire::extent where = c->take<wire::leased>().value().where;
  object_id id = c->mint();
  b.say(*c, wire::publish{id});
  b.say(*c, wire::fulfil{id, {.body = where, .contained = {}}});
  CHECK(code_of(b.get(*c, id)) == errc::permission);
  b.say(*c, wire::mapped{where.segment});
  object_id again = c->mint();
  b.say(*c, wire::publish{again});
  b.say(*c, wire::fulfil{again, {.body = where, .contained = {}}});
  CHECK(place(b.get(*c, again)) != nullptr);
}

TEST_CASE("a lease that nobody waits for any more goes back") {
  box b;
  auto c = b.join();
  b.agent->on_message(c->number, wire::lease{.ticket = 5, .size = 4096});
  b.agent->on_message(c->number, wire::abandon{5});
  b.settle();
  CHECK_FALSE(c->take<wire::leased>().has_value());
  CHECK(b.agent->look().store.leased == 0);
  CHECK(b.complaint == "");
}

TEST_CASE("asks for 1 TiB: a request for more than there could ever be names the limit") {
  box b;
  auto c = b.join();
  b.say(*c, wire::lease{.ticket = 5, .size = std::uint64_t{1} << 40});
  auto refused = c->take<wire::refused>().value();
  CHECK(refused.ticket == 5);
  CHECK_FALSE(refused.fatal);
  CHECK(refused.why.code() == errc::too_large);
  CHECK(refused.why.message().find("memory_bytes") != std::string_view::npos);
}

TEST_CASE("a session that does not read is ended") {
  box b;
  auto c = b.join();
  b.say(*c, wire::lease{.ticket = 1, .size = 4096});
  c->reads = false;
  b.say(*c, wire::lease{.ticket = 2, .size = 4096});
  CHECK_FALSE(c->connected);
  b.pass(2'000'000'000);
  b.agent->process_ended(c->number, 9, {});
  b.settle();
  CHECK(is_clear(b.agent->look().store));
}

TEST_CASE("a large answer comes in parts") {
  box b;
  auto c = b.join();
  wire::require all{.ticket = 9, .objects = {}};
  for (int i = 0; i < 200; ++i) {
    object_id id = c->mint();
    b.agent->on_message(c->number, wire::publish{id});
    b.agent->on_message(c->number,
                        wire::fulfil{id, {.body = wire::bytes(60 * kib), .contained = {}}});
    all.objects.push_back(id);
  }
  b.say(*c, all);
  std::size_t parts = 0, objects = 0;
  while (auto here = c->take<wire::here>()) {
    CHECK(here->ticket == 9);
    CHECK(wire::encode(wire::to_session(*here)).has_value());
    objects += here->objects.size();
    ++parts;
  }
  CHECK(parts > 1);
  CHECK(objects == 200);
}

TEST_CASE(
    "client never unmaps: a segment ends when all have unmapped it, and who never does is ended") {
  node::agent_options options = small_options();
  options.store.memory_bytes = 2 * mib;
  options.store.spill_bytes = 0;
  box b(options);
  auto writer = b.join(), reader = b.join(), other = b.join();
  object_id id = writer->mint();
  b.put(*writer, id, mib);
  REQUIRE(place(b.get(*reader, id)) != nullptr);
  reader->unmaps = false;
  b.say(*reader, wire::unpin{{id}});
  b.say(*reader, wire::release{.id = id, .mentions = 1});
  b.say(*writer, wire::release{.id = id, .mentions = 0});
  b.say(*other, wire::lease{.ticket = 1000, .size = mib});
  CHECK_FALSE(other->take<wire::leased>().has_value());
  SUBCASE("it does at last") {
    b.say(*reader, wire::unmapped{reader->maps.begin()->first});
    CHECK(other->take<wire::leased>().has_value());
    CHECK(reader->connected);
  }
  SUBCASE("it never does") {
    b.pass(70'000'000'000);
    CHECK_FALSE(reader->connected);
    CHECK(other->take<wire::leased>().has_value());
  }
  CHECK(b.complaint == "");
}

TEST_CASE("while a call runs in it a worker process need not unmap: nobody reads there") {
  node::agent_options options = small_options();
  options.cpus = 1;
  options.store.memory_bytes = 2 * mib;
  options.store.spill_bytes = 0;
  box b(options);
  auto writer = b.join(), other = b.join();
  wire::call call;
  call.task = writer->mint();
  call.function = "long";
  call.options.where = wire::isolation::process;
  call.results.push_back(writer->mint());
  b.say(*writer, wire::submit{call});
  REQUIRE(b.wishes.size() == 1);
  auto worker = b.open(b.wishes.front().pool);
  b.settle();
  b.clients().push_back(worker);
  REQUIRE(worker->take<wire::execute>().has_value());
  object_id id = writer->mint();
  b.put(*writer, id, mib);
  REQUIRE(place(b.get(*worker, id)) != nullptr);
  worker->unmaps = false;
  b.say(*worker, wire::unpin{{id}});
  b.say(*worker, wire::release{.id = id, .mentions = 1});
  b.say(*writer, wire::release{.id = id, .mentions = 0});
  b.say(*other, wire::lease{.ticket = 1000, .size = mib});
  b.pass(200'000'000'000);
  CHECK(worker->connected);
  b.say(*worker, wire::done{.task = call.task,
                            .attempt = 0,
                            .results = {{.body = wire::bytes(8), .contained = {}}}});
  b.pass(70'000'000'000);
  CHECK_FALSE(worker->connected);
  CHECK(other->take<wire::leased>().has_value());
  CHECK(b.complaint == "");
}

TEST_CASE("a segment that the system does not give is an error at the deadline") {
  node::agent_options options = small_options();
  options.store.memory_bytes = mib;  // all of it the agent's own
  options.store.spill_bytes = 0;
  options.store.fallback_bytes = 8 * mib;
  options.fallback_folder = "there/is/no/such/folder";
  box b(options);
  auto c = b.join();
  b.say(*c, wire::lease{.ticket = 1, .size = 4096, .deadline_ns = b.port.now_ns() + 1'000'000'000});
  CHECK_FALSE(c->take<wire::leased>().has_value());
  b.pass(2'000'000'000);
  auto refused = c->take<wire::refused>().value();
  CHECK(refused.why.code() == errc::timeout);
  CHECK(b.complaint == "");
}

TEST_CASE("segments in files stand in where memory is short") {
  node::agent_options options = small_options();
  options.store.memory_bytes = mib;  // all of it the agent's own
  options.store.spill_bytes = 0;
  options.store.fallback_bytes = 8 * mib;
  scratch_folder folder;
  options.fallback_folder = folder.path();
  box b(options);
  auto writer = b.join(), reader = b.join();
  object_id id = writer->mint();
  REQUIRE(b.put(*writer, id, 100'000).size == 100'000);
  CHECK(b.agent->look().store.files > 0);
  auto object = b.get(*reader, id);
  REQUIRE(place(object) != nullptr);
  CHECK(reader->reads_as(id, *place(object)));
}

}  // namespace agent_test
