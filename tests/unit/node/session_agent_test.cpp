// SPDX-License-Identifier: Apache-2.0
// Sessions with a real agent in this process: what they keep and what its store counts are one.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include <sys/mman.h>
#include <unistd.h>

#include "../ports/in_child.hpp"
#include "../ports/scratch_folder.hpp"
#include "node/agent_thread.hpp"
#include "ports/threads.hpp"
#include "session_box.hpp"

namespace session_agent_test {

using namespace session_box;

constexpr std::uint64_t mib = std::uint64_t{1} << 20, very_long = 600 * second;

/// An agent's thread with room for three segments of 8 MiB, and two sessions of it.
struct real_box {
  explicit real_box(const std::string& spill_folder = {}, std::uint64_t whole_from = 0)
      : one(first), two(second_host) {
    node::agent_thread_options options;
    options.agent.node = 7;
    options.agent.store.memory_bytes = 24 * mib;
    options.agent.store.segment_bytes = 8 * mib;
    options.agent.store.shared_bytes = 0;
    options.agent.spill_folder = spill_folder;
    if (!spill_folder.empty()) {
      options.agent.store.shared_bytes = 4 * mib;
      options.agent.store.spill_bytes = 1024 * mib;
    }
    options.agent.store.whole_from_bytes = whole_from;
    auto started = node::agent_thread::start(std::move(options));
    REQUIRE(started.has_value());
    agent = std::move(*started);
    for (node::session* each : {&one, &two}) {
      auto link = agent->connect(*each);
      REQUIRE(link.has_value());
      auto opened = each->open(std::move(*link),
                               {.functions_hash = 1,
                                .program = "test",
                                .worker = false,
                                .slots = 0,
                                .now_ns = now_ns,
                                .secret = {1, 2}},
                               very_long);
      REQUIRE(opened.has_value());
    }
  }
  static std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
  }
  /// All that was said is heard: what comes after it is answered.
  void settle() {
    for (node::session* each : {&one, &two}) {
      each->flush();
      CHECK(each->fetch({}, 0, very_long).has_value());
    }
  }
  beamlet::store::usage used() {
    beamlet::store::usage found;
    on_agent([&](node::agent& a) {
      CHECK(a.check() == "");
      found = a.look().store;
    });
    return found;
  }
  std::uint64_t heard() {
    std::uint64_t found = 0;
    on_agent([&](node::agent& a) { found = a.heard(); });
    return found;
  }
  void on_agent(const std::function<void(node::agent&)>& what) {
    std::atomic<std::uint32_t> is_done{0};
    REQUIRE(agent
                ->post([&](node::agent& a) {
                  what(a);
                  is_done = 1;
                  ports::wake_one(is_done);
                })
                .has_value());
    while (is_done == 0) ports::wait_on(is_done, 0, very_long);
  }
  /// No segment is left, once each session has said that it has unmapped them.
  bool gives_all_back() {
    for (int turns = 0; turns < 1000; ++turns) {
      settle();
      if (used().memory == 0) return used().objects == 0;
    }
    return false;
  }
  static object_id put(node::session& from, std::uint64_t bytes, int mark) {
    object_id id = from.mint();
    from.publish(id);
    auto block = from.allocate(bytes, very_long);
    REQUIRE(block.has_value());
    std::memset(block->data, mark, bytes);
    from.fulfil(id, {.place = *block, .size = bytes});
    // The agent has it now: nothing orders what two sessions say.
    auto known = from.fetch(std::vector{id}, 0, very_long);
    REQUIRE(known.has_value());
    drop(*known);
    return id;
  }

  std::unique_ptr<node::agent_thread> agent;
  recorder first, second_host;
  node::session one, two;
};

