// SPDX-License-Identifier: Apache-2.0
// A session against a small agent that counts as the real one does, with messages that cross; and
// with several threads.
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <thread>

#include "base/rng.hpp"
#include "session_box.hpp"

namespace session_model_test {

using namespace session_box;

constexpr std::uint64_t segment_bytes = std::uint64_t{4} << 20;

/// Holders, pins and leases of one session. What it says must fit the books; what it lets go of is
/// forgotten here at once, so that a count too low anywhere shows as an unknown id.
struct small_agent {
  struct object {
    bool is_made = false, own = false;
    std::uint32_t mentions = 0, uses = 0, pins = 0;
    wire::value value{.body = wire::bytes(), .contained = {}};
    bool stored() const { return std::holds_alternative<wire::extent>(value.body); }
  };

  void hear(wire::to_agent&& message) {
    std::visit([&](auto& m) { on(m); }, message);
  }
  template <class Message>
  void on(Message&) {}
  void on(wire::publish& m) { objects[m.id].own = true; }
  void on(wire::hold& m) {
    REQUIRE(objects.contains(m.id));
    objects[m.id].own = true;
  }
  void on(wire::fulfil& m) {
    auto at = objects.find(m.id);
    if (at == objects.end()) {  // let go before: the range is the session's again
      if (auto* where = std::get_if<wire::extent>(&m.made.body)) give_back(*where);
      return;
    }
    for (const object_id& inner : m.made.contained) {
      REQUIRE(objects.contains(inner));
      ++objects[inner].uses;
    }
    at->second.value = std::move(m.made);
    at->second.is_made = true;
  }
  void on(wire::release& m) {
    object& x = objects.at(m.id);
    REQUIRE(m.mentions <= x.mentions);
    x.mentions -= m.mentions;
    x.own = false;
    free_unheld(m.id);
  }
  void on(wire::unpin& m) {
    for (const object_id& id : m.objects) {
      object& x = objects.at(id);
      REQUIRE(x.pins > 0);
      --x.pins;
      free_unheld(id);
    }
  }
  void on(wire::require& m) {
    wire::here answer{m.ticket, {}};
    for (const object_id& id : m.objects) {
      REQUIRE(objects.contains(id));
      object& x = objects[id];
      if (!x.is_made) return out.push_back(wire::refused{m.ticket, errc::timeout, false});
      answer.objects.push_back({id, x.value});
    }
    for (const wire::object_here& each : answer.objects) {
      object& x = objects[each.id];
      ++x.mentions;
      x.pins += x.stored();
      for (const object_id& inner : each.what.contained) ++objects.at(inner).mentions;
    }
    out.push_back(std::move(answer));
  }
  void on(wire::lease& m) {
    if (next_lease + m.size > segment_bytes)
      return out.push_back(wire::refused{m.ticket, errc::exhausted, false});
    out.push_back(wire::leased{m.ticket, {1, next_lease, m.size}});
    next_lease += m.size;
  }
  void give_back(const wire::extent& where) { out.push_back(wire::returned{where}); }
  void free_unheld(object_id id) {
    auto at = objects.find(id);
    if (at == objects.end()) return;
    const object& x = at->second;
    if (x.own || x.mentions > 0 || x.uses > 0 || x.pins > 0) return;
    wire::value value = std::move(at->second.value);
    objects.erase(at);
    if (auto* where = std::get_if<wire::extent>(&value.body)) give_back(*where);
    for (const object_id& inner : value.contained) {
      --objects.at(inner).uses;
      free_unheld(inner);
    }
  }

  std::map<object_id, object> objects;
  std::deque<wire::to_session> out;
  std::uint64_t next_lease = 0;
};

/// The program: what it holds and has, and what it has asked.
struct program {
  explicit program(std::uint64_t seed) : random(seed) {
    b.open();
    b.segment(1, segment_bytes, true);
    b.forget();
  }
  std::uint32_t below(std::size_t n) { return random.below(static_cast<std::uint32_t>(n)); }

