// SPDX-License-Identifier: Apache-2.0
#pragma once

// What ran when in a worker process, for the program's timeline and its counts. It travels with
// what the process says anyhow: a `done`, its `bye`.

#include <cstdint>
#include <string>
#include <vector>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {

/// One run of a function.
struct run {
  std::uint64_t start_ns = 0;  ///< of the box's clock, which all its processes share
  std::uint64_t duration_ns = 0;
  std::uint32_t function = 0;  ///< which of the trace's names
  std::uint32_t thread = 0;    ///< of its process, from 0
};

/// What ran in one process. Which it was the agent knows: its own word is not heard.
struct trace {
  std::uint32_t process = 0;
  std::vector<std::string> names;
  std::vector<run> runs;
};

// Session to agent, and its answer, which may also come unasked.

struct collect {  ///< answered by `traced` at once, with what is there
  std::uint64_t ticket = 0;
};
struct traced {              ///< what ran in worker processes for this program
  std::uint64_t ticket = 0;  ///< of the `collect`; 0: there was none
  std::vector<trace> ran;
};

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
