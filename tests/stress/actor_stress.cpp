// SPDX-License-Identifier: Apache-2.0
// Actors under several senders: each sender's calls stay in order, none is lost, none runs twice.

#include "stress.hpp"

#include <atomic>
#include <chrono>
#include <map>

using namespace beamlet;
using namespace std::chrono_literals;

namespace {

/// Notes every call; its state has no lock, so an overlap of two turns shows under the sanitizer
/// too.
struct witness {
  std::map<int, int> last;
  int ran = 0, disorders = 0, overlaps = 0;
  bool inside = false;

  int note(int sender, int number) {
    overlaps += inside;
    inside = true;
    auto [at, fresh] = last.try_emplace(sender, number);
    if (!fresh) {
      disorders += number <= at->second;
      at->second = number;
    }
    ++ran;
    stress::delay();
    inside = false;
    return number;
  }
  async<int> note_slowly(int sender, int number, ref<int> gate) {
    (void)co_await gate.as_result();
    co_return note(sender, number);
  }
  std::vector<int> seen() { return {ran, disorders, overlaps}; }
};

struct sent {
  int total = 0, ran = 0, refused = 0, other = 0;
};

/// One sender: calls with and without arguments that are not ready yet, then looks at every answer.
sent send_calls(runtime_handle rt, const actor_handle<witness>& to, int sender, int calls,
                std::uint64_t seed, bool slow_ones) {
  base::rng random(seed);
  std::vector<ref<int>> answers;
  for (int n = 0; n < calls; ++n) {
    switch (random.below(8)) {
      case 0: {
        auto late = rt.task([](int x) { return stress::delay(), x; }).remote(n);
        if (slow_ones) answers.push_back(to.call(&witness::note_slowly, sender, n, late));
        else answers.push_back(to.call(&witness::note, sender, late));
        break;
      }
      default: answers.push_back(to.call(&witness::note, sender, n)); break;
    }
    stress::delay();
  }
  sent count;
  for (int n = 0; n < calls; ++n) {
    auto got = rt.get(answers[static_cast<std::size_t>(n)]);
    ++count.total;
    if (got.has_value()) *got == n ? ++count.ran : ++count.other;
    else if (got.error().code() == errc::queue_full || got.error().code() == errc::dropped)
      ++count.refused;
    else ++count.other;
  }
  return count;
}

struct tally {
  int total = 0, ran = 0, refused = 0, other = 0;
  std::vector<int> seen;
};

/// Two senders are foreign threads, two are tasks.
tally run_senders(std::uint64_t seed, mailbox_policy policy, std::uint32_t capacity,
                  bool slow_ones) {
  stress::round round(seed);
  tally all;
  auto rt = runtime::start({.workers = 1u + static_cast<unsigned>(seed % 3)});
  REQUIRE(rt.has_value());
  auto a = rt->actor<witness>()
               .options({.mailbox_capacity = capacity, .mailbox_policy = policy})
               .remote();
  constexpr int calls = stress::scaled(400);
  std::vector<ref<std::vector<int>>> in_tasks;
  for (int s = 2; s < 4; ++s)
    in_tasks.push_back(
        rt->task([](actor_handle<witness> to, int sender, std::uint64_t seed, bool slow) {
            sent c = send_calls(this_task::runtime(), to, sender, calls, seed, slow);
            return std::vector<int>{c.total, c.ran, c.refused, c.other};
          }).remote(a, s, seed * 4 + static_cast<std::uint64_t>(s), slow_ones));
  sent counts[2];
  stress::on_threads(2, [&](unsigned s) {
    counts[s] = send_calls(*rt, a, static_cast<int>(s), calls, seed * 4 + s, slow_ones);
  });
  auto add = [&](int total, int ran, int refused, int other) {
    all.total += total, all.ran += ran, all.refused += refused, all.other += other;
  };
  for (sent& c : counts) add(c.total, c.ran, c.refused, c.other);
  for (auto& r : in_tasks) {
    auto c = rt->get(r);
    REQUIRE(c.has_value());
    add((*c)[0], (*c)[1], (*c)[2], (*c)[3]);
  }
  for (;;) {  // the call itself may be dropped or refused
    auto seen = rt->get(a.call(&witness::seen));
    if (seen.has_value()) all.seen = *seen;
    if (seen.has_value()) return all;
  }
}

void check_policy(mailbox_policy policy, std::uint32_t capacity, bool slow_ones) {
  for (std::uint64_t seed : stress::seeds(8)) {
    INFO("BEAMLET_SEED=", seed);
    tally all = run_senders(seed, policy, capacity, slow_ones);
    CHECK(all.other == 0);
    CHECK(all.ran + all.refused == all.total);
    CHECK(all.seen == std::vector<int>{all.ran, 0, 0});
    if (policy == mailbox_policy::block) CHECK(all.refused == 0);
  }
}

}  // namespace

