// SPDX-License-Identifier: Apache-2.0
#pragma once

// The `beamlet` program: what it is asked for, and how it does it. It prints, which the library
// never does, and is no part of that.

#include <cstdint>
#include <string>

#include "beamlet/base/result.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {

inline constexpr char usage[] =
    "beamlet agent  [--box NAME] [--memory MIB] [--spill-folder DIR]\n"
    "    runs the agent of a box, until SIGTERM or SIGINT\n"
    "beamlet status [--box NAME] [--objects N] [--json]\n"
    "    what there is on a box: programs, worker processes, objects, memory\n"
    "The box is 'default' without a name. Boxes are found in $BEAMLET_RUNTIME_DIR, else in\n"
    "$XDG_RUNTIME_DIR/beamlet, else in /tmp/beamlet-USER.\n";

enum class command : std::uint8_t { help, agent, status };

struct arguments {
  command what = command::help;
  std::string box = "default";
  std::uint64_t memory_mib = 1024;
  std::string spill_folder;
  std::uint32_t objects = 20;  ///< to be listed
  bool json = false;
};

/// Errors: invalid_argument, with a sentence that names the argument.
result<arguments> parse(int argc, char** argv);

/// Both return the program's exit code.
int run_agent(const arguments& asked);
int show_status(const arguments& asked);

/// For people; and as one JSON object.
std::string status_text(const std::string& box, const wire::status& all);
std::string status_json(const std::string& box, const wire::status& all);

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet
