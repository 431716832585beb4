// SPDX-License-Identifier: Apache-2.0
// The log of an agent that nobody watches.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "node/box_log.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace box_log_test {

using namespace beamlet;

std::string log_text(const std::string& file) {
  std::ostringstream all;
  all << std::ifstream(file).rdbuf();
  return all.str();
}

TEST_CASE("a log has a line per message, with its time and level") {
  scratch_folder folder;
  node::box_log log;
  log.say(log_level::error, "before it is open");
  REQUIRE(log.open(folder.path() + "/a.log").has_value());
  logger to(log.sink(), log_level::info);
  to.write(log_level::debug, error_layer::node, 0, "not wanted");
  to.write(log_level::warning, error_layer::node, 0, "a program called\n\x1b[2Jthis");
  const std::string text = log_text(log.path());
  REQUIRE(text.size() > 20);
  CHECK(text[4] == '-');
  CHECK(text[19] == ' ');
  CHECK(text.substr(20) == "warning a program called  [2Jthis\n");
}

TEST_CASE("a log goes on in the file that is there, and never takes more than two files") {
  scratch_folder folder;
  const std::string file = folder.path() + "/a.log";
  const std::string line(node::box_log::message_bytes_max, 'x');
  const std::size_t lines = 3 * node::box_log::file_bytes_max / line.size();
  for (std::size_t i = 0; i < lines;) {
    node::box_log log;
    REQUIRE(log.open(file).has_value());
    for (int more = 0; more < 100; ++more, ++i) log.say(log_level::info, line + "left out");
  }
  CHECK(std::filesystem::file_size(file) <= node::box_log::file_bytes_max);
  CHECK(std::filesystem::file_size(file + ".1") <= node::box_log::file_bytes_max);
  CHECK(std::filesystem::file_size(file + ".1") > node::box_log::file_bytes_max / 2);
  CHECK(log_text(file).find("left out") == std::string::npos);
  std::size_t files = 0;
  for (const auto& each : std::filesystem::directory_iterator(folder.path()))
    files += each.exists();
  CHECK(files == 2);
}

TEST_CASE("a log whose file was taken away goes on with a new one") {
  scratch_folder folder;
  node::box_log log;
  REQUIRE(log.open(folder.path() + "/a.log").has_value());
  const std::string line(node::box_log::message_bytes_max, 'x');
  log.say(log_level::info, line);
  std::filesystem::remove(log.path());
  const std::size_t lines = node::box_log::file_bytes_max / line.size();
  for (std::size_t i = 0; i < lines; ++i) log.say(log_level::info, line);
  log.say(log_level::info, "the last");
  CHECK(log_text(log.path()).ends_with(" the last\n"));
  CHECK_FALSE(std::filesystem::exists(log.path() + ".1"));
}

TEST_CASE("a log that cannot become FILE.1 begins anew") {
  scratch_folder folder;
  const std::string file = folder.path() + "/a.log";
  std::filesystem::create_directories(file + ".1/in the way");
  std::ofstream(file) << "before";
  std::filesystem::resize_file(file, node::box_log::file_bytes_max);
  node::box_log log;
  REQUIRE(log.open(file).has_value());
  log.say(log_level::info, "after");
  CHECK(log_text(file).ends_with(" after\n"));
  CHECK(std::filesystem::file_size(file) < 100);
}

TEST_CASE("a log that cannot be opened says so") {
  node::box_log log;
  auto refused = log.open("/nowhere/at/all.log");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == errc::io);
  CHECK(refused.error().message().find("/nowhere/at/all.log") != std::string_view::npos);
  log.say(log_level::info, "is dropped");
}

}  // namespace box_log_test
