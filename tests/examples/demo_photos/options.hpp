// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

namespace demo {

inline constexpr std::string_view usage_text =
    R"(usage: demo_photos [FOLDER] [--repeat N] [--out FOLDER] [--generate] [--workers N]
                   [--processes] [--device NAME]

Measures, ranks and reports the photographs (JPEG, PNG) below FOLDER, once in a
plain loop and once with Beamlet on all cores, and compares the two.

  --repeat N     goes through the folder N times (default: to 200 megapixels)
  --out FOLDER   where report.csv, contact_sheet.png and timeline.json go
                 (default: demo_out)
  --generate     invents frames instead of reading FOLDER
  --workers N    threads that run tasks, 0 to 256 (default: one per core)
  --processes    decodes in worker processes, and kills one of them mid-way
  --device NAME  measures the photographs on devices instead: auto, cpu, opencl,
                 vulkan, opencl:1, or a part of a device's name; then once more
                 on the processor, compares, and shows where each step ran
  --help         this text
)";

struct options {
  std::filesystem::path folder;  ///< empty with `generate`
  std::filesystem::path out = "demo_out";
  int repeat = 0;    ///< 0: as often as it takes
  int workers = -1;  ///< -1: the runtime's default
  bool generate = false;
  bool processes = false;
  std::string device = {};  ///< empty: no devices
  bool help = false;
};

/// The options, or one sentence that says what is wrong with the command line.
std::variant<options, std::string> read_options(int argc, const char* const* argv);

}  // namespace demo