  void put() {
    object_id id = b.session.mint();
    b.session.publish(id);
    held.push_back(id);
    if (below(4) == 0) return unmade.push_back(id);
    fulfil(id);
  }
  void fulfil(const object_id& id) {
    node::made value;
    for (std::uint32_t n = held.empty() ? 0 : below(3); n > 0; --n)
      if (object_id inner = held[below(held.size())]; inner.sequence < id.sequence)
        value.contained.push_back(inner);
    if (below(2) == 0) {
      value.inline_bytes.resize(below(100));
      return b.session.fulfil(id, std::move(value));
    }
    std::uint64_t bytes = 1 + below(3000);
    result<node::block> block = allocate(bytes);
    if (!block.has_value()) return b.session.fulfil(id, std::move(value));
    if (below(8) == 0) {
      b.session.free(*block);
      return b.session.fulfil(id, std::move(value));
    }
    block->data[0] = static_cast<std::byte>(id.sequence);
    value.place = *block;
    value.size = bytes;
    b.session.fulfil(id, std::move(value));
  }
  result<node::block> allocate(std::uint64_t bytes) {
    for (int i = 0; i < 200; ++i)
      b.with->turns.push_back([this] { agent_hears(1), agent_speaks(1); });
    auto got = b.session.allocate(bytes, second);
    b.with->turns.clear();
    return got;
  }
  void require() {
    std::vector<object_id> names;
    for (std::uint32_t n = 1 + below(3); n > 0; --n) names.push_back(held[below(held.size())]);
    ++asked;
    std::uint64_t ticket =
        b.session.require(names, 0, 0, [this, names](result<std::vector<arrived>> got) {
          ++answered;
          if (!got.has_value()) return;
          REQUIRE(got->size() == names.size());
          for (arrived& one : *got) {
            if (below(2) == 0) drop(one);
            else values.push_back(std::move(one));
          }
        });
    if (ticket != 0 && below(5) == 0 && b.session.abandon(ticket)) ++answered;
  }
  void forget_value() {
    std::uint32_t i = below(values.size());
    arrived one = std::move(values[i]);
    values.erase(values.begin() + i);
    if (!one.contained.empty() && below(2) == 0) {
      b.session.retain(one.contained[0]);
      held.push_back(one.contained[0]);
    }
    drop(one);
  }
  void let_go() {
    std::uint32_t i = below(held.size());
    object_id id = held[i];
    held.erase(held.begin() + i);
    b.session.let_go(id);
  }
  void agent_hears(std::size_t most) {
    for (; most > 0 && heard < b.with->said.size(); --most) {
      agent.hear(wire::to_agent(b.with->said[heard]));
      ++heard;
    }
  }
  void agent_speaks(std::size_t most) {
    for (; most > 0 && !agent.out.empty(); --most) {
      wire::to_session next = std::move(agent.out.front());
      agent.out.pop_front();
      b.say(std::move(next));
    }
  }
  void settle() {
    b.with->room = ~std::size_t{0};
    b.session.flush();
    while (heard < b.with->said.size() || !agent.out.empty()) {
      agent_hears(~std::size_t{0});
      agent_speaks(~std::size_t{0});
      b.session.flush();
    }
  }
  void step() {
    std::uint32_t dice = below(100);
    if (dice < 12) put();
    else if (dice < 15 && !unmade.empty()) {
      fulfil(unmade.back());
      unmade.pop_back();
    } else if (dice < 27 && !held.empty()) require();
    else if (dice < 38 && !values.empty()) forget_value();
    else if (dice < 50 && !held.empty()) let_go();
    else if (dice < 55 && !held.empty()) {
      held.push_back(held[below(held.size())]);
      b.session.retain(held.back());
    } else if (dice < 57) b.session.flush();
    else if (dice < 59) b.with->room = below(6);
    else if (dice < 65) b.with->room = 1000;
    else if (dice < 83) agent_hears(1 + below(3));
    else agent_speaks(1 + below(3));
  }

