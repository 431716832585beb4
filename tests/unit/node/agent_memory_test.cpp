// SPDX-License-Identifier: Apache-2.0
// The out-of-memory watch, with what it reads said by the test.
#include <doctest/doctest.h>

#include "agent_box.hpp"

namespace agent_memory {

using namespace agent_test;

constexpr std::uint64_t second = 1'000'000'000;

struct watched_box {
  explicit watched_box(node::agent_options o = small_options()) : b(with_cpus(std::move(o))) {
    program = b.join();
  }
  static node::agent_options with_cpus(node::agent_options o) {
    o.cpus = 4;
    return o;
  }
  /// A call that runs in a worker process of its own.
  std::shared_ptr<client> start(std::int32_t retries) {
    wire::call call;
    call.task = program->mint();
    call.function = "hungry";
    call.options.where = wire::isolation::process;
    call.options.retries = retries;
    call.results.push_back(program->mint());
    b.say(*program, wire::submit{call});
    return serve();
  }
  /// The worker process that was wished for last, with its call.
  std::shared_ptr<client> serve() {
    REQUIRE(!b.wishes.empty());
    auto worker = b.open(b.wishes.back().pool);
    b.wishes.pop_back();
    b.settle();
    b.clients().push_back(worker);
    auto call = worker->take<wire::execute>();
    REQUIRE(call.has_value());
    running = *std::move(call);
    return worker;
  }
  void fill_memory() { b.memory_now.used = 96 * mib; }

  box b;
  std::shared_ptr<client> program;
  wire::execute running;  // the last
};

TEST_CASE("pressure ends the newest call that can be tried again, and the older one goes on") {
  watched_box w;
  box& b = w.b;
  auto older = w.start(1), newer = w.start(1);
  b.pass(second);
  CHECK(b.killed.empty());
  w.fill_memory();
  b.pass(second);
  // One at a time: until it is gone nobody else, however long that takes.
  CHECK(b.killed == std::vector<std::uint32_t>{newer->number});
  b.memory_now.used = 10 * mib;
  b.die(*newer);
  b.pass(10 * second);
  CHECK(b.killed.size() == 1);
  CHECK(older->connected);
  CHECK_FALSE(w.program->take<wire::sealed>().has_value());
  w.serve();
  CHECK(w.running.what.attempt == 1);
  CHECK(b.complaint == "");
}

TEST_CASE("as long as memory is short one worker process after the other is ended") {
  watched_box w;
  box& b = w.b;
  auto older = w.start(1), newer = w.start(1);
  w.fill_memory();
  b.pass(second);
  b.die(*newer);
  CHECK(b.killed.size() == 1);  // memory is read again before the next
  b.pass(second / 4);
  CHECK(b.killed == std::vector<std::uint32_t>{newer->number, older->number});
}

TEST_CASE("without retries the error says what happened, and what to do") {
  watched_box w;
  box& b = w.b;
  auto only = w.start(0);
  w.fill_memory();
  b.pass(second);
  b.die(*only);
  auto sealed = w.program->take<wire::sealed>();
  REQUIRE(sealed.has_value());
  CHECK(sealed->why.code() == errc::no_memory);
  CHECK(sealed->why.function() == "hungry");
  const std::string text(sealed->why.message());
  CAPTURE(text);
  for (const char* part : {"hungry", "96 MiB of 100 MiB", "95 %", "5 MiB", "max_retries"})
    CHECK(text.find(part) != text.npos);
}

TEST_CASE("memory is looked at only while a worker process has a call") {
  watched_box w;
  box& b = w.b;
  b.pass(10 * second);
  CHECK(b.memory_looks == 0);
  auto worker = w.start(0);
  b.pass(10 * second);
  const std::size_t looks = b.memory_looks;
  CHECK(looks >= 39);
  b.say(*worker, wire::done{.task = w.running.what.task,
                            .attempt = 0,
                            .results = {{.body = wire::bytes(8), .contained = {}}}});
  w.fill_memory();
  b.pass(10 * second);
  CHECK(b.memory_looks <= looks + 1);
  CHECK(b.killed.empty());
}

TEST_CASE("with a threshold of 1, and where memory is not known, nobody is ended") {
  node::agent_options o = small_options();
  o.memory_usage_threshold = 1;
  watched_box off(std::move(o));
  off.start(0);
  off.b.memory_now.used = 100 * mib;
  off.b.pass(10 * second);
  CHECK(off.b.memory_looks == 0);
  CHECK(off.b.killed.empty());
  watched_box unknown;
  unknown.start(0);
  unknown.b.memory_now = {};
  unknown.b.pass(10 * second);
  CHECK(unknown.b.killed.empty());
}

}  // namespace agent_memory
