// SPDX-License-Identifier: Apache-2.0
#pragma once

// The `beamlet` program: what it is asked for, and how it does it. It prints, which the library
// never does, and is no part of that.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "beamlet/base/result.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {

inline constexpr char usage[] =
    "beamlet agent  [--box NAME] [--memory MIB] [--spill-folder DIR] [--strict]\n"
    "               [--resource NAME=AMOUNT]... [--worker-processes N] [--memory-usage PERCENT]\n"
    "    runs the agent of a box, until SIGTERM or SIGINT. --memory: of the objects; --strict: "
    "each\n"
    "    large one in memory that the system seals; --memory-usage: when more of the machine's\n"
    "    memory is in use, worker processes are ended (95; 100: never)\n"
    "beamlet status [--box NAME] [--objects N] [--json]\n"
    "    what there is on a box: programs, worker processes, objects, memory\n"
    "beamlet devices [--json] [--again] [--timeout SECONDS]\n"
    "    what this machine can compute with: tested, measured, and what may be chosen. --again:\n"
    "    also where that was kept; --timeout: for each device's driver (90), a quarter of it to\n"
    "    list its devices\n"
    "The box is 'default' without a name. Boxes are found in $BEAMLET_RUNTIME_DIR, else in\n"
    "$XDG_RUNTIME_DIR/beamlet, else in /tmp/beamlet-USER.\n";

enum class command : std::uint8_t { help, agent, status, devices };

using resource_list = std::vector<std::pair<std::string, double>>;

struct arguments {
  command what = command::help;
  std::string box = "default";
  std::uint64_t memory_mib = 1024;
  std::string spill_folder;
  resource_list resources;
  std::uint32_t worker_processes = 64;
  std::uint32_t memory_usage_percent = 95;
  bool strict = false;
  std::uint32_t objects = 20;  ///< to be listed
  bool json = false;
  bool again = false;  ///< devices are measured, whatever is known of them
  std::uint32_t timeout_seconds = 90;
};

/// Errors: invalid_argument, with a sentence that names the argument.
result<arguments> parse(int argc, char** argv);

/// All return the program's exit code.
int run_agent(const arguments& asked);
int show_status(const arguments& asked);
int list_devices(const arguments& asked);

/// For people; and as one JSON object.
std::string status_text(const std::string& box, const wire::status& all);
std::string status_json(const std::string& box, const wire::status& all);

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet
