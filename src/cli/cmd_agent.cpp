// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "cli/commands.hpp"
#include "node/box.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {

namespace {

void print_warning(void*, const log_record& record) {
  std::fprintf(stderr, "beamlet: %s\n", std::string(record.message).c_str());
}

}  // namespace

int run_agent(const arguments& asked) {
  node::box_order order;
  order.folder = node::box_folder();
  order.name = asked.box;
  order.memory_bytes = asked.memory_mib << 20;
  order.spill_folder = asked.spill_folder;
  order.resources = asked.resources;
  order.workers_max = asked.worker_processes;
  order.memory_usage_threshold = asked.memory_usage_percent / 100.0;
  order.strict_objects = asked.strict;
  order.spill_bytes = std::uint64_t{4} << 30;
  auto ready = [&] {
    std::printf("the agent of the box '%s' listens at %s/%s\n", order.name.c_str(),
                order.folder.c_str(), order.name.c_str());
    std::fflush(stdout);
  };
  auto ran = node::run_box(order, ready, {.write = print_warning, .context = nullptr});
  if (ran.has_value()) return 0;
  std::fprintf(stderr, "beamlet: %s\n", ran.error().describe().c_str());
  return 1;
}

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet
