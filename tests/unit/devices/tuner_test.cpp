// SPDX-License-Identifier: Apache-2.0
// What the search for ways does when trials, the device, memory or the disk fail.
#include "compute/tuner.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "beamlet/base/codec.hpp"
#include "tests/unit/devices/switched_device.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace device_tests {
namespace {
using compute::tuner;

constexpr std::uint64_t search_ns = 1'000'000'000;
constexpr int trials_of_way = 1 + static_cast<int>(tuner::runs_of_way);

// A device, and work for it that has as many ways as a test says.
struct tuned_device {
  std::shared_ptr<switches> how = std::make_shared<switches>();
  switched_device device{compute::make_cpu_device(compute::best_isa(), {})->info(), how};
  std::unique_ptr<compute::executor> runs;
  std::vector<compute::operand> row{compute::operand::dense(dtypes::f32, {64})};

  tuned_device() {
    REQUIRE(device.open().has_value());
    auto made = compute::executor::make(device);
    REQUIRE(made.has_value());
    runs = *std::move(made);
  }
  tuner make(const std::string& folder = {}) const {
    return {*runs, folder, search_ns, [s = how] { return s->now_ns; }};
  }
  void note_twice(tuner& to, tuner::work_key key, std::uint32_t ways) const {
    for (int i = 0; i < 2; ++i) to.note(key, scaled(2, 1), row, row, ways);
  }
};

// All trials, or some.
void try_all(tuner& one) {
  while (one.has_work()) REQUIRE(one.step().has_value());
}
void try_way(tuner& one, int trials = trials_of_way) {
  for (int i = 0; i < trials; ++i) {
    REQUIRE(one.has_work());
    REQUIRE(one.step().has_value());
  }
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> made;
  for (const auto& each : std::filesystem::directory_iterator(folder))
    made.push_back(each.path().string());
  return made;
}

// A tuner that knows way 1 of work 7, and has kept it.
void find_way_1(const tuned_device& on, const std::string& folder) {
  tuner one = on.make(folder);
  on.note_twice(one, 7, 2);
  on.how->wait_ns = 20;
  try_way(one);
  on.how->wait_ns = 0;
  try_way(one);
  REQUIRE(one.way_of(7) == 1);
}
}  // namespace

TEST_CASE("a way that fails is not chosen, the best of the others is") {
  const tuned_device on;
  // In the first of its runs, and in the last after quick ones.
  for (int good_runs = 0; good_runs < trials_of_way; ++good_runs) {
    CAPTURE(good_runs);
    tuner one = on.make();
    on.note_twice(one, 7, 3);
    on.how->wait_ns = 40;
    try_way(one);
    on.how->wait_ns = 0;
    try_way(one, good_runs);
    on.how->launches = false;
    try_way(one, 1);
    on.how->launches = true;
    on.how->wait_ns = 5;
    try_way(one);
    on.how->wait_ns = 0;
    CHECK(!one.has_work());
    CHECK(one.known() == 1);
    CHECK(one.way_of(7) == 2);
  }
}

TEST_CASE("nothing is known of work whose ways all failed, now or at the next start") {
  const tuned_device on;
  const scratch_folder folder;
  tuner one = on.make(folder.path());
  on.note_twice(one, 7, 3);
  on.how->launches = false;
  try_way(one, 3);
  CHECK(!one.has_work());
  CHECK(one.known() == 0);
  CHECK(on.make(folder.path()).known() == 0);
}

TEST_CASE("a device that is lost in a trial ends the search, and the caller is told") {
  for (const int good_trials : {0, 1, trials_of_way}) {
    CAPTURE(good_trials);
    const tuned_device on;
    tuner one = on.make();
    for (const tuner::work_key key : {7, 8}) on.note_twice(one, key, 3);
    try_way(one, good_trials);
    on.how->is_lost = true;
    const auto tried = one.step();
    REQUIRE(!tried.has_value());
    CHECK(tried.error().code() == errc::device_lost);
    CHECK(!one.has_work());
    CHECK(one.known() == 0);
  }
}

TEST_CASE("work that there is no memory to try is left out, the next is tried") {
  const tuned_device on;
  tuner one = on.make();
  for (const tuner::work_key key : {7, 8}) on.note_twice(one, key, 2);
  on.how->allocates = false;
  try_way(one, 1);
  on.how->allocates = true;
  try_all(one);
  CHECK(one.known() == 1);
  on.note_twice(one, 7, 2);
  CHECK(!one.has_work());  // it was left out for good
}

TEST_CASE("work with more memory than trials may have is not tried") {
  const tuned_device on;
  tuner one = on.make();
  const std::vector<compute::operand> large{
      compute::operand::dense(dtypes::f32, {static_cast<std::int64_t>(tuner::bytes_max / 8 + 1)})};
  for (int i = 0; i < 2; ++i) one.note(7, scaled(2, 1), large, large, 2);
  CHECK(!one.has_work());
}

