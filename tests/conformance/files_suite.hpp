// SPDX-License-Identifier: Apache-2.0
#pragma once

// What files must do on every port. A file that tests them defines FILES_SUITE_WORLDS as a list of
// world types and includes this. A world is one of port_suite.hpp and also has
//   std::string folder();                          a path where a folder can be made
//   void put_link(std::string, std::string);       replaces file `name` of folder `path` by a link

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "ports/files.hpp"
#include "ports/port.hpp"

namespace files_suite {
using namespace beamlet;
using ports::file_operation;

// A request and the port it is for.
template <class World>
class one_request {
 public:
  explicit one_request(World& world) : world_(world) {}

  void start(file_operation operation, int file, std::string name = {}) {
    request.operation = operation;
    request.file = file;
    request.name = std::move(name);
    request.user = this;
    request.done = [](ports::file_request& finished) {
      auto& self = *static_cast<one_request*>(finished.user);
      ++self.times_done;
      self.world_.port().wake();  // a guest's turn ends with its callback
    };
    world_.port().start(request);
  }
  errc finish() {
    for (unsigned before = waited_for_++; times_done == before;) world_.turn(UINT64_MAX);
    return request.why.code();
  }
  errc run(file_operation operation, int file, std::string name = {}) {
    start(operation, file, std::move(name));
    return finish();
  }

  ports::file_request request;
  unsigned times_done = 0;

 private:
  World& world_;
  unsigned waited_for_ = 0;
};

// A world with one folder, and what tests do all the time.
template <class World>
struct disk {
  World world;
  int folder = opened(file_operation::open_folder, ports::no_folder, world.folder());

