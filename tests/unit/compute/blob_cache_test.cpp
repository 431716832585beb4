// SPDX-License-Identifier: Apache-2.0
#include "compute/blob_cache.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/ports/scratch_folder.hpp"

namespace {
using namespace beamlet;
using beamlet::compute::blob_cache;
using beamlet::compute::blob_key;

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> made(text.size());
  if (!text.empty()) std::memcpy(made.data(), text.data(), text.size());
  return made;
}

std::string text_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::size_t files_in(const std::string& path) {
  std::size_t count = 0;
  for ([[maybe_unused]] auto& each : std::filesystem::directory_iterator(path)) ++count;
  return count;
}

struct cache_folder {
  scratch_folder scratch;
  std::string path = scratch.path() + "/cache";
  blob_cache cache = open();
  blob_cache open() const {
    auto made = blob_cache::open(path);
    REQUIRE_MESSAGE(made.has_value(), made.error().describe());
    return std::move(*made);
  }
  std::string file(const blob_key& key) const { return path + "/" + key.name(); }
};

}  // namespace

TEST_CASE("what was stored is found, by another cache of the folder too") {
  cache_folder here;
  const blob_key key = blob_key().add("kernel").add(7);
  CHECK_FALSE(here.cache.find(key).has_value());
  for (std::size_t size : {0, 1, 39, 40, 41, 100'000}) {
    const auto blob = std::vector<std::byte>(size, std::byte{0x5a});
    here.cache.store(key, blob);
    CHECK(here.cache.find(key) == blob);
    CHECK(here.open().find(key) == blob);
    CHECK(files_in(here.path) == 1);
  }
  here.cache.remove(key);
  CHECK_FALSE(here.cache.find(key).has_value());
  CHECK(files_in(here.path) == 0);
}

TEST_CASE("a cache without a folder finds nothing") {
  const blob_cache none;
  none.store(blob_key().add(1), bytes_of("blob"));
  none.remove(blob_key().add(1));
  CHECK_FALSE(none.is_open());
  CHECK_FALSE(none.find(blob_key().add(1)).has_value());
}

TEST_CASE("keys of different contents differ") {
  std::set<std::string> names;
  auto is_new = [&](const blob_key& key) {
    CHECK(key.name().size() == 32);
    return names.insert(key.name()).second;
  };
  CHECK(is_new(blob_key()));
  CHECK(is_new(blob_key().add("")));
  CHECK(is_new(blob_key().add("ab").add("c")));
  CHECK(is_new(blob_key().add("a").add("bc")));
  CHECK(is_new(blob_key().add("abc")));
  CHECK(is_new(blob_key().add(std::string_view("abc\0", 4))));
  for (std::uint64_t n = 1; n < 1000; ++n) CHECK(is_new(blob_key().add(n)));
  std::string text(64, 'x');
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    std::string other = text;
    other[i / 8] = static_cast<char>(other[i / 8] ^ 1 << i % 8);
    CHECK(is_new(blob_key().add(other)));
  }
  CHECK(blob_key().add("abc").name() == blob_key().add("abc").name());
}

TEST_CASE("a file with any byte damaged is not found, and removed") {
  cache_folder here;
  const blob_key key = blob_key().add("kernel");
  here.cache.store(key, bytes_of("a blob of some bytes"));
  const std::string whole = text_of_file(here.file(key));
  REQUIRE(whole.size() == 60);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int flip : {0x01, 0x80, 0xff}) {
      CAPTURE(i);
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      write_file(here.file(key), damaged);
      CHECK_FALSE(here.cache.find(key).has_value());
      CHECK(files_in(here.path) == 0);
    }
  }
  write_file(here.file(key), whole);
  CHECK(here.cache.find(key) == bytes_of("a blob of some bytes"));
}

TEST_CASE("a file that is cut off, too long or another key's is not found, and removed") {
  cache_folder here;
  const blob_key key = blob_key().add("kernel"), other = blob_key().add("other");
  here.cache.store(key, bytes_of("blob"));
  const std::string whole = text_of_file(here.file(key));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(here.file(key), whole.substr(0, size));
    CHECK_FALSE(here.cache.find(key).has_value());
    CHECK(files_in(here.path) == 0);
  }
  write_file(here.file(key), whole + "x");
  CHECK_FALSE(here.cache.find(key).has_value());
  write_file(here.file(other), whole);
  CHECK_FALSE(here.cache.find(other).has_value());
  CHECK(files_in(here.path) == 0);
}

