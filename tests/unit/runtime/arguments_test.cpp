// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <memory>
#include <stdexcept>

namespace arguments_cases {

namespace {
using namespace runtime_test;

int twice(int n) { return 2 * n; }

TEST_CASE("a ref given to a value parameter is waited for") {
  runtime rt = start();
  auto a = rt.task(twice).remote(1);
  auto b = rt.task(twice).remote(a);
  CHECK(*rt.get(rt.task([](int x, int y) { return x + y; }).remote(a, b)) == 6);
  CHECK(*rt.get(rt.task([](const int& x, long y) { return x + y; }).remote(a, std::move(b))) == 6);
}

TEST_CASE("a const reference parameter sees the object itself") {
  runtime rt = start();
  auto object = rt.put(std::string("here"));
  auto held = rt.pin(object);
  auto seen = rt.task([](const std::string& s) {
                  return reinterpret_cast<std::uintptr_t>(&s);
                }).remote(object);
  CHECK(*rt.get(seen) == reinterpret_cast<std::uintptr_t>(held->get()));
}

TEST_CASE("a ref given to a ref parameter arrives as it is, pending or not") {
  gate leave;
  runtime rt = start();
  auto pending = rt.task([&] {
                     leave.wait();
                     return 3;
                   })
                     .options({.blocking = true})
                     .remote();
  auto ready = rt.task([](ref<int> r) { return r.ready(); }).remote(pending);
  CHECK(*rt.get(ready) == false);
  auto value = rt.task([](ref<int> r) { return *this_task::runtime().get(r); }).remote(pending);
  leave.open();
  CHECK(*rt.get(value) == 3);
}

TEST_CASE("a ref of a ref is waited for by a parameter that takes the inner one") {
  runtime rt = start();
  auto outer =
      rt.task([] { return this_task::runtime().task([] { return 5; }).remote(); }).remote();
  auto next =
      rt.task([](ref<int> inner) { return *this_task::runtime().get(inner) + 1; }).remote(outer);
  CHECK(*rt.get(next) == 6);
}

TEST_CASE("refs inside a value are not waited for") {
  gate leave;
  runtime rt = start();
  auto pending = rt.task([&] {
                     leave.wait();
                     return 3;
                   })
                     .options({.blocking = true})
                     .remote();
  std::vector<ref<int>> list{pending, rt.put(4)};
  auto how_many = rt.task([](const std::vector<ref<int>>& l) {
                      return int(l[0].ready()) + int(l[1].ready());
                    }).remote(list);
  CHECK(*rt.get(how_many) == 1);
  leave.open();
  auto sum = rt.task([](std::vector<ref<int>> l) {
                 auto values = this_task::runtime().get(l);
                 return values->at(0) + values->at(1);
               }).remote(rt.put(list));
  CHECK(*rt.get(sum) == 7);
}

TEST_CASE("a ref of a ref leads to the object") {
  runtime rt = start();
  auto inner = rt.task([] { return this_task::runtime().task(twice).remote(21); }).remote();
  auto r = rt.get(inner);
  REQUIRE(r.has_value());
  CHECK(*rt.get(*r) == 42);
}

TEST_CASE("arguments convert to the parameters and are owned by the call") {
  runtime rt = start();
  char text[] = "first";
  auto size = rt.task([](const std::string& s) { return s; }).remote(text);
  text[0] = 'x';
  CHECK(*rt.get(size) == "first");
  auto owned = rt.task([](std::unique_ptr<int> p) { return *p; }).remote(std::make_unique<int>(9));
  CHECK(*rt.get(owned) == 9);
  auto changed = rt.task([](std::vector<int>& mine) {
                     mine.push_back(1);
                     return mine.size();
                   }).remote(std::vector<int>{1, 2});
  CHECK(*rt.get(changed) == 3);
}

TEST_CASE("an empty ref as an argument is refused") {
  runtime rt = start();
  auto refused = rt.task(twice).remote(ref<int>());
  CHECK(refused.ready());
  CHECK(failure(rt, refused) == errc::invalid_ref);
}

TEST_CASE("a call's arguments go when it has ended, although its result is held") {
  runtime rt = start();
  auto life = std::make_shared<int>(1);
  auto result = rt.task([](const std::shared_ptr<int>& p) { return *p; }).remote(life);
  CHECK(*rt.get(result) == 1);
  CHECK(life.use_count() == 1);
}

TEST_CASE("repeated attempts get the same arguments again") {
  runtime rt = start();
  auto object = rt.put(std::string("object"));
  auto call = [](std::vector<int> mine, std::string text,
                 const std::string& seen) -> result<std::string> {
    if (mine != std::vector<int>{1, 2, 3}) return error(errc::malformed);
    mine.clear();
    std::string taken = std::move(text) + seen;
    if (this_task::attempt() < 3) return error(errc::busy);
    return taken;
  };
  auto made = rt.task(call)
                  .options({.max_retries = 5, .retry_exceptions = true})
                  .remote(std::vector<int>{1, 2, 3}, rt.put(std::string("last ref ")), object);
  auto text = rt.get(made);
  REQUIRE(text.has_value());
  CHECK(*text == "last ref object");
}

TEST_CASE("arguments that cannot be copied cannot be repeated") {
  runtime rt = start();
  auto refused = rt.task([](std::unique_ptr<int> p) { return *p; })
                     .options({.max_retries = 1, .retry_exceptions = true})
                     .remote(std::make_unique<int>(1));
  auto got = rt.get(refused);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::invalid_argument);
  CHECK(mentions(got.error().message(), "max_retries"));
}

TEST_CASE("an object of one runtime is an argument in another") {
  runtime one = start(), two = start();
  gate leave;
  auto pending = one.task([&] {
                      leave.wait();
                      return 5;
                    })
                     .remote();
  auto other = two.task(twice).remote(pending);
  leave.open();
  CHECK(*two.get(other) == 10);
  CHECK(*one.get(other) == 10);
}

TEST_CASE("a long chain of tasks runs in order") {
  gate leave;
  runtime rt = start();
  auto last = rt.task([&] {
                  leave.wait();
                  return 0;
                })
                  .options({.blocking = true})
                  .remote();
  for (int i = 0; i < 10000; ++i)
    last = rt.task([](int n) { return n + 1; }).remote(std::move(last));
  leave.open();
  CHECK(*rt.get(last) == 10000);
}

TEST_CASE("one object feeds many tasks, many objects feed one") {
  runtime rt = start({.workers = 3});
  auto seed = rt.task([] { return 1; }).remote();
  std::vector<ref<int>> wide;
  for (int i = 0; i < 1000; ++i) wide.push_back(rt.task([](int n) { return n; }).remote(seed));
  while (wide.size() > 1) {
    std::vector<ref<int>> next;
    for (std::size_t i = 0; i + 1 < wide.size(); i += 2)
      next.push_back(rt.task([](int a, int b) { return a + b; }).remote(wide[i], wide[i + 1]));
    if (wide.size() % 2 != 0) next.push_back(wide.back());
    wide = std::move(next);
  }
  CHECK(*rt.get(wide[0]) == 1000);
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("an argument whose copy throws fails the call") {
  struct picky {
    picky() = default;
    picky(const picky&) { throw std::runtime_error("no copies"); }
    picky(picky&&) = default;
  };
  runtime rt = start();
  picky original;
  CHECK(failure(rt, rt.task([](const picky&) {}).remote(original)) == errc::user_exception);
}
#endif

}  // namespace

}  // namespace arguments_cases