  int opened(file_operation operation, int file, const std::string& name) {
    one_request<World> one(world);
    REQUIRE(one.run(operation, file, name) == errc::ok);
    REQUIRE(one.request.opened >= 0);
    return one.request.opened;
  }
  errc run(file_operation operation, int file, const std::string& name = {}) {
    return one_request<World>(world).run(operation, file, name);
  }
  errc write(int file, std::uint64_t offset, std::string_view text) {
    one_request<World> one(world);
    one.request.offset = offset;
    one.request.from = std::as_bytes(std::span(text.data(), text.size()));
    errc why = one.run(file_operation::write, file);
    if (why == errc::ok) CHECK(one.request.count == text.size());
    return why;
  }
  std::string read(int file, std::uint64_t offset, std::size_t count) {
    one_request<World> one(world);
    std::string text(count, '?');
    one.request.offset = offset;
    one.request.into = std::as_writable_bytes(std::span(text.data(), text.size()));
    REQUIRE(one.run(file_operation::read, file) == errc::ok);
    text.resize(static_cast<std::size_t>(one.request.count));
    return text;
  }
  int make_file(const std::string& name, std::string_view text) {
    int file = opened(file_operation::create, folder, name);
    REQUIRE(write(file, 0, text) == errc::ok);
    return file;
  }
};

TEST_CASE_TEMPLATE("what is written is read, by another descriptor too", World,
                   FILES_SUITE_WORLDS) {
  disk<World> disk;
  int file = disk.make_file("one", "hello, disk");
  CHECK(disk.read(file, 7, 4) == "disk");
  CHECK(disk.run(file_operation::sync, file) == errc::ok);
  CHECK(disk.run(file_operation::sync, disk.folder) == errc::ok);
  CHECK(disk.run(file_operation::close, file) == errc::ok);
  one_request<World> open(disk.world);
  REQUIRE(open.run(file_operation::open, disk.folder, "one") == errc::ok);
  CHECK(open.request.count == 11);
  CHECK(disk.read(open.request.opened, 0, 100) == "hello, disk");
  CHECK(disk.read(open.request.opened, 11, 100).empty());
  CHECK(disk.read(open.request.opened, 1000, 100).empty());
  CHECK(disk.run(file_operation::close, open.request.opened) == errc::ok);
}

TEST_CASE_TEMPLATE("a write past the end leaves zeros before it", World, FILES_SUITE_WORLDS) {
  disk<World> disk;
  int file = disk.make_file("one", "ab");
  CHECK(disk.write(file, 4, "ef") == errc::ok);
  CHECK(disk.read(file, 0, 6) == std::string("ab\0\0ef", 6));
  CHECK(disk.write(file, 1, "") == errc::ok);
}

TEST_CASE_TEMPLATE("a file is made once and missing ones are missing", World, FILES_SUITE_WORLDS) {
  disk<World> disk;
  disk.make_file("one", "1");
  CHECK(disk.run(file_operation::create, disk.folder, "one") == errc::already_exists);
  CHECK(disk.run(file_operation::open, disk.folder, "two") == errc::not_found);
  CHECK(disk.run(file_operation::remove, disk.folder, "two") == errc::not_found);
  CHECK(disk.run(file_operation::remove, disk.folder, "one") == errc::ok);
  CHECK(disk.run(file_operation::open, disk.folder, "one") == errc::not_found);
}

TEST_CASE_TEMPLATE("a removed file stays readable while it is open", World, FILES_SUITE_WORLDS) {
  disk<World> disk;
  int file = disk.make_file("one", "still");
  CHECK(disk.run(file_operation::remove, disk.folder, "one") == errc::ok);
  CHECK(disk.read(file, 0, 5) == "still");
  CHECK(disk.run(file_operation::close, file) == errc::ok);
}

TEST_CASE_TEMPLATE("a renamed file is in the place of what had its name", World,
                   FILES_SUITE_WORLDS) {
  disk<World> disk;
  int old = disk.make_file("one", "old");
  disk.make_file("two", "new");
  one_request<World> rename(disk.world);
  rename.request.new_name = "one";
  CHECK(rename.run(file_operation::rename, disk.folder, "two") == errc::ok);
  CHECK(disk.run(file_operation::open, disk.folder, "two") == errc::not_found);
  CHECK(disk.read(disk.opened(file_operation::open, disk.folder, "one"), 0, 10) == "new");
  CHECK(disk.read(old, 0, 10) == "old");
  CHECK(rename.run(file_operation::rename, disk.folder, "two") == errc::not_found);
  for (const char* name : {"", "..", "a/b"}) {
    rename.request.new_name = name;
    CHECK(rename.run(file_operation::rename, disk.folder, "one") == errc::invalid_argument);
  }
}

TEST_CASE_TEMPLATE("a link in the place of a file is not followed", World, FILES_SUITE_WORLDS) {
  disk<World> disk;
  disk.make_file("one", "mine");
  disk.world.put_link(disk.world.folder(), "one");
  CHECK(disk.run(file_operation::open, disk.folder, "one") == errc::permission);
  CHECK(disk.run(file_operation::create, disk.folder, "one") == errc::already_exists);
  CHECK(disk.run(file_operation::open_folder, disk.folder, "one") == errc::permission);
  CHECK(disk.run(file_operation::remove, disk.folder, "one") == errc::ok);
  CHECK(disk.run(file_operation::create, disk.folder, "one") == errc::ok);
}

TEST_CASE_TEMPLATE("a name that leads out of the folder is refused", World, FILES_SUITE_WORLDS) {
  disk<World> disk;
  for (const char* name : {"", ".", "..", "../one", "a/b", "/etc"}) {
    CAPTURE(name);
    for (auto operation : {file_operation::create, file_operation::open, file_operation::remove,
                           file_operation::rename, file_operation::open_folder}) {
      CHECK(disk.run(operation, disk.folder, name) == errc::invalid_argument);
    }
  }
}

TEST_CASE_TEMPLATE("a list names what is there, with sizes", World, FILES_SUITE_WORLDS) {
  disk<World> disk;
  disk.make_file("one", "1");
  disk.make_file("three", "333");
  disk.opened(file_operation::open_folder, disk.folder, "inner");
  one_request<World> list(disk.world);
  for (int again = 0; again < 2; ++again) {
    REQUIRE(list.run(file_operation::list, disk.folder) == errc::ok);
    auto entries = list.request.entries;
    std::sort(entries.begin(), entries.end(), [](auto& a, auto& b) { return a.name < b.name; });
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].name == "inner");
    CHECK(entries[0].folder);
    CHECK(entries[1].bytes == 1);
    CHECK(entries[2].name == "three");
    CHECK(entries[2].bytes == 3);
    CHECK_FALSE(entries[2].folder);
  }
}

TEST_CASE_TEMPLATE("a folder opens again as it was, and is removed when empty", World,
                   FILES_SUITE_WORLDS) {
  disk<World> disk;
  int inner = disk.opened(file_operation::open_folder, disk.folder, "inner");
  CHECK(disk.run(file_operation::create, inner, "one") == errc::ok);
  CHECK(disk.run(file_operation::remove, disk.folder, "inner") != errc::ok);
  int again = disk.opened(file_operation::open_folder, disk.folder, "inner");
  CHECK(disk.run(file_operation::remove, again, "one") == errc::ok);
  CHECK(disk.run(file_operation::remove, disk.folder, "inner") == errc::ok);
  one_request<World> list(disk.world);
  REQUIRE(list.run(file_operation::list, disk.folder) == errc::ok);
  CHECK(list.request.entries.empty());
}