  box b;
  beamlet::base::rng random;
  small_agent agent;
  std::vector<object_id> held, unmade;
  std::vector<arrived> values;
  std::size_t heard = 0, asked = 0, answered = 0;
};

TEST_CASE("whatever crosses, the agent frees nothing that is held and keeps nothing that is not") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    program p(seed);
    for (int step = 0; step < 4000; ++step) p.step();
    p.settle();
    CHECK(p.b.host.lost.empty());
    CHECK(p.answered == p.asked);
    for (const object_id& id : p.held) REQUIRE(p.agent.objects.contains(id));
    drop(p.values);
    while (!p.held.empty()) p.let_go();
    p.settle();
    CHECK(p.agent.objects.empty());
    CHECK(p.asked > 100);
  }
}

TEST_CASE("a value in the store is the one that was put there, until its pin is given back") {
  program p(99);
  std::map<object_id, std::byte> written;
  for (int round = 0; round < 2000; ++round) {
    object_id id = p.b.session.mint();
    p.b.session.publish(id);
    auto block = p.allocate(1 + p.below(20000));
    REQUIRE(block.has_value());
    auto mark = static_cast<std::byte>(p.below(256));
    std::memset(block->data, static_cast<int>(mark), block->size);
    p.b.session.fulfil(id, {.place = *block, .size = block->size});
    p.b.session.require(std::vector{id}, 0, 0, [&](auto got) {
      REQUIRE(got.has_value());
      written[(*got)[0].id] = mark;
      p.values.push_back(std::move((*got)[0]));
    });
    p.settle();
    p.b.session.let_go(id);
    while (p.values.size() > 40) {
      std::swap(p.values[p.below(20)], p.values.back());
      arrived one = std::move(p.values.back());
      p.values.pop_back();
      REQUIRE(one.bytes.data != nullptr);
      for (std::size_t i : {std::size_t{0}, one.bytes.size / 2, one.bytes.size - 1})
        REQUIRE(one.bytes.data[i] == written[one.id]);
      drop(one);
    }
  }
  drop(p.values);
  p.settle();
  CHECK(p.agent.objects.empty());
}

TEST_CASE("threads share a session while its agent answers and at last goes away") {
  box b;
  b.open();
  b.segment(1, segment_bytes, true);
  b.with->reads_here = false;
  std::atomic<bool> over{false};
  std::atomic<int> answers{0}, running{3};
  auto work = [&](std::uint64_t seed) {
    beamlet::base::rng random(seed);
    int asked = 0;
    for (int i = 0; i < 300 || !b.session.lost(); ++i) {
      if (i == 300) --running;
      object_id id = b.session.mint();
      b.session.publish(id);
      auto block = b.session.allocate(1 + random.below(100'000), 1000 * second);
      if (block.has_value()) {
        std::memset(block->data, static_cast<int>(seed), block->size);
        b.session.fulfil(id, {.place = *block, .size = block->size});
      }
      auto got = b.session.fetch(std::vector{id}, 0, 1000 * second);
      if (got.has_value()) {
        if ((*got)[0].bytes.data[0] != static_cast<std::byte>(seed)) answers = -1'000'000;
        drop(*got);
      }
      ++asked;
      ++answers;
      b.session.let_go(id);
    }
    return asked;
  };
  std::thread agent_thread([&] {
    small_agent agent;
    std::vector<wire::to_agent> heard;
    while (!over) {
      {
        std::lock_guard hold(b.with->lock);
        heard.swap(b.with->said);
      }
      for (wire::to_agent& message : heard) agent.hear(std::move(message));
      heard.clear();
      for (; !agent.out.empty(); agent.out.pop_front()) b.say(std::move(agent.out.front()));
      if (running == 0) {
        b.session.on_lost(errc::closed);
        return;
      }
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  std::atomic<int> asked{0};
  for (std::uint64_t seed = 1; seed <= 3; ++seed)
    threads.emplace_back([&, seed] { asked += work(seed); });
  for (std::thread& one : threads) one.join();
  over = true;
  agent_thread.join();
  CHECK(answers == asked);
  CHECK(b.host.lost.size() == 1);
}

}  // namespace session_model_test
