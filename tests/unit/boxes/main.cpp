// SPDX-License-Identifier: Apache-2.0
// A test program whose agents, worker processes and fellow programs are itself. Its boxes are in a
// folder of its own.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <beamlet/runtime/child.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "tests/unit/boxes/fellow.hpp"

int main(int argc, char** argv) {
  std::string role = argc == 3 ? argv[1] : "";
  // As a program whose main does not begin as it should.
  if (role == "--fellow-without-entry") return boxes::be_fellow(argv[2]);
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  if (role == "--fellow") return boxes::be_fellow(argv[2]);

  std::string folder = (std::filesystem::temp_directory_path() / "beamlet-test-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  setenv("BEAMLET_RUNTIME_DIR", folder.c_str(), 1);
  int code = doctest::Context(argc, argv).run();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return code;
}