TEST_CASE("what one session puts the other reads, and nothing is left when both let go") {
  real_box b;
  auto work = [&](int mark) {
    for (std::uint64_t i = 0; i < 100; ++i) {
      std::uint64_t bytes = 1 + i * 7919 * static_cast<std::uint64_t>(mark) % 500'000;
      object_id id = real_box::put(b.one, bytes, mark);
      auto got = (i % 2 == 0 ? b.one : b.two).fetch(std::vector{id}, 0, very_long);
      b.one.let_go(id);
      if (!got.has_value()) FAIL(got.error().describe());
      REQUIRE((*got)[0].bytes.size == bytes);
      for (std::uint64_t at : {std::uint64_t{0}, bytes / 2, bytes - 1})
        REQUIRE((*got)[0].bytes.data[at] == static_cast<std::byte>(mark));
      drop(*got);
    }
  };
  std::thread beside([&] { work(1); });
  work(2);
  beside.join();
  b.settle();
  auto used = b.used();
  CHECK(used.objects == 0);
  CHECK(used.published == 0);
  CHECK(used.pinned == 0);
}

TEST_CASE("a value that came once is read again without a message") {
  real_box b;
  const object_id id = real_box::put(b.one, 5000, 3);
  b.two.retain(id);
  std::vector<object_id> both{id, id};
  for (bool asks : {true, false}) {
    b.settle();
    const std::uint64_t before = b.heard();
    auto kept = b.two.fetch(both, 0, very_long);
    REQUIRE(kept.has_value());
    for (int i = 0; i < 100; ++i) {
      auto got = b.two.fetch(std::vector{id}, 0, very_long);
      REQUIRE(got.has_value());
      CHECK(got->front().bytes.size == 5000);
      CHECK(got->front().bytes.data[4999] == std::byte{3});
      drop(*got);
    }
    CHECK((b.heard() - before) == (asks ? 1 : 0));
    drop(*kept);
  }
  b.one.let_go(id);
  b.two.let_go(id);
  b.settle();
  CHECK(b.used().objects == 0);
}

