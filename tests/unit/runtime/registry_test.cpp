// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <string>

namespace registry_test {
using namespace runtime_test;

struct image {
  int width = 0;
  std::string name;
  BEAMLET_FIELDS(width, name);
};
struct opaque {
  void* address = nullptr;
};

int add(int a, int b) { return a + b; }
double add(double a) { return a; }
long wide(long n) { return n; }
async<void> later(std::string) { co_return; }
result<std::string> checked(const std::string& s, ref<int>) { return s; }
template <class T>
T same(T value) {
  return value;
}
int stays(opaque) { return 1; }
generator<int> numbers(int n) {
  for (int i = 0; i < n; ++i) co_yield i;
}
void quiet() noexcept {}
int left_out(int n) { return n; }

struct detector {
  explicit detector(std::string, int = 0) {}
  int run(const image& i) { return i.width; }
  bool run(int) const { return true; }
  void reset() {}
};

using beamlet::detail::find_registration;
using beamlet::detail::function_key;

template <class F>
std::string name_of(F f) {
  auto* r = find_registration(function_key(f));
  return r != nullptr ? beamlet::detail::wire_name(*r) : std::string();
}

}  // namespace registry_test

BEAMLET_REMOTE(registry_test::add, int(int, int));
BEAMLET_REMOTE(registry_test::add, double(double));
BEAMLET_REMOTE(registry_test::wide);
BEAMLET_REMOTE(registry_test::later);
BEAMLET_REMOTE(registry_test::checked);
BEAMLET_REMOTE(registry_test::same<int>);
BEAMLET_REMOTE(registry_test::same<bool>);
BEAMLET_REMOTE(registry_test::stays);
BEAMLET_REMOTE(registry_test::numbers);
BEAMLET_REMOTE(registry_test::quiet);
BEAMLET_REMOTE(registry_test::quiet);
BEAMLET_REMOTE(&registry_test::detector::run, int(const registry_test::image&));
BEAMLET_REMOTE(&registry_test::detector::run, bool(int) const);
BEAMLET_REMOTE(&registry_test::detector::reset);
BEAMLET_REMOTE(beamlet::constructor<registry_test::detector(std::string)>);
BEAMLET_REMOTE(beamlet::constructor<registry_test::detector(std::string, int)>);

namespace registry_test {

TEST_CASE("a wire name is the qualified name and the codecs' types") {
  CHECK(name_of(static_cast<int (*)(int, int)>(add)) == "registry_test::add(i32,i32)->i32");
  CHECK(name_of(static_cast<double (*)(double)>(add)) == "registry_test::add(f64)->f64");
  CHECK(name_of(wide) == "registry_test::wide(i64)->i64");
  CHECK(name_of(later) == "registry_test::later(string)->void");
  CHECK(name_of(checked) == "registry_test::checked(string,ref<i32>)->string");
  CHECK(name_of(same<int>) == "registry_test::same(i32)->i32");
  CHECK(name_of(same<bool>) == "registry_test::same(bool)->bool");
}

TEST_CASE("methods and constructors have wire names of their own") {
  CHECK(name_of(static_cast<int (detector::*)(const image&)>(&detector::run)) ==
        "registry_test::detector::run(image{width:i32,name:string})->i32");
  CHECK(name_of(static_cast<bool (detector::*)(int) const>(&detector::run)) ==
        "registry_test::detector::run(i32)->bool");
  CHECK(name_of(&detector::reset) == "registry_test::detector::reset()->void");
  CHECK(name_of(constructor<detector(std::string)>) == "registry_test::detector(string)");
  CHECK(name_of(constructor<detector(std::string, int)>) == "registry_test::detector(string,i32)");
}

TEST_CASE("a function whose types have no codec is registered for its own process") {
  REQUIRE(find_registration(function_key(&stays)) != nullptr);
  CHECK(find_registration(function_key(&stays))->entry == nullptr);
  CHECK(find_registration(function_key(&numbers))->entry == nullptr);
  CHECK(find_registration(function_key(&wide))->entry != nullptr);
}

TEST_CASE("an unknown name is not registered, and the error says what to do") {
  CHECK(find_registration(function_key(&left_out)) == nullptr);
  auto missing = beamlet::detail::find_registered("registry_test::left_out(i32)->i32");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code() == errc::not_registered);
  CHECK(mentions(missing.error().message(), "registry_test::left_out(i32)->i32"));
  CHECK(mentions(missing.error().message(), "--whole-archive"));
  CHECK(beamlet::detail::find_registered("registry_test::wide(i64)->i64").has_value());
}

TEST_CASE("the same function registered twice is harmless") {
  CHECK(runtime::start({.workers = 1}).has_value());
}

TEST_CASE("two functions under one wire name refuse the start") {
  beamlet::detail::registration_facts facts = *find_registration(function_key(&wide));
  facts.key = &facts;
  {
    beamlet::detail::registration twin(facts);
    auto refused = runtime::start({.workers = 1});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == errc::already_exists);
    CHECK(mentions(refused.error().message(), "registry_test::wide(i64)->i64"));
  }
  CHECK(runtime::start({.workers = 1}).has_value());
}

TEST_CASE("a registered function is called by its name in statistics") {
  auto rt = start();
  CHECK(rt.get(rt.task(wide).remote(3L)).value() == 3);
  bool found = false;
  for (auto& f : rt.stats().functions) found = found || f.name == "registry_test::wide";
  CHECK(found);
}

}  // namespace registry_test
