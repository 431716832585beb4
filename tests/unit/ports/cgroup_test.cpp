// SPDX-License-Identifier: Apache-2.0
#include "ports/linux/cgroup.hpp"

#include <doctest/doctest.h>

#include "fake_root.hpp"

namespace cgroup_cases {

namespace {
using beamlet::ports::cgroup_cpus;

unsigned cpus_in(const fake_root& root) { return cgroup_cpus(root.path()); }

TEST_CASE("without cgroup files there is no quota") { CHECK(cpus_in(fake_root()) == 0); }

TEST_CASE("a version 2 quota is rounded up to whole processors") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/box\n");
  root.file("sys/fs/cgroup/box/cpu.max", "150000 100000\n");
  CHECK(cpus_in(root) == 2);
  root.file("sys/fs/cgroup/box/cpu.max", "200000 100000\n");
  CHECK(cpus_in(root) == 2);
  root.file("sys/fs/cgroup/box/cpu.max", "1000 100000\n");
  CHECK(cpus_in(root) == 1);
}

TEST_CASE("a version 2 group without a limit has no quota") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/box\n");
  root.file("sys/fs/cgroup/box/cpu.max", "max 100000\n");
  CHECK(cpus_in(root) == 0);
}

TEST_CASE("the smallest quota of a group and its parents counts") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/all/box/inner\n");
  root.file("sys/fs/cgroup/all/cpu.max", "300000 100000\n");
  root.file("sys/fs/cgroup/all/box/cpu.max", "800000 100000\n");
  root.file("sys/fs/cgroup/all/box/inner/cpu.max", "max 100000\n");
  CHECK(cpus_in(root) == 3);
}

TEST_CASE("a container that sees the host's path finds its quota at the root of its mount") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/docker/0123456789\n");
  root.file("sys/fs/cgroup/cpu.max", "400000 100000\n");
  CHECK(cpus_in(root) == 4);
  root.file("proc/self/cgroup", "0::/../outside\n");
  CHECK(cpus_in(root) == 4);
}

TEST_CASE("a version 1 quota is read from the hierarchy that holds cpu") {
  fake_root root;
  root.file("proc/self/cgroup", "3:memory:/box\n2:cpu,cpuacct:/box\n1:cpuset:/other\n");
  root.file("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "250000\n");
  root.file("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  root.file("sys/fs/cgroup/cpuset/other/cpu.max", "100000 100000\n");
  CHECK(cpus_in(root) == 3);
  root.file("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n");
  CHECK(cpus_in(root) == 0);
}

TEST_CASE("damaged cgroup files mean that there is no quota") {
  fake_root root;
  for (const char* groups : {"", "\n", ":", "0::", "0::box\n", "::::\n\n", "0::/box"}) {
    root.file("proc/self/cgroup", groups);
    for (const char* quota : {"", " ", "100000", "100000 ", "100000 0\n", "a b\n", "-5 100000"}) {
      root.file("sys/fs/cgroup/box/cpu.max", quota);
      CHECK(cpus_in(root) == 0);
    }
  }
}

TEST_CASE("an enormous quota does not wrap around") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/box\n");
  root.file("sys/fs/cgroup/box/cpu.max", "18446744073709551615 1\n");
  CHECK(cpus_in(root) == UINT32_MAX);
}

}  // namespace

}  // namespace cgroup_cases