TEST_CASE("a value that is read without asking keeps its object") {
  real_box b;
  const object_id id = real_box::put(b.one, 500'000, 3);
  b.two.retain(id);
  for (int i = 0; i < 2; ++i) {
    auto got = b.two.fetch(std::vector{id}, 0, very_long);
    REQUIRE(got.has_value());
    if (i == 0) {
      drop(*got);
      continue;
    }
    b.one.let_go(id);
    b.two.let_go(id);  // the value counts it still
    b.settle();
    for (int more = 0; more < 100; ++more) b.one.let_go(real_box::put(b.one, 500'000, 4));
    CHECK((*got)[0].bytes.data[0] == std::byte{3});
    CHECK((*got)[0].bytes.data[499'999] == std::byte{3});
    drop(*got);
  }
  b.settle();
  CHECK(b.used().objects == 0);
  CHECK(b.used().pinned == 0);
}

TEST_CASE("what is read without asking is whole while it is dropped, spilled and evicted") {
  scratch_folder folder;
  real_box b(folder.path());
  std::mutex lock;
  std::deque<std::pair<object_id, int>> latest;
  std::atomic<bool> done{false};
  std::atomic<int> read{0}, wrong{0};
  auto reading = [&](unsigned seed) {
    for (unsigned n = seed; !done; n = n * 1103515245 + 12345) {
      std::pair<object_id, int> one;
      {
        std::lock_guard hold(lock);
        if (latest.empty()) continue;
        one = latest[n / 65536 % latest.size()];
      }
      b.two.retain(one.first);
      for (int again = 0; again < 20; ++again) {
        auto got = b.two.fetch(std::vector{one.first}, 0, very_long);
        if (!got.has_value() || (*got)[0].why.code() != errc::ok) {  // it was dropped before
          if (got.has_value()) drop(*got);
          break;
        }
        const auto& bytes = (*got)[0].bytes;
        for (std::size_t at = 0; at < bytes.size; at += 512)
          if (bytes.data[at] != static_cast<std::byte>(one.second)) ++wrong;
        ++read;
        drop(*got);
      }
      b.two.let_go(one.first);
    }
  };
  std::thread first([&] { reading(1); }), second([&] { reading(2); });
  for (int mark = 0; mark < 500 || read < 4000; ++mark) {
    const auto bytes = static_cast<std::uint64_t>(1 + mark % 7 * 40'000);
    const object_id id = real_box::put(b.one, bytes, mark);
    std::lock_guard hold(lock);
    latest.emplace_back(id, mark);
    if (latest.size() < 250) continue;  // more than memory holds
    b.one.let_go(latest.front().first);
    latest.pop_front();
  }
  done = true;
  first.join();
  second.join();
  CHECK(wrong == 0);
  CHECK(b.used().spilled > 0);
  for (auto& [id, mark] : latest) b.one.let_go(id);
  b.settle();
  CHECK(b.used().objects == 0);
  CHECK(b.used().pinned == 0);
}

TEST_CASE("a session that keeps idle memory gives it up when another one needs it") {
  real_box b;
  std::vector<object_id> all;
  for (int i = 0; i < 40; ++i) all.push_back(real_box::put(b.one, 100'000, i));
  for (const object_id& id : all) b.one.let_go(id);
  b.settle();
  REQUIRE(b.used().leased > 0);
  for (int i = 0; i < 3; ++i) all.push_back(real_box::put(b.two, 8 * mib, i));
  CHECK(b.first.pressure > 0);
  CHECK(b.used().memory == 24 * mib);
}

TEST_CASE("values survive the session that put them, and its agent") {
  real_box b;
  object_id id = real_box::put(b.one, mib, 5);
  auto got = b.two.fetch(std::vector{id}, 0, very_long);
  REQUIRE(got.has_value());
  b.one.close();
  CHECK(b.two.fetch({}, 0, very_long).has_value());
  CHECK(b.used().published == mib);
  b.agent->stop();
  CHECK(b.second_host.lost.size() == 1);
  CHECK(b.first.lost.empty());
  CHECK(b.two.allocate(mib, very_long).error().code() == errc::agent_lost);
  CHECK((*got)[0].bytes.data[mib - 1] == std::byte{5});
  drop(*got);
}

TEST_CASE("in strict mode who built a large object reads it where it is, and writes to nobody's") {
  real_box b({}, mib);
  for (bool kept : {false, true}) {
    CAPTURE(kept);
    object_id id = b.one.mint();
    b.one.publish(id);
    auto block = b.one.allocate(2 * mib, very_long);
    REQUIRE(block.has_value());
    std::memset(block->data, 3, 2 * mib);
    b.one.fulfil(id, {.place = *block, .size = 2 * mib, .kept = kept});
    auto mine = b.one.fetch(std::vector{id}, 0, very_long);
    auto others = b.two.fetch(std::vector{id}, 0, very_long);
    REQUIRE(mine.has_value());
    REQUIRE(others.has_value());
    CHECK((*mine)[0].bytes.data == block->data);
    REQUIRE(mprotect(block->data, 2 * mib, PROT_READ | PROT_WRITE) == 0);
    std::memset(block->data, 4, 2 * mib);
    CHECK((*others)[0].bytes.data[mib] == std::byte{3});
    drop(*mine);
    drop(*others);
    b.one.let_go(id);
    if (kept) b.one.free(*block);
    CHECK(b.gives_all_back());
  }
}

TEST_CASE("in strict mode a large block that comes to nothing goes back as a whole") {
  real_box b({}, mib);
  auto block = b.one.allocate(mib, very_long);
  REQUIRE(block.has_value());
  CHECK(b.used().leased == mib);
  b.one.free(*block);
  CHECK(b.gives_all_back());
  for (int i = 0; i < 100; ++i) b.one.let_go(real_box::put(b.one, 3 * mib, i));
  CHECK(b.gives_all_back());
}

TEST_CASE("in a fork a value is dropped though a thread was inside the session") {
  box b;
  b.open();
  b.require({other_id(1)});
  b.say(wire::here{b.said<wire::require>().back().ticket, {inline_object(other_id(1))}});
  REQUIRE(b.answers.size() == 1);
  std::vector<arrived> values = *std::move(b.answers[0]);
  std::promise<void> inside, forked;
  b.with->judge = [&](const wire::to_agent& message) {
    if (std::holds_alternative<wire::publish>(message)) {
      inside.set_value();
      forked.get_future().wait();
    }
    return error();
  };
  std::thread other([&] { b.session.publish(b.session.mint()); });
  inside.get_future().wait();
  int wrong = in_forked_process([&] {
    alarm(60);
    if (!b.session.forked()) return 1;
    drop(values);
    return 0;
  });
  forked.set_value();
  other.join();
  CHECK(wrong == 0);
  CHECK(!b.session.forked());
  drop(values);
}

}  // namespace session_agent_test
