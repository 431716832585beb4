// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "fake_root.hpp"
#include "ports/linux/cgroup.hpp"
#include "ports/memory.hpp"
#include "ports/threads.hpp"

namespace memory_use_cases {

namespace {
namespace ports = beamlet::ports;

ports::memory_use use_in(const fake_root& root) { return ports::memory_use_of(root.path()); }

void machine(const fake_root& root) {
  root.file("proc/meminfo", "MemTotal:      1000 kB\nMemFree:   10 kB\nMemAvailable:  400 kB\n");
}

TEST_CASE("without the kernel's files nothing is known of memory") {
  CHECK(use_in(fake_root()).limit == 0);
}

TEST_CASE("what the machine can give back at once is not in use") {
  fake_root root;
  machine(root);
  ports::memory_use use = use_in(root);
  CHECK(use.limit == 1000 * 1024);
  CHECK(use.used == 600 * 1024);
  CHECK_FALSE(use.of_container);
  root.file("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nBuffers: 20 kB\nCached: 30 kB\n");
  CHECK(use_in(root).used == 940 * 1024);
}

TEST_CASE("the fullest limit around the process counts, files in memory left out") {
  fake_root root;
  machine(root);
  root.file("proc/self/cgroup", "0::/all/box\n");
  root.file("sys/fs/cgroup/all/memory.max", "2000\n");
  root.file("sys/fs/cgroup/all/memory.current", "1900\n");
  root.file("sys/fs/cgroup/all/memory.stat", "anon 5\ninactive_file 100\nactive_file 50\n");
  root.file("sys/fs/cgroup/all/box/memory.max", "max\n");
  root.file("sys/fs/cgroup/all/box/memory.current", "1800\n");
  ports::memory_use use = use_in(root);
  CHECK(use.of_container);
  CHECK(use.limit == 2000);
  CHECK(use.used == 1750);
  root.file("sys/fs/cgroup/all/memory.current", "500\n");
  CHECK_FALSE(use_in(root).of_container);
}

TEST_CASE("a version 1 group is read with the groups below it") {
  fake_root root;
  machine(root);
  root.file("proc/self/cgroup", "3:cpu:/other\n2:memory:/box\n");
  root.file("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "1000\n");
  root.file("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "900\n");
  root.file("sys/fs/cgroup/memory/box/memory.stat",
            "inactive_file 900\ntotal_inactive_file 100\ntotal_active_file 20\n");
  CHECK(use_in(root).used == 780);
  // What the kernel says where there is no limit.
  root.file("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK_FALSE(use_in(root).of_container);
}

TEST_CASE("damaged files of memory say nothing, and crash nobody") {
  fake_root root;
  root.file("proc/self/cgroup", "0::/box\n");
  for (const char* text : {"", "\n", "MemTotal", "MemTotal:\n", "MemTotal: x\n", "-5\n", "0\n"}) {
    root.file("proc/meminfo", text);
    root.file("sys/fs/cgroup/box/memory.max", text);
    root.file("sys/fs/cgroup/box/memory.stat", text);
    CHECK(use_in(root).limit == 0);
  }
  root.file("proc/meminfo", "MemTotal: 10 kB\nMemAvailable: 20 kB\n");  // more than all
  CHECK(use_in(root).used == 0);
}

TEST_CASE("this machine says how much memory is in use, and by whom") {
  ports::memory_use use = ports::used_memory();
  CHECK(use.limit > 0);
  CHECK(use.used > 0);
  CHECK(use.used <= use.limit);
  CHECK(ports::private_bytes(ports::process_id()) > 0);
  CHECK(ports::private_bytes(ports::process_id()) < ports::resident_bytes());
}

}  // namespace

}  // namespace memory_use_cases