TEST_CASE("a search that has had its time ends between ways, and keeps what it had found") {
  const tuned_device on;
  const scratch_folder folder;
  tuner one = on.make(folder.path());
  for (const tuner::work_key key : {7, 8}) on.note_twice(one, key, 2);
  try_way(one, 2 * trials_of_way);
  REQUIRE(one.known() == 1);
  on.how->wait_ns = search_ns;
  try_way(one, 1);
  on.how->wait_ns = 0;
  CHECK(!one.has_work());
  on.note_twice(one, 9, 2);
  CHECK(!one.has_work());
  CHECK(one.known() == 1);
  CHECK(on.make(folder.path()).known() == 1);
}

TEST_CASE("no more works wait than may, and as many are known as the next start reads") {
  const tuned_device on;
  const scratch_folder folder;
  tuner one = on.make(folder.path());
  tuner::work_key key = 0;
  while (one.known() < tuner::works_max) {
    for (std::size_t i = 0; i < 2 * tuner::waiting_max; ++i) on.note_twice(one, key++, 2);
    const std::size_t before = one.known();
    REQUIRE(one.has_work());
    try_all(one);
    CHECK(one.known() - before <= tuner::waiting_max);
    if (one.known() == tuner::works_max - tuner::waiting_max) {  // the last do not all fit
      on.note_twice(one, key++, 2);
      try_all(one);
    }
  }
  CHECK(one.known() == tuner::works_max);
  on.note_twice(one, key, 2);
  CHECK(!one.has_work());
  CHECK(on.make(folder.path()).known() == tuner::works_max);
}

TEST_CASE("a folder that cannot be used costs what would be kept, not the search") {
  const tuned_device on;
  const scratch_folder folder;
  const std::string shared = folder.path() + "/shared";
  std::filesystem::create_directory(shared);
  REQUIRE(chmod(shared.c_str(), 0777) == 0);  // others could write to it
  const std::string file = folder.path() + "/file";
  std::ofstream(file) << "no folder";
  for (const std::string& path : {shared, file, folder.path() + "/none/none"}) {
    CAPTURE(path);
    find_way_1(on, path);
    CHECK(on.make(path).known() == 0);
  }
  CHECK(files_in(shared).empty());
}

TEST_CASE("a damaged file of ways is no file, and the next search writes a whole one") {
  const tuned_device on;
  const scratch_folder folder;
  const auto change = [&](auto&& how) {
    find_way_1(on, folder.path());
    CHECK(on.make(folder.path()).way_of(7) == 1);
    const auto files = files_in(folder.path());
    REQUIRE(files.size() == 1);
    how(files.front());
    const tuner next = on.make(folder.path());
    CHECK(next.known() == 0);
    CHECK(next.way_of(7) == 0);
    std::filesystem::remove(files.front());
  };
  change([](const std::string& file) { std::filesystem::resize_file(file, 0); });
  change([](const std::string& file) {
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  });
  change([](const std::string& file) {
    std::fstream at(file, std::ios::binary | std::ios::in | std::ios::out);
    at.seekp(-1, std::ios::end).put('?');
  });
}

TEST_CASE("ways of another device, or of a file that is something else, are not taken") {
  const tuned_device on;
  const scratch_folder folder;
  find_way_1(on, folder.path());
  compute::device_info info = on.device.info();
  const auto known_to = [&](const compute::device_info& who) {
    switched_device other(who, std::make_shared<switches>());
    REQUIRE(other.open().has_value());
    auto runs = compute::executor::make(other);
    REQUIRE(runs.has_value());
    return tuner(**runs, folder.path(), search_ns, [] { return 0; }).known();
  };
  CHECK(known_to(info) == 1);
  info.driver += " of tomorrow";
  CHECK(known_to(info) == 0);

  compute::blob_key key;
  key.add("ways").add(tuner::ways_version);
  key.add(info.backend).add(info.vendor).add(info.name).add(info.driver);
  auto files = compute::blob_cache::open(folder.path());
  REQUIRE(files.has_value());
  using ways = std::vector<std::pair<tuner::work_key, std::uint32_t>>;
  files->store(key, *encode_to(ways{{7, 1}, {8, 1}}));
  CHECK(known_to(info) == 2);  // the key is right
  files->store(key, *encode_to(std::string("no ways at all")));
  CHECK(known_to(info) == 0);
  ways too_many;
  for (std::uint64_t i = 0; i <= tuner::works_max; ++i) too_many.emplace_back(i, 1);
  files->store(key, *encode_to(too_many));
  CHECK(known_to(info) == 0);
}

}  // namespace device_tests
