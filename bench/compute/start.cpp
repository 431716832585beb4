// SPDX-License-Identifier: Apache-2.0
// A program's start with devices, as its timeline tells: what it takes to know them, and to have a
// few kernels. The first start searches and compiles; a second one, of another process, reads what
// the first has kept in FOLDER.
//
// start FOLDER DEVICE
#include <beamlet/beamlet.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {
using namespace beamlet;

struct spans {
  std::size_t count = 0;
  double ms = 0;
};

/// The timeline's events with this in their name.
spans events_with(const std::string& json, const std::string& part) {
  spans made;
  std::istringstream lines(json);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t duration = line.find("\"dur\":");
    if (duration == line.npos || line.find(part) == line.npos) continue;
    ++made.count;
    made.ms += std::strtod(line.c_str() + duration + 6, nullptr) / 1000;
  }
  return made;
}

tensor square(std::int64_t n) {
  auto made = tensor_builder<float>::make({n, n}).value();
  for (float& x : made.values()) x = 1;
  return std::move(made).freeze();
}

}  // namespace

int main(int argc, char** argv) {
  if (auto code = run_child(argc, argv)) return *code;
  if (argc != 3) return std::fprintf(stderr, "start FOLDER DEVICE\n"), 2;
  const std::string folder = argv[1], device = argv[2], timeline = folder + "/timeline.json";
  const auto began = std::chrono::steady_clock::now();
  runtime_options options{.argc = argc, .argv = argv, .workers = 1, .timeline_events = 4096};
  options.device = device;
  options.device_cache_folder = folder + "/devices";
  auto rt = runtime::start(options).value();
  auto x = rt.put(square(64));
  auto product = rt.device_task(ops::matmul{}).remote(x, x);
  auto rows = rt.device_task(ops::softmax{}).remote(product);
  auto sums = rt.device_task(ops::reduce{ops::reduce::kind::sum, {1}}).remote(rows);
  if (auto got = rt.get(sums); !got.has_value())
    return std::fprintf(stderr, "%s\n", got.error().describe().c_str()), 1;
  const std::chrono::duration<double, std::milli> all = std::chrono::steady_clock::now() - began;
  rt.write_timeline(timeline).value();
  std::stringstream json;
  json << std::ifstream(timeline).rdbuf();
  const spans search = events_with(json.str(), "devices: search"),
              known = events_with(json.str(), "devices: what is known"),
              compiled = events_with(json.str(), " compiles "),
              loaded = events_with(json.str(), " loads ");
  std::printf(
      "%-8s search %9.2f ms  known %6.2f ms  compiled %zu: %8.2f ms  kept %zu: %6.2f ms  "
      "three ops done %9.2f ms\n",
      device.c_str(), search.ms, known.ms, compiled.count, compiled.ms, loaded.count, loaded.ms,
      all.count());
}
