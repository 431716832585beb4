// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <string>

#include "ports/sim/sim_port.hpp"

namespace {

struct sim_disk_world {
  beamlet::ports::sim_port made;
  explicit sim_disk_world(std::uint64_t seed = 7) : made(seed) {}
  beamlet::ports::sim_port& port() { return made; }
  void turn(std::uint64_t until_ns) { made.turn(until_ns); }
  std::string folder() { return "/spill"; }
  void put_link(const std::string& folder, const std::string& name) {
    REQUIRE(made.disk().replace_by_link(folder, name));
  }
};

}  // namespace

#define FILES_SUITE_WORLDS sim_disk_world
#include "tests/conformance/files_suite.hpp"
#undef FILES_SUITE_WORLDS

namespace {
using namespace beamlet;
using files_suite::one_request;
using ports::file_operation;

struct seeded_disk : files_suite::disk<sim_disk_world> {
  explicit seeded_disk(std::uint64_t seed)
      : files_suite::disk<sim_disk_world>{sim_disk_world(seed)} {}
  ports::disk_faults& faults() { return world.made.disk().faults(); }
  // Opens the folder, and a file in it, after the power came back; the file's bytes, "-" for none.
  std::string found(const std::string& name) {
    folder = opened(file_operation::open_folder, ports::no_folder, world.folder());
    one_request<sim_disk_world> open(world);
    if (open.run(file_operation::open, folder, name) != errc::ok) return "-";
    return read(open.request.opened, 0, 10'000);
  }
};

// A run that writes under all faults at once; its trace.
std::uint64_t trace_with_faults(std::uint64_t seed) {
  seeded_disk disk(seed);
  disk.faults().io_error = disk.faults().no_space = disk.faults().torn_write = 100'000;
  for (int i = 0; i < 50; ++i) {
    one_request<sim_disk_world> create(disk.world);
    if (create.run(file_operation::create, disk.folder, std::to_string(i)) != errc::ok) continue;
    disk.write(create.request.opened, 0, "some bytes");
    disk.run(file_operation::sync, create.request.opened);
  }
  return disk.world.made.trace();
}

TEST_CASE("equal seeds fail alike, other seeds elsewhere") {
  CHECK(trace_with_faults(1) == trace_with_faults(1));
  CHECK(trace_with_faults(1) != trace_with_faults(2));
}

TEST_CASE("a request takes virtual time and no other") {
  seeded_disk disk(1);
  disk.faults().latency_ns_min = disk.faults().latency_ns_max = 5'000'000;
  auto& port = disk.world.made;
  std::uint64_t start_ns = port.now_ns();
  one_request<sim_disk_world> one(disk.world);
  one.start(file_operation::sync, disk.folder);
  port.turn(start_ns + 1'000'000);
  CHECK(one.times_done == 0);
  port.turn(UINT64_MAX);
  CHECK(one.times_done == 1);
  CHECK(port.now_ns() == start_ns + 5'000'000);
  CHECK_FALSE(port.stalled());
}

TEST_CASE("a full disk takes what fits and says so") {
  seeded_disk disk(1);
  disk.faults().capacity_bytes = 100;
  int file = disk.make_file("one", std::string(60, 'a'));
  one_request<sim_disk_world> more(disk.world);
  std::string text(60, 'b');
  more.request.from = std::as_bytes(std::span(text));
  more.request.offset = 60;
  CHECK(more.run(file_operation::write, file) == errc::exhausted);
  CHECK(more.request.count == 40);
  CHECK(disk.write(file, 0, std::string(60, 'c')) == errc::ok);
  CHECK(disk.run(file_operation::remove, disk.folder, "one") == errc::ok);
  CHECK(disk.run(file_operation::close, file) == errc::ok);
  one_request<sim_disk_world> free(disk.world);
  REQUIRE(free.run(file_operation::free_space, disk.folder) == errc::ok);
  CHECK(free.request.count == 100);
}

TEST_CASE("each fault happens when it is certain, and never when it is off") {
  seeded_disk disk(1);
  int file = disk.make_file("one", "0123456789");
  disk.faults().io_error = 1'000'000;
  CHECK(disk.run(file_operation::sync, file) == errc::io);
  disk.faults().io_error = 0;
  disk.faults().no_space = 1'000'000;
  CHECK(disk.write(file, 0, "x") == errc::exhausted);
  CHECK(disk.run(file_operation::create, disk.folder, "two") == errc::exhausted);
  disk.faults().no_space = 0;
  disk.faults().torn_write = 1'000'000;
  CHECK(disk.write(file, 0, "abcdefghij") == errc::io);
  disk.faults().torn_write = 0;
  std::string now = disk.read(file, 0, 10);
  CHECK(now.back() == '9');
  disk.faults().flipped_bit = 1'000'000;
  CHECK(disk.read(file, 0, 10) != now);
  disk.faults().flipped_bit = 0;
  CHECK(disk.read(file, 0, 10) == now);
}

TEST_CASE("a damaged file reads differently from then on") {
  seeded_disk disk(1);
  int file = disk.make_file("one", "0123456789");
  REQUIRE(disk.world.made.disk().damage("/spill", "one"));
  CHECK(disk.read(file, 0, 10) != "0123456789");
  CHECK_FALSE(disk.world.made.disk().damage("/spill", "two"));
}

TEST_CASE("what was synced survives a power cut, whatever the seed") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    seeded_disk disk(seed);
    int file = disk.make_file("one", "durable");
    REQUIRE(disk.run(file_operation::sync, file) == errc::ok);
    REQUIRE(disk.run(file_operation::sync, disk.folder) == errc::ok);
    disk.world.made.cut_power();
    CHECK(disk.run(file_operation::sync, file) != errc::ok);  // nothing is open any more
    CHECK(disk.found("one") == "durable");
  }
}

