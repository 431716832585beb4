// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include <unistd.h>

#include "ports/processes.hpp"
#include "tests/unit/ports/in_child.hpp"

namespace process_life_cases {

namespace {
using namespace beamlet;

TEST_CASE("a process that lives has not ended, and one that was waited for has") {
  std::string own = ports::own_life();
  REQUIRE_FALSE(own.empty());
  CHECK(own == ports::own_life());
  CHECK(own.find_first_not_of("0123456789abcdef-") == std::string::npos);
  CHECK_FALSE(ports::life_has_ended(own));
  int both[2];
  REQUIRE(pipe(both) == 0);
  CHECK(in_forked_process([&] {
          std::string life = ports::own_life();
          if (ports::life_has_ended(own)) return 1;
          return write(both[1], life.data(), life.size()) < 0 ? 2 : 0;
        }) == 0);
  char text[256];
  ssize_t count = read(both[0], text, sizeof text);
  close(both[0]), close(both[1]);
  REQUIRE(count > 0);
  std::string child(text, static_cast<std::size_t>(count));
  CHECK(child != own);
  CHECK(ports::life_has_ended(child));
}

TEST_CASE("another process with the number of one that ended does not live for it") {
  std::string own = ports::own_life();
  std::string earlier = own.substr(0, own.rfind('-') + 1) + "1";
  CHECK(ports::life_has_ended(earlier));
}

TEST_CASE("what cannot be known from here is not taken for dead") {
  std::string own = ports::own_life();
  for (std::string life : {std::string(), std::string("x"), own.substr(0, own.rfind('-')),
                           own.substr(0, own.rfind('-') + 1) + "nonsense", 'f' + own}) {
    CAPTURE(life);
    CHECK_FALSE(ports::life_has_ended(life));
  }
}
}  // namespace

}  // namespace process_life_cases
