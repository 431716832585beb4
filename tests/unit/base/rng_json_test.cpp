// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/rng.hpp"

using namespace beamlet::base;

TEST_CASE("splitmix64 and xoshiro256** give the published sequences") {
  std::uint64_t seed = 1234567;  // the reference sequence of splitmix64.c
  for (std::uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u})
    CHECK(splitmix64(seed) == expected);
  rng zero(0);
  for (std::uint64_t expected :
       {11091344671253066420u, 13793997310169335082u, 1900383378846508768u, 7684712102626143532u})
    CHECK(zero.next() == expected);
}

TEST_CASE("the same seed gives the same numbers, another seed others") {
  rng a(1), b(1), c(2);
  int equal = 0;
  for (int i = 0; i < 1000; ++i) {
    std::uint64_t x = a.next();
    CHECK(x == b.next());
    equal += x == c.next();
  }
  CHECK(equal == 0);
}

TEST_CASE("below() reaches every number under its bound and none above") {
  rng random(3);
  std::vector<int> seen(10);
  for (int i = 0; i < 10'000; ++i) ++seen.at(random.below(10));
  for (int count : seen) CHECK(count > 800);
  CHECK(random.below(1) == 0);
}

namespace {
std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
}  // namespace

TEST_CASE("JSON strings escape what must be") {
  CHECK(json("plain") == "\"plain\"");
  CHECK(json("") == "\"\"");
  CHECK(json("a\"b\\c/d") == "\"a\\\"b\\\\c/d\"");
  CHECK(json(std::string_view("\n\r\t\0\x1f\x7f", 6)) == "\"\\n\\r\\t\\u0000\\u001f\\u007f\"");
  CHECK(json("gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "\"gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

TEST_CASE("bytes that are no UTF-8 do not reach the JSON text") {
  const std::string mark = "\xef\xbf\xbd";
  CHECK(json("a\xff"
             "b") == "\"a" + mark + "b\"");
  CHECK(json("\xc3") == "\"" + mark + "\"");                                   // cut
  CHECK(json("\xc3(") == "\"" + mark + "(\"");                                 // no continuation
  CHECK(json("\xc0\xaf") == "\"" + mark + mark + "\"");                        // overlong
  CHECK(json("\xe0\x80\x80") == "\"" + mark + mark + mark + "\"");             // overlong
  CHECK(json("\xed\xa0\x80") == "\"" + mark + mark + mark + "\"");             // surrogate
  CHECK(json("\xf4\x90\x80\x80") == "\"" + mark + mark + mark + mark + "\"");  // beyond U+10FFFF
}
