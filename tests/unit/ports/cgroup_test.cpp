// SPDX-License-Identifier: Apache-2.0
#include "ports/linux/cgroup.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "ports/threads.hpp"

namespace {
using beamlet::ports::cgroup_cpus;

// A folder that stands for the root of the file system, with the kernel's files written by the
// test.
class fake_root {
 public:
  fake_root() {
    std::string pattern = std::filesystem::temp_directory_path() / "beamlet_cgroup_XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~fake_root() { std::filesystem::remove_all(path_); }
  void file(const char* name, const char* text) const {
    std::filesystem::path at = path_ / name;
    std::filesystem::create_directories(at.parent_path());
    std::ofstream(at) << text;
  }
  unsigned cpus() const { return cgroup_cpus(path_.c_str()); }

 private:
  std::filesystem::path path_;
};

TEST_CASE("without cgroup files there is no quota") { CHECK(fake_root().cpus() == 0); }

TEST_CASE("a version 2 quota is rounded up to whole processors") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/box\n");
  root.file("sys/fs/cgroup/box/cpu.max", "150000 100000\n");
  CHECK(root.cpus() == 2);
  root.file("sys/fs/cgroup/box/cpu.max", "200000 100000\n");
  CHECK(root.cpus() == 2);
  root.file("sys/fs/cgroup/box/cpu.max", "1000 100000\n");
  CHECK(root.cpus() == 1);
}

TEST_CASE("a version 2 group without a limit has no quota") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/box\n");
  root.file("sys/fs/cgroup/box/cpu.max", "max 100000\n");
  CHECK(root.cpus() == 0);
}

TEST_CASE("the smallest quota of a group and its parents counts") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/all/box/inner\n");
  root.file("sys/fs/cgroup/all/cpu.max", "300000 100000\n");
  root.file("sys/fs/cgroup/all/box/cpu.max", "800000 100000\n");
  root.file("sys/fs/cgroup/all/box/inner/cpu.max", "max 100000\n");
  CHECK(root.cpus() == 3);
}

TEST_CASE("a container that sees the host's path finds its quota at the root of its mount") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/docker/0123456789\n");
  root.file("sys/fs/cgroup/cpu.max", "400000 100000\n");
  CHECK(root.cpus() == 4);
  root.file("proc/self/cgroup", "0::/../outside\n");
  CHECK(root.cpus() == 4);
}

TEST_CASE("a version 1 quota is read from the hierarchy that holds cpu") {
  fake_root root;
  root.file("proc/self/cgroup", "3:memory:/box\n2:cpu,cpuacct:/box\n1:cpuset:/other\n");
  root.file("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "250000\n");
  root.file("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  root.file("sys/fs/cgroup/cpuset/other/cpu.max", "100000 100000\n");
  CHECK(root.cpus() == 3);
  root.file("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n");
  CHECK(root.cpus() == 0);
}

TEST_CASE("damaged cgroup files mean that there is no quota") {
  fake_root root;
  for (const char* groups : {"", "\n", ":", "0::", "0::box\n", "::::\n\n", "0::/box"}) {
    root.file("proc/self/cgroup", groups);
    for (const char* quota : {"", " ", "100000", "100000 ", "100000 0\n", "a b\n", "-5 100000"}) {
      root.file("sys/fs/cgroup/box/cpu.max", quota);
      CHECK(root.cpus() == 0);
    }
  }
}

TEST_CASE("an enormous quota does not wrap around") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/box\n");
  root.file("sys/fs/cgroup/box/cpu.max", "18446744073709551615 1\n");
  CHECK(root.cpus() == UINT32_MAX);
}

}  // namespace
