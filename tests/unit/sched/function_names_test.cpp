// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/sched/function_names.hpp>

using namespace beamlet::sched;

namespace names_test {
int add(int a, int b) { return a + b; }
struct detector {
  int run(int x) { return x; }
};
template <class T>
struct box {};
namespace {
int hidden() { return 1; }
struct secret {};
}  // namespace
}  // namespace names_test

TEST_CASE("functions and methods are called what their source calls them, by either compiler") {
  CHECK(readable_value(spelled_value<&names_test::add>()) == "names_test::add");
  CHECK(readable_value(spelled_value<&names_test::detector::run>()) == "names_test::detector::run");
  CHECK(readable_value(spelled_value<&names_test::hidden>()) == "names_test::hidden");
}

TEST_CASE("an overload chosen by a cast keeps its name") {
  CHECK(readable_value("(int (*)(int))add") == "add");
  CHECK(readable_value("((int (*)(int))add)") == "add");
  CHECK(readable_value("&add") == "add");
}

TEST_CASE("types are spelled as in the source, without the anonymous namespace") {
  CHECK(readable_type(spelled_type<names_test::detector>()) == "names_test::detector");
  CHECK(readable_type(spelled_type<names_test::secret>()) == "names_test::secret");
  CHECK(readable_type(spelled_type<names_test::box<int>>()) == "names_test::box<int>");
}

TEST_CASE("a lambda is called one, with its place where the compiler tells") {
  CHECK(readable_type("main()::<lambda(int)>") == "lambda in main()");
  CHECK(readable_type("(lambda at main.cpp:3:7)") == "lambda");
  auto here = [] {};
  CHECK(readable_type(spelled_type<decltype(here)>()).rfind("lambda", 0) == 0);
}

TEST_CASE("nothing is registered under an unknown key") {
  int key = 0;
  CHECK(registered_name(&key).empty());
}