TEST_CASE("a file larger than a blob can be is not read, and removed") {
  cache_folder here;
  const blob_key key = blob_key().add("kernel");
  write_file(here.file(key), "x");
  std::filesystem::resize_file(here.file(key), std::uintmax_t{1} << 40);
  CHECK_FALSE(here.cache.find(key).has_value());
  CHECK(files_in(here.path) == 0);
}

TEST_CASE("what a killed writer left behind is cleared away by the next") {
  cache_folder here;
  const blob_key key = blob_key().add("kernel");
  write_file(here.file(key) + ".new", "half of a bl");
  here.cache.store(key, bytes_of("blob"));
  CHECK_FALSE(here.cache.find(key).has_value());
  here.cache.store(key, bytes_of("blob"));
  CHECK(here.cache.find(key) == bytes_of("blob"));
  CHECK(files_in(here.path) == 1);
}

TEST_CASE("a folder that cannot be made or is not the user's own is refused") {
  scratch_folder scratch;
  CHECK(blob_cache::open(scratch.path() + "/none/cache").error().code() == errc::not_found);
  CHECK(blob_cache::open("/proc/beamlet").error().code() != errc::ok);
  CHECK(blob_cache::open("/proc/self/fdinfo").error().code() != errc::ok);  // takes no files
  write_file(scratch.path() + "/file", "");
  CHECK(blob_cache::open(scratch.path() + "/file").error().code() == errc::permission);
  std::filesystem::create_directory(scratch.path() + "/open");
  REQUIRE(chmod((scratch.path() + "/open").c_str(), 0777) == 0);
  CHECK(blob_cache::open(scratch.path() + "/open").error().code() == errc::permission);
}

TEST_CASE("a folder that cannot be written to is refused") {
  if (geteuid() == 0) return;  // may write anywhere
  scratch_folder scratch;
  REQUIRE(chmod(scratch.path().c_str(), 0500) == 0);
  CHECK(blob_cache::open(scratch.path()).error().code() == errc::permission);
}

TEST_CASE("a folder that has grown too large is emptied of blobs, and of nothing else") {
  cache_folder here;
  const blob_key key = blob_key().add("kernel");
  write_file(here.path + "/notes.txt", "mine");
  here.cache.store(key, bytes_of("blob"));
  write_file(here.file(blob_key().add(1)) + ".new", "");
  std::filesystem::resize_file(here.file(blob_key().add(1)) + ".new",
                               blob_cache::folder_bytes_max - 100);
  CHECK(here.open().find(key) == bytes_of("blob"));
  CHECK(files_in(here.path) == 3);
  write_file(here.file(blob_key().add(2)), std::string(100, 'x'));
  CHECK_FALSE(here.open().find(key).has_value());
  CHECK(files_in(here.path) == 1);
}

TEST_CASE("a folder that goes away costs its blobs only") {
  cache_folder here;
  const blob_key key = blob_key().add("kernel");
  here.cache.store(key, bytes_of("blob"));
  std::filesystem::remove_all(here.path);
  CHECK_FALSE(here.cache.find(key).has_value());
  here.cache.store(key, bytes_of("blob"));
  CHECK_FALSE(here.cache.find(key).has_value());
}

TEST_CASE("two writers and a reader of one key see whole blobs or none") {
  cache_folder here;
  const blob_key key = blob_key().add("kernel");
  const std::vector<std::byte> first(5000, std::byte{1}), second(9000, std::byte{2});
  std::atomic<int> wrong{0};
  auto write = [&](const std::vector<std::byte>& blob) {
    const blob_cache own = here.open();
    for (int i = 0; i < 300; ++i) own.store(key, blob);
  };
  std::thread a(write, std::cref(first)), b(write, std::cref(second));
  for (int i = 0; i < 300; ++i) {
    auto found = here.cache.find(key);
    if (found.has_value() && *found != first && *found != second) ++wrong;
  }
  a.join();
  b.join();
  CHECK(wrong == 0);
  here.cache.store(key, first);
  here.cache.store(key, first);
  CHECK(here.cache.find(key) == first);
  CHECK(files_in(here.path) == 1);
}
