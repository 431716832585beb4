// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/base/log.hpp>

#include <cstdlib>
#include <string>
#include <vector>

using beamlet::errc;
using beamlet::error_layer;
using beamlet::log_level;
using beamlet::logger;

namespace {
struct collector {
  std::vector<std::string> lines;
  beamlet::log_sink sink() {
    return {[](void* self, const beamlet::log_record& r) {
              static_cast<collector*>(self)->lines.push_back(
                  std::string(to_string(r.level)) + " " + std::string(to_string(r.layer)) + " " +
                  std::to_string(r.time_ns) + " " + std::string(r.message));
            },
            this};
  }
};
}  // namespace

TEST_CASE("a logger passes messages at its level and above") {
  collector c;
  logger log(c.sink(), log_level::info);
  log.write(log_level::debug, error_layer::sched, 1, "no");
  log.write(log_level::info, error_layer::sched, 2, "yes");
  log.write(log_level::error, error_layer::base, 3, "yes");
  CHECK(c.lines == std::vector<std::string>{"info sched 2 yes", "error base 3 yes"});
}

TEST_CASE("a logger's level can be changed at any time") {
  collector c;
  logger log(c.sink(), log_level::off);
  CHECK_FALSE(log.enabled(log_level::error));
  log.write(log_level::error, error_layer::user, 1, "no");
  log.write(log_level::off, error_layer::user, 1, "off is no level of a message");
  log.set_level(log_level::trace);
  CHECK(log.enabled(log_level::trace));
  log.write(log_level::trace, error_layer::user, 2, "yes");
  CHECK(c.lines == std::vector<std::string>{"trace user 2 yes"});
}

TEST_CASE("a logger without a sink has every level off") {
  logger log({}, log_level::trace);
  CHECK_FALSE(log.enabled(log_level::error));
  log.set_level(log_level::trace);
  CHECK_FALSE(log.enabled(log_level::error));
  log.write(log_level::error, error_layer::user, 1, "nobody hears it");
}

TEST_CASE("levels go through their names") {
  for (auto level : {log_level::trace, log_level::debug, log_level::info, log_level::warning,
                     log_level::error, log_level::off})
    CHECK(*beamlet::parse_log_level(to_string(level)) == level);
  CHECK(to_string(log_level{99}) == "unknown");
}

TEST_CASE("a level that does not exist is named in the error") {
  for (std::string text : {"", "Info", "info ", "loud", "unknown"}) {
    auto level = beamlet::parse_log_level(text);
    REQUIRE_FALSE(level.has_value());
    CHECK(level.error() == errc::invalid_argument);
    CHECK(std::string(level.error().message()).find("'" + text + "'") != std::string::npos);
  }
}

TEST_CASE("BEAMLET_LOG names the level, and a bad one is as none") {
  ::unsetenv("BEAMLET_LOG");
  CHECK(beamlet::log_level_from_environment(log_level::warning) == log_level::warning);
  ::setenv("BEAMLET_LOG", "trace", 1);
  CHECK(beamlet::log_level_from_environment(log_level::warning) == log_level::trace);
  ::setenv("BEAMLET_LOG", "shout", 1);
  CHECK(beamlet::log_level_from_environment(log_level::warning) == log_level::warning);
  ::unsetenv("BEAMLET_LOG");
}