TEST_CASE("what was not synced is kept, lost or torn, by seed") {
  std::set<std::size_t> lengths;
  unsigned lost_names = 0, kept_removed = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    seeded_disk disk(seed);
    disk.make_file("removed", "");
    REQUIRE(disk.run(file_operation::sync, disk.folder) == errc::ok);
    REQUIRE(disk.run(file_operation::remove, disk.folder, "removed") == errc::ok);
    disk.make_file("one", std::string(2048, 'x'));
    disk.world.made.cut_power();
    std::string found = disk.found("one");
    if (found == "-") ++lost_names;
    else lengths.insert(found.size());
    kept_removed += disk.found("removed") != "-";
  }
  CHECK(lengths.count(0) == 1);
  CHECK(lengths.count(2048) == 1);
  CHECK(lengths.count(512) == 1);
  CHECK(lost_names > 50);
  CHECK(lost_names < 150);
  CHECK(kept_removed > 50);
  CHECK(kept_removed < 150);
}

TEST_CASE("a power cut ends what is in flight with an error") {
  seeded_disk disk(1);
  int file = disk.make_file("one", "");
  one_request<sim_disk_world> sync(disk.world);
  sync.start(file_operation::sync, file);
  disk.world.made.cut_power();
  CHECK(sync.finish() == errc::io);
  CHECK(sync.times_done == 1);
}

TEST_CASE("a cancelled request was begun or not, by seed, and only then changed anything") {
  unsigned cancelled = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    seeded_disk disk(seed);
    one_request<sim_disk_world> create(disk.world);
    create.start(file_operation::create, disk.folder, "one");
    disk.world.made.cancel(create.request);
    bool was_cancelled = create.finish() == errc::cancelled;
    CHECK((disk.run(file_operation::remove, disk.folder, "one") == errc::not_found) ==
          was_cancelled);
    cancelled += was_cancelled;
  }
  CHECK(cancelled > 5);
  CHECK(cancelled < 45);
}

TEST_CASE("a simulated world has no descriptors to watch") {
  ports::sim_port port(1);
  auto watch = port.watch_descriptor(0, nullptr, nullptr);
  REQUIRE_FALSE(watch.has_value());
  CHECK(watch.error() == errc::unsupported);
}

}  // namespace
