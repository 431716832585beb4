// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/sched/pool.hpp>

#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

using namespace beamlet::sched;

namespace {
constexpr std::size_t bytes = 208;  // a size that nothing else in these tests uses

std::vector<void*> take(std::size_t count) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < count; ++i) blocks.push_back(pool_get<bytes, 16>());
  return blocks;
}
void put(const std::vector<void*>& blocks) {
  for (void* b : blocks) pool_put<bytes, 16>(b);
}
}  // namespace

TEST_CASE("blocks are aligned, their own, and of every size that is asked for") {
  std::vector<std::pair<void*, std::size_t>> all;
  for (std::size_t size : {1u, 16u, 17u, 100u, 512u, 513u, 5000u}) {
    void* block = pool_get(size);
    REQUIRE(block != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 16 == 0);
    std::memset(block, static_cast<int>(size % 251), size);
    all.emplace_back(block, size);
  }
  for (auto [block, size] : all) {
    auto* b = static_cast<unsigned char*>(block);
    for (std::size_t i = 0; i < size; ++i) REQUIRE(b[i] == size % 251);
    pool_put(block, size);
  }
}

TEST_CASE("a type with a larger alignment gets it") {
  void* block = pool_get<64, 64>();
  CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
  pool_put<64, 64>(block);
}

TEST_CASE("a block given back is the next one taken, where pools are on") {
  void* first = pool_get<bytes, 16>();
  pool_put<bytes, 16>(first);
  void* second = pool_get<bytes, 16>();
  if (pool_enabled) CHECK(second == first);  // sanitizers see more in malloc's blocks
  pool_put<bytes, 16>(second);
}

TEST_CASE("blocks freed on another thread come back in batches instead of new slabs") {
  put(take(3 * pool_batch));
  std::size_t before = pool_bytes();
  for (int round = 0; round < 50; ++round) {
    std::vector<void*> blocks = take(3 * pool_batch);
    std::thread([&] { put(blocks); }).join();
  }
  // 50 rounds would fill a dozen slabs if nothing came back.
  CHECK(pool_bytes() <= before + (std::size_t{1} << 19));
}

TEST_CASE("after a burst the slabs go back to the system") {
  flush_pool();
  trim_pool();
  std::size_t before = pool_bytes();
  std::vector<void*> burst = take(20'000);
  std::size_t most = pool_bytes();
  if (pool_enabled) CHECK(most >= before + 20'000 * bytes);
  put(burst);
  flush_pool();
  std::size_t given = trim_pool();
  CHECK(given >= most - before);
  CHECK(pool_bytes() <= before);
}

TEST_CASE("a slab in use stays and its free blocks are used again") {
  std::vector<void*> burst = take(5000);
  void* kept = burst.back();
  burst.pop_back();
  std::memset(kept, 7, bytes);
  put(burst);
  flush_pool();
  trim_pool();
  auto* b = static_cast<unsigned char*>(kept);
  for (std::size_t i = 0; i < bytes; ++i) REQUIRE(b[i] == 7);
  std::vector<void*> again = take(2000);
  CHECK(std::set<void*>(again.begin(), again.end()).size() == again.size());
  CHECK(std::set<void*>(again.begin(), again.end()).count(kept) == 0);
  put(again);
  pool_put<bytes, 16>(kept);
}

TEST_CASE("past the limit a pool gives null, and blocks again when the limit goes") {
  set_pool_limit(pool_bytes() + (std::size_t{1} << 20));
  std::vector<void*> blocks;
  void* block = nullptr;
  for (int i = 0; i < 50'000 && (block = pool_get<bytes, 16>()) != nullptr; ++i)
    blocks.push_back(block);
  CHECK((block == nullptr) == pool_enabled);  // malloc, which sanitizers watch, has no such limit
  set_pool_limit(0);
  block = pool_get<bytes, 16>();
  CHECK(block != nullptr);
  pool_put<bytes, 16>(block);
  put(blocks);
}
