// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/typical_works.hpp"
#include "compute/choice.hpp"
#include "node/device_probe.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {

namespace {

std::string chosen_text(const compute::device_choice& choice, std::size_t i) {
  const std::string& against = choice.reason_against(i);
  return against.empty() ? "yes" : "no: " + against;
}

std::string features_text(const compute::device_info& info) {
  std::string text = std::to_string(info.units) + (info.units == 1 ? " unit" : " units");
  if (info.limits.memory_bytes != 0)
    text += ", " + std::to_string(info.limits.memory_bytes >> 20) + " MiB";
  if (info.features.unified_memory) text += " shared with the processor";
  text += ", groups of " + std::to_string(info.limits.group_items_max);
  if (info.features.arithmetic_f16) text += ", f16";
  if (info.features.subgroup_size > 0)
    text += ", subgroups of " + std::to_string(info.features.subgroup_size);
  return text;
}

// A table: what each device would be chosen for.
void print_expected(const compute::device_choice& choice) {
  std::printf("\n%-26s", "expected (* chosen)");
  for (const compute::device_record& r : choice.devices())
    std::printf(" %11s", r.info.id().c_str());
  std::printf("\n");
  for (const expected_work& work : expect_typical_works(choice)) {
    std::printf("%-26s", work.name.c_str());
    for (std::size_t i = 0; i < work.ns.size(); ++i) {
      const bool is_never = work.ns[i] == expected_work::never;
      const std::string time = is_never ? "-" : compute::time_text(work.ns[i]);
      std::printf(" %11s", ((work.chosen == i ? "*" : "") + time).c_str());
    }
    std::printf("\n");
  }
}

void print_text(const compute::device_choice& choice, const node::found_devices& found) {
  for (std::size_t i = 0; i < choice.devices().size(); ++i) {
    const compute::device_record& r = choice.devices()[i];
    std::printf("%-10s %s\n", r.info.id().c_str(), r.info.name.c_str());
    std::printf("  kind       %s, %s\n", name_of(r.info.kind), features_text(r.info).c_str());
    std::printf("  driver     %s\n", r.info.driver.c_str());
    std::printf("  self-test  %s\n", r.fault.empty() ? "right" : r.fault.c_str());
    std::printf("  measured   %s\n", profile_text(r.profile).c_str());
    std::printf("  chosen     %s\n", chosen_text(choice, i).c_str());
  }
  for (const node::backend_fault& f : found.absent)
    std::printf("%-10s none: %s\n", f.backend.c_str(), f.reason.c_str());
  print_expected(choice);
}

std::string quoted(const std::string& text) {
  std::string made;
  base::append_json_string(made, text);
  return made;
}

std::string json_of(const compute::device_record& r, const std::string& not_chosen) {
  const compute::work_time &bytes = r.profile.bytes.back(), &flops = r.profile.flops.back();
  const auto rate = [](const compute::work_time& of) {
    return std::to_string(of.ns > 0 ? of.work / of.ns : 0);
  };
  return "{\"id\":" + quoted(r.info.id()) + ",\"name\":" + quoted(r.info.name) +
         ",\"kind\":" + quoted(name_of(r.info.kind)) + ",\"driver\":" + quoted(r.info.driver) +
         ",\"memory_bytes\":" + std::to_string(r.info.limits.memory_bytes) +
         ",\"fault\":" + quoted(r.fault) + ",\"launch_ns\":" + std::to_string(r.profile.launch_ns) +
         ",\"bytes_per_ns\":" + rate(bytes) + ",\"flops_per_ns\":" + rate(flops) +
         ",\"upload_ns_per_byte\":" + std::to_string(r.profile.upload_ns_per_byte) +
         ",\"download_ns_per_byte\":" + std::to_string(r.profile.download_ns_per_byte) +
         ",\"not_chosen\":" + quoted(not_chosen) + "}";
}

std::string json_of(const expected_work& work, const compute::device_choice& choice) {
  std::string text = "{\"name\":" + quoted(work.name) + ",\"expected_ns\":{", separator;
  for (std::size_t i = 0; i < work.ns.size(); ++i) {
    if (work.ns[i] == expected_work::never) continue;
    text += separator + quoted(choice.devices()[i].info.id()) + ":" + std::to_string(work.ns[i]);
    separator = ",";
  }
  text += "},\"chosen\":";
  if (work.chosen == expected_work::nobody) return text + "null}";
  return text + quoted(choice.devices()[work.chosen].info.id()) + "}";
}

void print_json(const compute::device_choice& choice, const node::found_devices& found) {
  std::string text = "{\"devices\":[", separator;
  for (std::size_t i = 0; i < choice.devices().size(); ++i) {
    text += separator + json_of(choice.devices()[i], choice.reason_against(i));
    separator = ",";
  }
  text += "],\"absent\":[", separator.clear();
  for (const node::backend_fault& one : found.absent) {
    text += separator + "{\"backend\":" + quoted(one.backend) +
            ",\"reason\":" + quoted(one.reason) + "}";
    separator = ",";
  }
  text += "],\"works\":[", separator.clear();
  for (const expected_work& one : expect_typical_works(choice)) {
    text += separator + json_of(one, choice);
    separator = ",";
  }
  std::printf("%s]}\n", text.c_str());
}

}  // namespace

int list_devices(const arguments& asked) {
  const auto limit_ns = std::uint64_t{asked.timeout_seconds} * 1'000'000'000;
  auto found = node::find_devices({.program = "beamlet",
                                   .cache_folder = node::device_cache_folder(),
                                   .measures_again = asked.again,
                                   .threads = ports::usable_cpus(),
                                   .list_ns_max = limit_ns / 4,
                                   .test_ns_max = limit_ns});
  if (!found.has_value()) {
    std::fprintf(stderr, "beamlet: %s\n", found.error().describe().c_str());
    return 1;
  }
  auto choice = compute::device_choice::make(found->records, compute::with_environment({}));
  if (!choice.has_value()) {
    std::fprintf(stderr, "beamlet: BEAMLET_DEVICE: %s\n", choice.error().describe().c_str());
    return 1;
  }
  if (asked.json) print_json(*choice, *found);
  else print_text(*choice, *found);
  return 0;
}

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet
