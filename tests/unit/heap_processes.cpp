// SPDX-License-Identifier: Apache-2.0
// Memory runs out on the thread of a program's own agent: isolated calls fail, the program goes on.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <sys/wait.h>

#include <cerrno>
#include <string>
#include <vector>

#include "heap.hpp"

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  return doctest::Context(argc, argv).run();
}

#if BEAMLET_HAS_EXCEPTIONS
namespace heap_processes {

using namespace beamlet;

int doubled(int a) { return 2 * a; }
std::size_t sum_of(const std::vector<int>& all) {
  std::size_t sum = 0;
  for (int each : all) sum += static_cast<std::size_t>(each);
  return sum;
}
struct tally {
  explicit tally(int from) : at(from) {}
  int next() { return ++at; }
  int at;
};
BEAMLET_REMOTE(doubled);
BEAMLET_REMOTE(sum_of);
BEAMLET_REMOTE(constructor<tally(int)>);
BEAMLET_REMOTE(&tally::next);

const task_options apart{.isolation = isolation::process};

/// What is wrong with what became of a call: it must be right, or lost with the agent or one of its
/// sessions.
template <class T>
std::string wrong_with(const result<T>& got, T right) {
  if (got.has_value()) return *got == right ? "" : "another value";
  const errc code = got.error().code();
  const bool is_lost = code == errc::agent_lost || code == errc::no_memory ||
                       code == errc::actor_died || code == errc::worker_died;
  return is_lost ? "" : got.error().describe();
}

TEST_CASE("where memory runs out in its agent a program goes on, and isolated calls are lost") {
  std::size_t faults = 0, lost = 0, told = 0;
  for (std::uint64_t n = 1; n < 700; n += 13) {
    CAPTURE(n);
    auto started = runtime::start({.workers = 2, .worker_processes_max = 3});
    REQUIRE(started.has_value());
    runtime rt = *std::move(started);
    heap::fail_on_threads("beamlet-agent", n);
    const std::vector<int> many(100'000, 1);  // through shared memory
    auto a = rt.task(doubled).options(apart).remote(21);
    auto b = rt.task(sum_of).options(apart).remote(rt.put(many));
    auto made = rt.actor<tally>().options({.isolation = isolation::process}).remote(7);
    auto c = rt.get(made.call(&tally::next));
    CHECK(wrong_with(rt.get(a), 42) == "");
    CHECK(wrong_with(rt.get(b), std::size_t{100'000}) == "");
    CHECK(wrong_with(c, 8) == "");
    for (int i = 0; i < 5; ++i)
      CHECK(wrong_with(rt.get(rt.task(doubled).options(apart).remote(i)), 2 * i) == "");
    faults += heap::has_failed();
    heap::fail_on_threads("", 0);
    auto last = rt.get(rt.task(doubled).options(apart).remote(1));
    CHECK(wrong_with(last, 2) == "");
    lost += !last.has_value();
    told += !last.has_value() && last.error().cause().find("memory") != std::string_view::npos;
    CHECK(*rt.get(rt.task(doubled).remote(4)) == 8);
    CHECK(rt.get(rt.put(many))->size() == many.size());
  }
  CHECK(faults > 20);
  CHECK(lost > 20);
  CHECK(told > lost / 2);
  CHECK((waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD));
}

}  // namespace heap_processes
#endif