TEST_CASE("a mailbox with room runs every call once, in each sender's order") {
  check_policy(mailbox_policy::block, 16384, false);
}

TEST_CASE("a mailbox that blocks its senders loses nothing and keeps each one's order") {
  check_policy(mailbox_policy::block, 4, false);
}

TEST_CASE("calls that suspend keep each sender's order") {
  check_policy(mailbox_policy::block, 16384, true);
}

TEST_CASE("a mailbox that rejects says so for each call that it does not run") {
  check_policy(mailbox_policy::reject, 4, false);
}

TEST_CASE("a mailbox that drops the oldest says so for each call that it does not run") {
  check_policy(mailbox_policy::drop_oldest, 4, false);
}

TEST_CASE("a mailbox that keeps the latest says so for each call that it does not run") {
  check_policy(mailbox_policy::keep_latest, 1, false);
}

namespace {

struct crowd {
  std::atomic<int> inside{0}, most{0};
  int visit(int x) {
    int n = inside.fetch_add(1) + 1;
    int seen = most.load();
    while (n > seen && !most.compare_exchange_weak(seen, n)) {}
    stress::delay();
    inside.fetch_sub(1);
    return x;
  }
  async<int> visit_slowly(int x, ref<int> gate) {
    int y = co_await gate;
    co_return visit(x + y - y);
  }
  int highest() { return most.load(); }
};

}  // namespace

TEST_CASE("an actor with three calls at a time runs every call and never a fourth") {
  for (std::uint64_t seed : stress::seeds(6)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    std::atomic<int> wrong{0};
    auto rt = runtime::start({.workers = 4});
    REQUIRE(rt.has_value());
    auto a = rt->actor<crowd>().options({.max_concurrency = 3}).remote();
    stress::on_threads(3, [&](unsigned t) {
      base::rng random(seed * 3 + t);
      std::vector<ref<int>> answers;
      constexpr int calls = stress::scaled(300);
      for (int n = 0; n < calls; ++n)
        answers.push_back(
            random.below(4) != 0
                ? a.call(&crowd::visit, n)
                : a.call(&crowd::visit_slowly, n, rt->task([](int x) { return x; }).remote(n)));
      for (int n = 0; n < calls; ++n) {
        auto got = rt->get(answers[static_cast<std::size_t>(n)]);
        wrong += !got.has_value() || *got != n;
      }
    });
    CHECK(wrong.load() == 0);
    auto most = rt->get(a.call(&crowd::highest));
    REQUIRE(most.has_value());
    CHECK(*most <= 3);
  }
}

TEST_CASE("a kill, or the last handle's end, that races with calls answers each of them") {
  for (std::uint64_t seed : stress::seeds(6)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    auto rt = runtime::start({.workers = 2});
    REQUIRE(rt.has_value());
    for (int n = 0; n < stress::scaled(60); ++n) {
      auto a = rt->actor<witness>().remote();
      bool kill = round.random.below(2) == 0;
      std::atomic<int> wrong{0};
      actor_handle<witness> handles[3] = {a, a, std::move(a)};
      stress::on_threads(3, [&](unsigned t) {
        actor_handle<witness> mine = std::move(handles[t]);
        std::vector<ref<int>> answers;
        for (int i = 0; i < 20; ++i) {
          if (t == 0 && i == 10 && kill) rt->kill(mine);
          answers.push_back(mine.call(&witness::note, static_cast<int>(t), i));
          stress::delay();
        }
        mine = {};
        for (auto& answer : answers) {
          auto got = rt->get(answer);
          wrong += !got.has_value() && !(kill && (got.error().code() == errc::actor_died ||
                                                  got.error().code() == errc::cancelled));
        }
      });
      REQUIRE(wrong.load() == 0);
    }
  }
}
