// SPDX-License-Identifier: Apache-2.0
// The folder that a process is in, the names of sockets in a folder, and of a process's program.
#include <doctest/doctest.h>

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "ports/local_socket.hpp"
#include "ports/processes.hpp"
#include "ports/threads.hpp"
#include "tests/unit/ports/in_child.hpp"
#include "tests/unit/ports/limit_for_now.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace folder_cases {

namespace {
using namespace beamlet;
using names = std::vector<std::string>;

const std::string longest_name(NAME_MAX, 'n');

errc enter(const std::string& path) {
  auto entered = ports::enter_folder(path);
  return entered.has_value() ? errc::ok : entered.error().code();
}

names sockets_in(const std::string& folder) {
  auto found = ports::socket_names(folder);
  REQUIRE(found.has_value());
  return *std::move(found);
}

ports::local_listener listen(const std::string& folder, const std::string& name) {
  auto made = ports::local_listener::listen(folder, name);
  REQUIRE(made.has_value());
  return *std::move(made);
}

TEST_CASE("relative paths begin in the folder that a process has entered") {
  scratch_folder scratch;
  const std::string real = std::filesystem::canonical(scratch.path()).string();
  CHECK(in_forked_process([&] {
          if (enter(scratch.path()) != errc::ok || ports::current_folder() != real) return 1;
          if (ports::absolute_path("a/b") != real + "/a/b") return 2;
          if (ports::absolute_path("/a") != "/a" || ports::absolute_path("") != "") return 3;
          if (enter("/") != errc::ok || ports::current_folder() != "/") return 4;
          return ports::absolute_path("a") == "/a" ? 0 : 5;
        }) == 0);
}

TEST_CASE("a process whose folder was removed does not know where it is, and can go elsewhere") {
  scratch_folder scratch;
  const std::string gone = scratch.path() + "/gone";
  REQUIRE(mkdir(gone.c_str(), 0700) == 0);
  CHECK(in_forked_process([&] {
          if (enter(gone) != errc::ok || rmdir(gone.c_str()) != 0) return 1;
          if (!ports::current_folder().empty() || ports::absolute_path("a") != "a") return 2;
          return enter("/") == errc::ok && ports::current_folder() == "/" ? 0 : 3;
        }) == 0);
}

TEST_CASE("a folder is known by a path that is longer than one may be that is entered") {
  scratch_folder scratch;
  std::string path = std::filesystem::canonical(scratch.path()).string();
  CHECK(in_forked_process([&] {
          if (enter(path) != errc::ok) return 1;
          while (path.size() <= 2 * PATH_MAX) {
            if (mkdir(longest_name.c_str(), 0700) != 0 || enter(longest_name) != errc::ok) return 2;
            path += '/' + longest_name;
          }
          if (ports::current_folder() != path || ports::absolute_path("a") != path + "/a") return 3;
          return enter(path) == errc::invalid_argument && ports::current_folder() == path ? 0 : 4;
        }) == 0);
}

TEST_CASE("what cannot be entered is an error that names it, and the process stays where it is") {
  scratch_folder scratch;
  const std::string here = ports::current_folder(), file = scratch.path() + "/file";
  REQUIRE_FALSE(here.empty());
  std::ofstream(file) << "x";
  CHECK(enter(scratch.path() + "/not there") == errc::not_found);
  CHECK(enter("") == errc::not_found);
  CHECK(enter(file) == errc::invalid_argument);
  CHECK(enter(scratch.path() + '/' + longest_name + 'n') == errc::invalid_argument);
  CHECK(ports::enter_folder(file).error().message().find(file) != std::string_view::npos);
  CHECK(ports::current_folder() == here);
}

TEST_CASE("the sockets in a folder are named in order, and nothing else") {
  scratch_folder scratch;
  CHECK(sockets_in(scratch.path()).empty());
  auto b = listen(scratch.path(), "b"), a = listen(scratch.path(), "a");
  listen(scratch.path(), "c");  // and no longer
  CHECK(in_forked_process([&] {
          auto left = ports::local_listener::listen(scratch.path(), "left");
          _exit(left.has_value() ? 7 : 1);  // no destructor
          return 0;
        }) == 7);
  std::ofstream(scratch.path() + "/file") << "x";
  std::filesystem::create_directory(scratch.path() + "/folder");
  std::filesystem::create_symlink("file", scratch.path() + "/link to a file");
  std::filesystem::create_symlink("not there", scratch.path() + "/link to nothing");
  std::filesystem::create_symlink("b", scratch.path() + "/link to b");
  CHECK(sockets_in(scratch.path()) == names{"a", "b", "left", "link to b"});
  CHECK(sockets_in(scratch.path() + "/folder").empty());
}

TEST_CASE("a socket's name is told whole, however long") {
  scratch_folder scratch;
  auto listener = listen(scratch.path(), "s");
  std::filesystem::rename(listener.path(), scratch.path() + '/' + longest_name);
  CHECK(sockets_in(scratch.path()) == names{longest_name});
}

TEST_CASE("a folder that cannot be listed is an error that names it") {
  scratch_folder scratch;
  const std::string file = scratch.path() + "/file", closed = scratch.path() + "/closed";
  std::ofstream(file) << "x";
  CHECK(ports::socket_names(scratch.path() + "/not there").error() == errc::not_found);
  CHECK(ports::socket_names("").error() == errc::not_found);
  CHECK(ports::socket_names(file).error() == errc::invalid_argument);
  CHECK(ports::socket_names(file).error().message().find(file) != std::string_view::npos);
  CHECK(ports::socket_names(scratch.path() + '/' + longest_name + 'n').error() ==
        errc::invalid_argument);
  {
    limit_for_now no_descriptors(RLIMIT_NOFILE, 0);
    CHECK(ports::socket_names(scratch.path()).error() == errc::exhausted);
  }
  if (geteuid() == 0) {
    MESSAGE("SKIPPED: a folder that may not be read, as root may read all");
    return;
  }
  REQUIRE(mkdir(closed.c_str(), 0300) == 0);
  CHECK(ports::socket_names(closed).error() == errc::permission);
}

TEST_CASE("a process is called what the file of its program is, however long that is") {
  CHECK(ports::program_name(ports::process_id()) ==
        std::filesystem::read_symlink("/proc/self/exe").filename().string());
  scratch_folder scratch;
  const std::string folder = scratch.path() + '/' + longest_name;
  std::filesystem::create_directory(folder);
  std::filesystem::copy_file("/bin/sleep", folder + '/' + longest_name);
  ports::spawn_options options;
  options.path = folder + '/' + longest_name;
  options.arguments = {"short", "1000"};
  auto child = ports::process::spawn(options);
  REQUIRE(child.has_value());
  CHECK(ports::program_name(child->id()) == longest_name);
  std::filesystem::remove(options.path);
  CHECK(ports::program_name(child->id()).starts_with(longest_name));
  child->kill();
  CHECK(child->wait().signal != 0);
  CHECK(ports::program_name(child->id()).empty());  // there is none any more
}
}  // namespace

}  // namespace folder_cases
