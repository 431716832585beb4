// SPDX-License-Identifier: Apache-2.0
#pragma once

// Another program on the same box: it attaches, says what it found in one line, and stays until its
// input ends.

#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "ports/processes.hpp"

namespace boxes {

/// What such a program holds: a tensor of so many floats, which a worker process has read.
inline constexpr std::int64_t fellow_elements = 1 << 20;
beamlet::ref<beamlet::tensor> put_on_box(beamlet::runtime& rt);

/// main of such a program.
int be_fellow(const std::string& box);

/// "AGENT FILE": the number of the agent, and the file that its worker processes run for the
/// caller.
std::string who_serves(beamlet::runtime& rt);

/// One that was started.
class fellow {
 public:
  fellow(const std::string& box, const std::string& path = {}, const char* role = "--fellow") {
    auto in = pipe(), out = pipe();
    beamlet::ports::spawn_options options;
    options.path = path;
    options.arguments = {"fellow", role, box};
    options.descriptors = {{.number = in[0].number(), .as = 0},
                           {.number = out[1].number(), .as = 1}};
    auto started = beamlet::ports::process::spawn(options);
    REQUIRE(started.has_value());
    process_.emplace(*std::move(started));
    to_ = std::move(in[1]);
    from_ = std::move(out[0]);
  }
  /// Its line; empty where it ended without one.
  std::string line() {
    std::string all;
    for (char c = 0; read(from_.number(), &c, 1) == 1 && c != '\n';) all.push_back(c);
    return all;
  }
  std::uint32_t id() const { return process_->id(); }
  void kill() {
    process_->kill();
    process_->wait();
  }
  int leave() {
    to_.close();
    return process_->wait().status;
  }

 private:
  static std::array<beamlet::ports::descriptor, 2> pipe() {
    int both[2];
    REQUIRE(pipe2(both, O_CLOEXEC) == 0);
    return {beamlet::ports::descriptor(both[0]), beamlet::ports::descriptor(both[1])};
  }
  std::optional<beamlet::ports::process> process_;
  beamlet::ports::descriptor to_, from_;
};

}  // namespace boxes
