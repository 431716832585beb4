// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "beamlet/base/result.hpp"
#include "ports/processes.hpp"

namespace kill9 {

/// What a client does: `loads` until it is killed, like the rest but for what its name says.
enum class conduct : std::uint8_t {
  loads,
  scribbles,      ///< over the memory of its own segments, sealed objects too
  sends_garbage,  ///< instead of messages, on a hundred connections before the good one
  asks_too_much,  ///< for a TiB
  never_seals,    ///< takes memory until it is refused, and keeps it
  leaks_pins,     ///< the same with objects that it reads
  forks,          ///< a child that keeps the connection open after the client's end
};

struct client_options {
  conduct what = conduct::loads;
  std::string path;  ///< of the agent's socket
  int board = -1;    ///< descriptor
  std::size_t seat = 0;
  std::uint64_t seed = 0;
};

/// Starts this program as a client.   Errors: of ports::process::spawn().
beamlet::result<beamlet::ports::process> start_client(const client_options& options);

bool is_client(int argc, char** argv);
/// Ends by itself only when something is wrong: it leaves a complaint on the board.
[[noreturn]] void run_client(char** argv);

}  // namespace kill9
