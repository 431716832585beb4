// SPDX-License-Identifier: Apache-2.0
// What goes on between cells and their agent: retries, cancels, refusals, who is told and where.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>

namespace isolated_engine {

using namespace beamlet;
using namespace std::chrono_literals;

/// An argument that can be encoded once.
struct fickle {};
std::atomic<int> fickle_encoded{0};
}  // namespace isolated_engine

template <>
struct beamlet::codec<isolated_engine::fickle> {
  static void encode(writer& out, const isolated_engine::fickle&) {
    if (isolated_engine::fickle_encoded++ > 0)
      return out.fail(error(errc::exhausted, error_layer::user, {"only once", "", "", ""}));
    out.number(std::uint8_t{1});
  }
  static result<isolated_engine::fickle> decode(reader& in) {
    in.number<std::uint8_t>();
    return isolated_engine::fickle{};
  }
  static void name(std::string& out) { out += "fickle"; }
};

namespace isolated_engine {

result<int> fail_at_first(std::string file) {
  std::FILE* was_here = std::fopen(file.c_str(), "rb");
  if (was_here != nullptr) {
    std::fclose(was_here);
    return 7;
  }
  if (std::FILE* made = std::fopen(file.c_str(), "wb")) std::fclose(made);
  return error(errc::invalid_argument, error_layer::user, {"the first attempt", "", "", ""});
}
int plus_one_of_ref(ref<int> a) {
  auto value = this_task::runtime().get(a);
  return value.has_value() ? *value + 1 : -1;
}
int sum_of_two(std::vector<ref<int>> all) {
  return *this_task::runtime().get(all.at(0)) + *this_task::runtime().get(all.at(1));
}
std::vector<int> many(std::size_t size) { return std::vector<int>(size, 3); }
std::vector<ref<int>> many_refs(int count) {
  std::vector<ref<int>> all;
  for (int i = 0; i < count; ++i) all.push_back(this_task::runtime().put(i));
  return all;
}
int until_cancelled_after(int) {
  while (!this_task::cancelled()) std::this_thread::yield();
  return 5;
}
result<int> refuse_always(int) {
  return error(errc::invalid_argument, error_layer::user, {"no", "", "", ""});
}
result<int> refuse_fickle(fickle) { return refuse_always(1); }
result<int> attempt_from(std::uint32_t first) {
  if (this_task::attempt() < first) return refuse_always(1);
  return static_cast<int>(this_task::attempt());
}
int length(std::string text) { return static_cast<int>(text.size()); }
int one_more(int a) { return a + 1; }
BEAMLET_REMOTE(fail_at_first);
BEAMLET_REMOTE(plus_one_of_ref);
BEAMLET_REMOTE(sum_of_two);
BEAMLET_REMOTE(many);
BEAMLET_REMOTE(many_refs);
BEAMLET_REMOTE(until_cancelled_after);
BEAMLET_REMOTE(refuse_always);
BEAMLET_REMOTE(refuse_fickle);
BEAMLET_REMOTE(attempt_from);
BEAMLET_REMOTE(length);
BEAMLET_REMOTE(one_more);

const task_options apart{.isolation = isolation::process};

runtime start() {
  auto rt = runtime::start({.workers = 2, .worker_processes_max = 3});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}

TEST_CASE("what a second attempt returned is what other processes see") {
  char folder[] = "/tmp/beamlet-test-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  std::string file = std::string(folder) + "/was_here";
  {
    runtime rt = start();
    auto again = rt.task(fail_at_first)
                     .options({.max_retries = 2,
                               .retry_on = [](const error&) { return true; },
                               .isolation = isolation::process})
                     .remote(file);
    CHECK(*rt.get(again) == 7);
    CHECK(*rt.get(rt.task(plus_one_of_ref).options(apart).remote(again)) == 8);
  }
  unlink(file.c_str());
  rmdir(folder);
}

task_options repeated_here(int times) {
  return {.max_retries = times,
          .retry_on = [](const error& e) { return e.code() == errc::invalid_argument; },
          .isolation = isolation::process};
}

TEST_CASE("an isolated task that cannot leave again fails with the reason, and is not run here") {
  runtime rt = start();
  fickle_encoded = 0;
  auto refused = rt.get(rt.task(refuse_fickle).options(repeated_here(1)).remote(fickle()));
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code() == errc::exhausted);
  CHECK(refused.error().message() == "only once");
}

