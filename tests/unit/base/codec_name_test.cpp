// SPDX-License-Identifier: Apache-2.0
// Wire names: the same from every compiler and word size, or peers would not find each other's
// functions.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <deque>
#include <list>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "codec_types.hpp"

using namespace codec_test;
using beamlet::wire_name;

namespace {
struct hidden {
  int a = 0;
  BEAMLET_FIELDS(a);
};
struct subtree {
  tree t;
  std::vector<subtree> more;
  BEAMLET_FIELDS(t, more);
};
}  // namespace

TEST_CASE("scalars are named by kind and size") {
  CHECK(wire_name<bool>() == "bool");
  CHECK(wire_name<char>() == "char");
  CHECK(wire_name<signed char>() == "i8");
  CHECK(wire_name<std::uint8_t>() == "u8");
  CHECK(wire_name<short>() == "i16");
  CHECK(wire_name<int>() == "i32");
  CHECK(wire_name<unsigned>() == "u32");
  CHECK(wire_name<long>() == "i64");
  CHECK(wire_name<unsigned long>() == "u64");
  CHECK(wire_name<long long>() == "i64");
  CHECK(wire_name<std::uint64_t>() == "u64");
  CHECK(wire_name<char8_t>() == "char8");
  CHECK(wire_name<char16_t>() == "char16");
  CHECK(wire_name<char32_t>() == "char32");
  CHECK(wire_name<float>() == "f32");
  CHECK(wire_name<double>() == "f64");
  CHECK(wire_name<std::byte>() == "byte");
  CHECK(wire_name<colour>() == "colour(u8)");
}

TEST_CASE("containers are named with what they hold") {
  CHECK(wire_name<std::string>() == "string");
  CHECK(wire_name<std::vector<int>>() == "vector<i32>");
  CHECK(wire_name<std::vector<std::vector<bool>>>() == "vector<vector<bool>>");
  CHECK(wire_name<std::deque<int>>() == "sequence<i32>");
  CHECK(wire_name<std::list<int>>() == "sequence<i32>");
  CHECK(wire_name<std::map<int, std::string>>() == "map<i32,string>");
  CHECK(wire_name<std::unordered_map<int, long>>() == "unordered_map<i32,i64>");
  CHECK(wire_name<std::set<int>>() == "set<i32>");
  CHECK(wire_name<std::unordered_set<int>>() == "unordered_set<i32>");
  CHECK(wire_name<std::array<int, 4>>() == "array<i32,4>");
  CHECK(wire_name<std::pair<int, float>>() == "pair<i32,f32>");
  CHECK(wire_name<std::tuple<>>() == "tuple<>");
  CHECK(wire_name<std::tuple<int, bool>>() == "tuple<i32,bool>");
  CHECK(wire_name<std::optional<int>>() == "optional<i32>");
  CHECK(wire_name<std::variant<std::monostate, int>>() == "variant<monostate,i32>");
  CHECK(wire_name<std::chrono::milliseconds>() == "duration<i64,1/1000>");
  CHECK(wire_name<std::chrono::seconds>() == "duration<i64,1/1>");
  CHECK(wire_name<beamlet::error>() == "error");
  CHECK(wire_name<beamlet::result<int>>() == "result<i32>");
  CHECK(wire_name<beamlet::result<void>>() == "result<void>");
  CHECK(wire_name<beamlet::object_id>() == "object_id");
  CHECK(wire_name<even>() == "even");
}

TEST_CASE("structs are named without their namespace and with their fields") {
  CHECK(wire_name<point>() == "point{x:f64,y:f64}");
  CHECK(wire_name<labelled>() ==
        "labelled{label:string,outline:vector<point{x:f64,y:f64}>,rank:optional<i16>,extra:map<"
        "string,vector<byte>>}");
  CHECK(wire_name<nothing>() == "nothing{}");
  CHECK(wire_name<hidden>() == "hidden{a:i32}");
  CHECK(wire_name<box<int>>() == "box{content:inner{value:i32}}");
  CHECK(wire_name<box<std::vector<colour>>>() == "box{content:inner{value:vector<colour(u8)>}}");
  struct local {
    int l = 0;
    BEAMLET_FIELDS(l);
  };
  CHECK(wire_name<local>() == "local{l:i32}");
}

TEST_CASE("two structs side by side are both named in full") {
  CHECK(wire_name<std::pair<point, point>>() == "pair<point{x:f64,y:f64},point{x:f64,y:f64}>");
}

TEST_CASE("a struct that contains itself is named without its fields there") {
  CHECK(wire_name<tree>() == "tree{value:i32,children:vector<tree>}");
  CHECK(wire_name<subtree>() ==
        "subtree{t:tree{value:i32,children:vector<tree>},more:vector<subtree>}");
}

TEST_CASE("the name of a type is cut out of either compiler's text") {
  using beamlet::detail::type_name_of;
  CHECK(type_name_of("constexpr f() [with T = int; std::string_view = x]") == "int");
  CHECK(type_name_of("f() [T = a::b::point]") == "point");
  CHECK(type_name_of("f() [with T = a::box<std::vector<int> >; S = x]") == "box");
  CHECK(type_name_of("f() [T = a::box<std::pair<int, int>>::inner]") == "inner");
  CHECK(type_name_of("f() [with T = {anonymous}::point; S = x]") == "point");
  CHECK(type_name_of("f() [T = (anonymous namespace)::point]") == "point");
  CHECK(type_name_of("f() [with T = main(int, char**)::local; S = x]") == "local");
  CHECK(type_name_of("f() [with T = a::<unnamed struct>; S = x]") == "");
  CHECK(type_name_of("f() [T = (unnamed struct at file.cpp:3:1)]") == "");
}