TEST_CASE_TEMPLATE("what is not open is an error", World, FILES_SUITE_WORLDS) {
  disk<World> disk;
  int file = disk.make_file("one", "1");
  CHECK(disk.run(file_operation::close, file) == errc::ok);
  for (auto operation : {file_operation::close, file_operation::read, file_operation::write,
                         file_operation::sync, file_operation::list, file_operation::free_space}) {
    one_request<World> one(disk.world);
    char byte = 0;
    one.request.into = std::as_writable_bytes(std::span(&byte, 1));
    one.request.from = one.request.into;
    CHECK(one.run(operation, 987'654) != errc::ok);
  }
}

TEST_CASE_TEMPLATE("free space is what is left", World, FILES_SUITE_WORLDS) {
  disk<World> disk;
  one_request<World> free(disk.world);
  REQUIRE(free.run(file_operation::free_space, disk.folder) == errc::ok);
  CHECK(free.request.count > 0);
}

TEST_CASE_TEMPLATE("many requests in flight are each done once", World, FILES_SUITE_WORLDS) {
  constexpr std::size_t count = 200;
  disk<World> disk;
  int file = disk.make_file("one", "");
  std::vector<std::unique_ptr<one_request<World>>> all;
  std::string bytes(count, ' ');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>('a' + i % 26);
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(std::make_unique<one_request<World>>(disk.world));
    all.back()->request.offset = i;
    all.back()->request.from = std::as_bytes(std::span(bytes)).subspan(i, 1);
    all.back()->start(file_operation::write, file);
  }
  for (auto& each : all) CHECK(each->finish() == errc::ok);
  for (auto& each : all) CHECK(each->times_done == 1);
  CHECK(disk.read(file, 0, count) == bytes);
}

TEST_CASE_TEMPLATE("a request may be started again, and others, where it is done", World,
                   FILES_SUITE_WORLDS) {
  disk<World> disk;
  int file = disk.make_file("one", "");
  struct chain {
    World* world;
    ports::file_request request;
    unsigned left = 20;
  } chain;
  chain.world = &disk.world;
  std::string byte = "x";
  chain.request.operation = file_operation::write;
  chain.request.file = file;
  chain.request.from = std::as_bytes(std::span(byte));
  chain.request.user = &chain;
  chain.request.done = [](ports::file_request& finished) {
    auto& self = *static_cast<struct chain*>(finished.user);
    ++finished.offset;
    if (--self.left != 0) self.world->port().start(finished);
    else self.world->port().wake();
  };
  disk.world.port().start(chain.request);
  while (chain.left != 0) disk.world.turn(UINT64_MAX);
  CHECK(disk.read(file, 0, 100) == std::string(20, 'x'));
}

TEST_CASE_TEMPLATE("a cancelled request is done once, whether it was begun or not", World,
                   FILES_SUITE_WORLDS) {
  disk<World> disk;
  int file = disk.make_file("one", "");
  std::vector<std::unique_ptr<one_request<World>>> all;
  for (int i = 0; i < 50; ++i) {
    all.push_back(std::make_unique<one_request<World>>(disk.world));
    all.back()->start(file_operation::sync, file);
  }
  for (auto& each : all) disk.world.port().cancel(each->request);
  for (auto& each : all) {
    errc why = each->finish();
    CHECK((why == errc::ok || why == errc::cancelled));
    disk.world.port().cancel(each->request);  // not in flight: nothing
  }
  for (auto& each : all) CHECK(each->times_done == 1);
}

TEST_CASE_TEMPLATE("closing the port cancels what is in flight, and all of it is done", World,
                   FILES_SUITE_WORLDS) {
  constexpr unsigned count = 50;
  unsigned done = 0, wrong = 0;
  std::vector<std::unique_ptr<ports::file_request>> all;
  {
    disk<World> disk;
    int file = disk.make_file("one", "");
    static unsigned* counters[2];
    counters[0] = &done;
    counters[1] = &wrong;
    for (unsigned i = 0; i < count; ++i) {
      all.push_back(std::make_unique<ports::file_request>());
      all.back()->operation = file_operation::sync;
      all.back()->file = file;
      all.back()->done = [](ports::file_request& finished) {
        ++*counters[0];
        errc why = finished.why.code();
        if (why != errc::ok && why != errc::cancelled) ++*counters[1];
      };
      disk.world.port().start(*all.back());
    }
    disk.world.port().close();
  }  // a guest's loop runs once more
  CHECK(done == count);
  CHECK(wrong == 0);
}

}  // namespace files_suite
