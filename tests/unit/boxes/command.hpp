// SPDX-License-Identifier: Apache-2.0
// The program `beamlet`, run by tests.
#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "ports/descriptor.hpp"
#include "ports/processes.hpp"

namespace command_line {
using namespace beamlet;

// One that runs, and what it writes.
struct command {
  std::optional<ports::process> process;
  ports::descriptor from;

  explicit command(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    int both[2];
    REQUIRE(pipe2(both, O_CLOEXEC) == 0);
    ports::descriptor writing(both[1]);
    from = ports::descriptor(both[0]);
    ports::spawn_options options;
    options.path = BEAMLET_TEST_CLI;
    options.environment = std::move(environment);
    options.arguments = std::move(arguments);
    options.arguments.insert(options.arguments.begin(), "beamlet");
    options.descriptors = {{.number = both[1], .as = 1}, {.number = both[1], .as = 2}};
    auto started = ports::process::spawn(options);
    REQUIRE(started.has_value());
    process.emplace(*std::move(started));
  }
  std::string line() { return read_until('\n'); }
  std::string rest() { return read_until('\0'); }

 private:
  std::string read_until(char last) {
    std::string all;
    for (char c = 0; read(from.number(), &c, 1) == 1 && c != last;) all.push_back(c);
    return all;
  }
};
inline std::pair<int, std::string> run(std::vector<std::string> arguments,
                                       std::vector<std::string> environment = {}) {
  command asked(std::move(arguments), std::move(environment));
  std::string text = asked.rest();
  return {asked.process->wait().status, text};
}
inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace command_line
