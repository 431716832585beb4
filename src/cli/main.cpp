// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>

#include "beamlet/runtime/child.hpp"
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
result<void> take_number(T& to, std::string_view option, std::string_view text, T most) {
  T value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  if (!whole || value <= 0 || value > most)
    return wrong_argument(option, "takes a whole number above 0 that is not absurd");
  to = value;
  return {};
}

/// NAME=AMOUNT
result<void> take_resource(resource_list& to, std::string_view option, std::string_view text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  std::string_view amount = text.substr(std::min(equals + 1, text.size()));
  double value = 0;
  auto [end, failed] = std::from_chars(amount.data(), amount.data() + amount.size(), value);
  if (equals == 0 || failed != std::errc() || end != amount.data() + amount.size() ||
      !(value > 0 && value <= 1e9))
    return wrong_argument(option, "takes NAME=AMOUNT, as camera=2");
  to.emplace_back(text.substr(0, equals), value);
  return {};
}

result<void> take_json(arguments& all, std::string_view, std::string_view) {
  all.json = true;
  return {};
}

struct option {
  std::string_view name;
  command of;  ///< help: of all
  bool has_value;
  result<void> (*take)(arguments& all, std::string_view name, std::string_view value);
};

constexpr option options[] = {
    {"--box", command::help, true,
     [](arguments& all, std::string_view, std::string_view value) -> result<void> {
       all.box = value;
       return {};
     }},
    {"--memory", command::agent, true,
     [](arguments& all, std::string_view name, std::string_view value) {
       return take_number(all.memory_mib, name, value, std::uint64_t{1} << 30);
     }},
    {"--resource", command::agent, true,
     [](arguments& all, std::string_view name, std::string_view value) {
       return take_resource(all.resources, name, value);
     }},
    {"--worker-processes", command::agent, true,
     [](arguments& all, std::string_view name, std::string_view value) {
       return take_number(all.worker_processes, name, value, 1U << 16);
     }},
    {"--memory-usage", command::agent, true,
     [](arguments& all, std::string_view name, std::string_view value) {
       return take_number(all.memory_usage_percent, name, value, 100U);
     }},
    {"--spill-folder", command::agent, true,
     [](arguments& all, std::string_view, std::string_view value) -> result<void> {
       all.spill_folder = value;
       return {};
     }},
    {"--strict", command::agent, false,
     [](arguments& all, std::string_view, std::string_view) -> result<void> {
       all.strict = true;
       return {};
     }},
    {"--objects", command::status, true,
     [](arguments& all, std::string_view name, std::string_view value) {
       return take_number(all.objects, name, value, 1U << 30);
     }},
    {"--json", command::status, false, take_json},
    {"--json", command::devices, false, take_json},
    {"--again", command::devices, false,
     [](arguments& all, std::string_view, std::string_view) -> result<void> {
       all.again = true;
       return {};
     }},
    {"--timeout", command::devices, true,
     [](arguments& all, std::string_view name, std::string_view value) {
       return take_number(all.timeout_seconds, name, value, 3600U);
     }},
};

}  // namespace

result<arguments> parse(int argc, char** argv) {
  arguments all;
  if (argc < 2) return all;
  std::string_view asked = argv[1];
  if (asked == "agent") all.what = command::agent;
  else if (asked == "status") all.what = command::status;
  else if (asked == "devices") all.what = command::devices;
  else if (asked == "help" || asked == "--help" || asked == "-h") return all;
  else return wrong_argument(asked, "is no command");
  for (int i = 2; i < argc; ++i) {
    std::string_view name = argv[i];
    const auto* found = std::find_if(std::begin(options), std::end(options), [&](const option& o) {
      return o.name == name && (o.of == command::help || o.of == all.what);
    });
    if (found == std::end(options)) return wrong_argument(name, "is no option of this command");
    if (found->has_value && ++i == argc) return wrong_argument(name, "needs a value");
    BEAMLET_TRY_VOID(found->take(all, name, argv[i]));
  }
  return all;
}

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;  // a probe of devices
  namespace cli = beamlet::cli;
  auto asked = cli::parse(argc, argv);
  if (!asked.has_value()) {
    std::fprintf(stderr, "beamlet: %s\n%s", std::string(asked.error().message()).c_str(),
                 cli::usage);
    return 2;
  }
  if (asked->what == cli::command::agent) return cli::run_agent(*asked);
  if (asked->what == cli::command::status) return cli::show_status(*asked);
  if (asked->what == cli::command::devices) return cli::list_devices(*asked);
  std::fputs(cli::usage, stdout);
  return 0;
}
