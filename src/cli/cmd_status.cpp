// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "beamlet/base/time.hpp"
#include "cli/commands.hpp"
#include "node/box.hpp"
#include "node/box_status.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {
namespace {

constexpr base::time_ns answer_wait_ns = 10'000'000'000;

void print_boxes(const std::string& folder) {
  auto names = node::boxes_in(folder);
  std::string list;
  for (const std::string& each : names) list += (list.empty() ? "" : ", ") + each;
  std::fprintf(stderr, "boxes in %s: %s\n", folder.c_str(), names.empty() ? "none" : list.c_str());
}

}  // namespace

int show_status(const arguments& asked) {
  const std::string folder = node::box_folder();
  auto all = node::ask_status(folder, asked.box, asked.objects, answer_wait_ns);
  if (all.has_value()) {
    std::string text = asked.json ? status_json(asked.box, *all) : status_text(asked.box, *all);
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  if (all.error() == errc::connection_refused) {
    std::fprintf(stderr, "beamlet: there is no box '%s'\n", asked.box.c_str());
    print_boxes(folder);
  } else {
    std::fprintf(stderr, "beamlet: %s\n", all.error().describe().c_str());
  }
  return 1;
}

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet
