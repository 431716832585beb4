// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

/// A folder that stands for the root of the file system, with the kernel's files written by the
/// test.
class fake_root {
 public:
  fake_root() {
    std::string pattern = std::filesystem::temp_directory_path() / "beamlet_cgroup_XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  fake_root(const fake_root&) = delete;
  fake_root& operator=(const fake_root&) = delete;
  ~fake_root() { std::filesystem::remove_all(path_); }
  void file(const char* name, const char* text) const {
    std::filesystem::path at = path_ / name;
    std::filesystem::create_directories(at.parent_path());
    std::ofstream(at) << text;
  }
  const char* path() const { return path_.c_str(); }

 private:
  std::filesystem::path path_;
};
