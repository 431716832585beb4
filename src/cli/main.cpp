// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstdio>
#include <string_view>

#include "cli/commands.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {
namespace {

error wrong_argument(std::string_view argument, const char* what) {
  return error(errc::invalid_argument, error_layer::user,
               {.message = "'" + std::string(argument) + "' " + what,
                .type = {},
                .function = {},
                .cause = {}});
}

template <class T>
result<T> number(std::string_view option, std::string_view text, T most) {
  T value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed == std::errc() && end == text.data() + text.size() && value > 0 && value <= most)
    return value;
  return wrong_argument(option, "takes a whole number above 0 that is not absurd");
}

}  // namespace

result<arguments> parse(int argc, char** argv) {
  arguments all;
  if (argc < 2) return all;
  std::string_view command = argv[1];
  if (command == "agent") all.what = command::agent;
  else if (command == "status") all.what = command::status;
  else if (command == "help" || command == "--help" || command == "-h") return all;
  else return wrong_argument(command, "is no command");
  const bool is_agent = all.what == command::agent;
  for (int i = 2; i < argc; ++i) {
    std::string_view option = argv[i];
    if (option == "--json" && !is_agent) {
      all.json = true;
      continue;
    }
    bool known = option == "--box" || (is_agent ? option == "--memory" || option == "--spill-folder"
                                                : option == "--objects");
    if (!known) return wrong_argument(option, "is no option of this command");
    if (++i == argc) return wrong_argument(option, "needs a value");
    if (option == "--box") {
      all.box = argv[i];
    } else if (option == "--spill-folder") {
      all.spill_folder = argv[i];
    } else if (option == "--memory") {
      BEAMLET_TRY(all.memory_mib, number<std::uint64_t>(option, argv[i], 1U << 30));
    } else {
      BEAMLET_TRY(all.objects, number<std::uint32_t>(option, argv[i], 1U << 30));
    }
  }
  return all;
}

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet

int main(int argc, char** argv) {
  namespace cli = beamlet::cli;
  auto asked = cli::parse(argc, argv);
  if (!asked.has_value()) {
    std::fprintf(stderr, "beamlet: %s\n%s", std::string(asked.error().message()).c_str(),
                 cli::usage);
    return 2;
  }
  if (asked->what == cli::command::agent) return cli::run_agent(*asked);
  if (asked->what == cli::command::status) return cli::show_status(*asked);
  std::fputs(cli::usage, stdout);
  return 0;
}