TEST_CASE("attempts of an isolated task count up, whoever repeats it") {
  runtime rt = start();
  auto by_program = rt.task(attempt_from).options(repeated_here(3)).remote(2u);
  CHECK(*rt.get(by_program) == 2);
  auto by_agent =
      rt.task(attempt_from)
          .options({.max_retries = 3, .retry_exceptions = true, .isolation = isolation::process})
          .remote(2u);
  CHECK(*rt.get(by_agent) == 2);
}

TEST_CASE("a callback gets a large result, and the agent goes on") {
  runtime rt = start();
  for (std::size_t size : {std::size_t{10}, std::size_t{1} << 18}) {
    std::promise<std::size_t> told;
    rt.on_ready(rt.task(many).options(apart).remote(size), [&](result<std::vector<int>> value) {
      told.set_value(value.has_value() ? value->size() : 0);
    });
    CHECK(told.get_future().get() == size);
  }
}

TEST_CASE("an isolated task that waits for its arguments may be named before it leaves") {
  runtime rt = start();
  std::promise<void> go;
  auto held = rt.task([wait = go.get_future().share()] {
    wait.wait();
    return 1;
  });
  auto first = std::move(held).options({.blocking = true}).remote();
  auto later = rt.task(one_more).options(apart).remote(first);
  auto both = rt.task(sum_of_two).options(apart).remote(std::vector{later, later});
  go.set_value();
  CHECK(*rt.get(both) == 4);
  CHECK(*rt.get(later) == 2);
}

TEST_CASE("a large result that holds refs is opened when it is read") {
  runtime rt = start();
  auto made = rt.get(rt.task(many_refs).options(apart).remote(1500));
  if (!made.has_value()) FAIL(made.error().describe());
  REQUIRE(made->size() == 1500);
  CHECK(*rt.get(made->front()) == 0);
  CHECK(*rt.get(made->back()) == 1499);
}

TEST_CASE("a cancel that meets its task on the way out is not lost") {
  runtime rt = start();
  for (int i = 0; i < 200; ++i) {
    auto below = rt.task([i] { return i; }).remote();
    auto task = rt.task(until_cancelled_after).options(apart).remote(below);
    CHECK(rt.cancel(task).has_value());
    auto ended = rt.get(task);  // a value where it was running already, and has seen the cancel
    CHECK((ended.has_value() || ended.error().code() == errc::cancelled));
  }
}

TEST_CASE("calls that the agent cannot take fail, and the program goes on") {
  runtime rt = start();
  std::promise<void> reached, go;
  rt.on_ready(rt.task(refuse_always).options(apart).remote(1),
              [&](result<int>) {  // on the agent's thread
                reached.set_value();
                go.get_future().wait();
              });
  reached.get_future().wait();
  std::vector<ref<int>> all;
  const std::string text(4000, 'x');
  errc last = errc::ok;
  for (int i = 0; i < 70'000 && last == errc::ok; ++i) {
    all.push_back(rt.task(length).options(apart).remote(text));
    if (all.back().ready()) last = rt.get(all.back()).error().code();
  }
  CHECK(last == errc::queue_full);
  all.erase(all.begin(), all.end() - 1);  // the rest runs, for nobody
  all.clear();
  go.set_value();
  CHECK(*rt.get(rt.task(one_more).options(apart).remote(1)) == 2);
}

}  // namespace isolated_engine
