// SPDX-License-Identifier: Apache-2.0
// `beamlet devices`, on drivers that are not there, crash or hang.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/boxes/command.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace box_devices_tests {

using namespace command_line;

// No drivers but the one in `folder`, if there is one, and what is found out is kept in `folder`.
std::vector<std::string> surroundings(const std::string& folder) {
  return {"OCL_ICD_VENDORS=" + folder,
          "VK_ICD_FILENAMES=" + folder + "/none.json",
          "VK_DRIVER_FILES=" + folder + "/none.json",
          "XDG_CACHE_HOME=" + folder,
          "BEAMLET_DEVICE",
          "BEAMLET_ALLOW_SOFTWARE"};
}

std::vector<std::string> with_broken_driver(const std::string& folder, const char* how) {
  std::ofstream(folder + "/broken.icd") << BEAMLET_TEST_BROKEN_DRIVER << '\n';
  auto made = surroundings(folder);
  made.push_back(std::string("BEAMLET_TEST_DRIVER=") + how);
  return made;
}

// Whether this machine has a loader that would go on to the driver, and the program the backend.
bool reaches_drivers(const std::string& text) {
  if (has(text, "built without the opencl backend") ||
      has(text, "there is none of libOpenCL.so.1")) {
    MESSAGE("SKIPPED: no OpenCL backend or no loader");
    return false;
  }
  return true;
}

std::vector<std::filesystem::path> kept_files(const std::string& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& each : std::filesystem::recursive_directory_iterator(folder))
    if (each.is_regular_file() && each.file_size() > 0) found.push_back(each.path());
  return found;
}

TEST_CASE("beamlet devices shows the processor, and why a backend has no device") {
  scratch_folder folder;
  const auto printed = run({"devices"}, surroundings(folder.path()));
  const auto& text = printed.second;
  CAPTURE(text);
  CHECK(printed.first == 0);
  CHECK(has(text, "cpu:0"));
  CHECK(has(text, "self-test  right"));
  CHECK(has(text, "GFLOP/s"));
  CHECK(has(text, "chosen     yes"));
  CHECK(has(text, "opencl     none: "));
  CHECK(has(text, "vulkan     none: "));
  CHECK(has(text, "expected (* chosen)              cpu:0\n"));
  CHECK(has(text, "matmul 1024 "));
  CHECK(has(text, " *"));
}

// Their profile says so: nothing was run.
TEST_CASE("beamlet devices says as JSON what it would be chosen for") {
  scratch_folder folder;
  const auto printed = run({"devices", "--json"}, surroundings(folder.path()));
  const auto& text = printed.second;
  CAPTURE(text);
  CHECK(printed.first == 0);
  CHECK(has(text, R"("name":"matmul 1024","expected_ns":{"cpu:0":)"));
  CHECK(has(text, R"("chosen":"cpu:0")"));
  CHECK(!has(text, R"("chosen":null)"));
}

TEST_CASE("beamlet devices keeps what it found out, and measures again when it is asked to") {
  scratch_folder folder;
  const auto around = surroundings(folder.path());
  const auto first = run({"devices", "--json"}, around),
             second = run({"devices", "--json"}, around);
  CHECK(first == second);
  const auto files = kept_files(folder.path());
  REQUIRE(files.size() == 1);
  // What is kept is replaced as a whole, so that a second name for the file tells whether it was.
  scratch_folder aside;
  const std::filesystem::path old = aside.path() + "/old";
  std::filesystem::create_hard_link(files[0], old);
  CHECK(run({"devices", "--json"}, around) == first);
  CHECK(std::filesystem::equivalent(files[0], old));
  CHECK(run({"devices", "--json", "--again"}, around).first == 0);
  CHECK(!std::filesystem::equivalent(files[0], old));

  std::fstream(files[0], std::ios::in | std::ios::out | std::ios::binary).seekp(50).put('?');
  const auto anew = run({"devices", "--json"}, around);
  CHECK(anew.first == 0);
  CHECK(has(anew.second, "cpu:0"));
}

TEST_CASE("beamlet devices finds out anew where nothing can be kept") {
  scratch_folder folder;
  std::ofstream(folder.path() + "/file") << "no folder";
  auto around = surroundings(folder.path());
  for (std::string& one : around)
    if (one.starts_with("XDG_CACHE_HOME=")) one += "/file";
  for (int round = 0; round < 2; ++round) {
    const auto printed = run({"devices"}, around);
    CAPTURE(printed.second);
    CHECK(printed.first == 0);
    CHECK(has(printed.second, "self-test  right"));
  }
  CHECK(kept_files(folder.path()).size() == 1);
}

TEST_CASE("beamlet devices loses a driver that crashes, and nothing else") {
  scratch_folder folder;
  const auto printed = run({"devices"}, with_broken_driver(folder.path(), "crashes"));
  const auto& text = printed.second;
  CAPTURE(text);
  CHECK(printed.first == 0);
  CHECK(has(text, "cpu:0"));
  CHECK(has(text, "chosen     yes"));
  if (reaches_drivers(text)) CHECK(has(text, "opencl     none: its driver ended the probe, which"));
}

TEST_CASE("beamlet devices loses a driver that hangs, and nothing else") {
  scratch_folder folder;
  // Long enough for the processor's own test where that is slow.
  const auto printed =
      run({"devices", "--timeout", "20"}, with_broken_driver(folder.path(), "hangs"));
  const auto& text = printed.second;
  CAPTURE(text);
  CHECK(printed.first == 0);
  CHECK(has(text, "cpu:0"));
  if (reaches_drivers(text))
    CHECK(has(text, "opencl     none: its driver did not answer within 5 s"));
}

TEST_CASE("beamlet devices says which devices there are when another one is wanted") {
  scratch_folder folder;
  auto around = surroundings(folder.path());
  around.push_back("BEAMLET_DEVICE=rocm");
  const auto printed = run({"devices"}, around);
  const auto& text = printed.second;
  CAPTURE(text);
  CHECK(printed.first == 1);
  CHECK(has(text, "there is no device 'rocm'; there are: "));
  CHECK(has(text, "cpu:0"));
}

}  // namespace box_devices_tests
