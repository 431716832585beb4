// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/files.hpp"
#include "tests/unit/ports/in_child.hpp"
#include "tests/unit/ports/scratch_folder.hpp"
#include "tests/unit/ports/uv_worlds.hpp"

namespace {

template <class Base>
struct on_real_disk : Base {
  scratch_folder scratch;
  std::string folder() { return scratch.path() + "/files"; }
  void put_link(const std::string& folder, const std::string& name) {
    std::filesystem::path path = folder + "/" + name;
    std::filesystem::remove(path);
    std::filesystem::create_symlink("/etc/passwd", path);
  }
};
using own_loop_disk = on_real_disk<uv_worlds::own_loop_world>;
using guest_disk = on_real_disk<uv_worlds::guest_world>;

}  // namespace

#define FILES_SUITE_WORLDS own_loop_disk, guest_disk
#include "tests/conformance/files_suite.hpp"
#undef FILES_SUITE_WORLDS

namespace {
using namespace beamlet;
using files_suite::one_request;
using ports::file_operation;
using real_disk = files_suite::disk<own_loop_disk>;

TEST_CASE("a pipe in the place of a file is refused, and nobody waits for its other end") {
  real_disk disk;
  REQUIRE(mkfifo((disk.world.folder() + "/pipe").c_str(), 0600) == 0);
  CHECK(disk.run(file_operation::open, disk.folder, "pipe") == errc::permission);
}

TEST_CASE("files and folders are made for this user alone") {
  real_disk disk;
  disk.make_file("one", "1");
  struct stat status {};
  REQUIRE(stat(disk.world.folder().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  REQUIRE(stat((disk.world.folder() + "/one").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a folder that others may write to, a link to one, or a file is refused") {
  real_disk disk;
  std::string base = disk.world.scratch.path();
  auto open = [&](const std::string& name) {
    return disk.run(file_operation::open_folder, ports::no_folder, base + "/" + name);
  };
  REQUIRE(mkdir((base + "/shared").c_str(), 0700) == 0);
  REQUIRE(chmod((base + "/shared").c_str(), 0770) == 0);
  CHECK(open("shared") == errc::permission);
  REQUIRE(symlink("files", (base + "/link").c_str()) == 0);
  CHECK(open("link") == errc::permission);
  std::ofstream(base + "/file") << "x";
  CHECK(open("file") == errc::permission);
  CHECK(open("missing/inner") == errc::not_found);
}

TEST_CASE("a folder stays the one that was opened when its path leads elsewhere") {
  real_disk disk;
  std::string path = disk.world.folder();
  std::filesystem::rename(path, path + "-moved");
  std::filesystem::create_directory_symlink("/tmp", path);
  disk.make_file("one", "mine");
  CHECK(std::filesystem::exists(path + "-moved/one"));
}

TEST_CASE("a file past RLIMIT_FSIZE is an error, not a signal") {
  real_disk disk;
  int file = disk.make_file("one", "");
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  errc within = disk.write(file, 999, "x"), past = disk.write(file, 1000, "x");
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(within == errc::ok);
  CHECK(past == errc::too_large);
  CHECK(disk.write(file, UINT64_MAX, "x") == errc::too_large);
}

TEST_CASE("a full disk is an error that says so") {
  real_disk disk;
  std::string path = disk.world.scratch.path() + "/small";
  REQUIRE(mkdir(path.c_str(), 0700) == 0);
  if (mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64k,mode=700") != 0) {
    MESSAGE("SKIPPED: this test may not mount a small tmpfs");
    return;
  }
  int folder = disk.opened(file_operation::open_folder, ports::no_folder, path);
  int file = disk.opened(file_operation::create, folder, "one");
  errc why = disk.write(file, 0, std::string(100'000, 'x'));
  disk.run(file_operation::close, file);
  disk.run(file_operation::close, folder);
  umount2(path.c_str(), MNT_DETACH);
  CHECK(why == errc::exhausted);
}

TEST_CASE("a file on a folder that cannot be written is an error that says so") {
  if (getuid() != 0) {
    MESSAGE("SKIPPED: mounting a folder read-only needs root");
    return;
  }
  real_disk disk;
  std::string path = disk.world.scratch.path() + "/fixed";
  REQUIRE(mkdir(path.c_str(), 0700) == 0);
  if (mount("tmpfs", path.c_str(), "tmpfs", MS_RDONLY, "mode=700") != 0) {
    MESSAGE("SKIPPED: this test may not mount a small tmpfs");
    return;
  }
  int folder = disk.opened(file_operation::open_folder, ports::no_folder, path);
  errc why = disk.run(file_operation::create, folder, "one");
  disk.run(file_operation::close, folder);
  umount2(path.c_str(), MNT_DETACH);
  CHECK(why == errc::permission);
}

TEST_CASE("the threads that work on files take no signal of the program's") {
  // In a process of its own, as only the first request of a process starts them.
  auto work = [] {
    {
      real_disk disk;
      disk.make_file("one", "1");
    }
    for (auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
      if (thread.path().filename() == std::to_string(getpid())) continue;
      std::ifstream status(thread.path() / "status");
      for (std::string line; std::getline(status, line);) {
        if (line.rfind("SigBlk:", 0) != 0) continue;
        auto blocked = std::stoull(line.substr(7), nullptr, 16);
        if ((blocked >> (SIGTERM - 1) & 1) == 0) return 1;
      }
    }
    return 0;
  };
  CHECK(in_forked_process(work) == 0);
}

}  // namespace
