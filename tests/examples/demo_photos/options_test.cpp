// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <vector>

#include "test_support.hpp"

namespace demo {
namespace {

std::variant<options, std::string> read(std::vector<const char*> words) {
  words.insert(words.begin(), "demo_photos");
  return read_options(static_cast<int>(words.size()), words.data());
}

std::string complaint(std::vector<const char*> words) {
  const auto answer = read(std::move(words));
  REQUIRE(std::holds_alternative<std::string>(answer));
  return std::get<std::string>(answer);
}

}  // namespace

TEST_CASE("every option is read, in any order") {
  const auto answer = read({"--repeat", "7", "pictures", "--workers", "0", "--out", "there"});
  REQUIRE(std::holds_alternative<options>(answer));
  const auto& chosen = std::get<options>(answer);
  CHECK(chosen.folder == "pictures");
  CHECK(chosen.repeat == 7);
  CHECK(chosen.workers == 0);
  CHECK(chosen.out == "there");
  CHECK_FALSE(chosen.generate);
}

TEST_CASE("an absurd value is refused with the range that is allowed") {
  CHECK(complaint({"--repeat", "0"}) == "--repeat takes a whole number from 1 to 100000, not '0'");
  for (const char* absurd : {"-1", "1e3", "7x", "99999999999999999999", "100001", " 1"}) {
    CAPTURE(absurd);
    CHECK(complaint({"--repeat", absurd}).find("whole number") != std::string::npos);
  }
  CHECK(complaint({"--workers", "257"}).find("from 0 to 256") != std::string::npos);
}

TEST_CASE("a value that is missing or empty is named") {
  CHECK(complaint({"--repeat"}) == "--repeat needs a value");
  CHECK(complaint({"--out", ""}) == "--out needs a value");
  CHECK(complaint({""}) == "the folder's name is empty");
}

TEST_CASE("what is not understood is named") {
  CHECK(complaint({"--fast"}) == "unknown option '--fast'");
  CHECK(complaint({"a", "b"}) == "only one folder can be given");
  CHECK(complaint({"a", "--generate"}) == "--generate takes the place of a folder");
}

}  // namespace demo
