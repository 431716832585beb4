// SPDX-License-Identifier: Apache-2.0
#include "beamlet/sched/pool.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "ports/memory.hpp"

// Slabs are aligned to their size, so a block finds its slab by masking. The shared lists and slab
// headers are touched once per batch, under one lock per size class.
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

thread_local constinit pool_cache this_pool{};

namespace {

constexpr std::size_t slab_bytes = std::size_t{256} << 10;
constexpr std::size_t slab_header = 64;

struct slab {
  slab* next;            // all slabs of a class
  std::uint32_t free;    // scratch of trim_pool
  std::uint32_t carved;  // blocks handed out at least once
};

struct batch_head : pool_block {
  batch_head* next_batch;  // blocks have 16 bytes at least: room for both links
};

struct size_class {
  std::mutex lock;
  batch_head* batches = nullptr;  // each of `pool_batch` blocks
  pool_list loose{};              // less than a batch, from threads that ended
  slab* slabs = nullptr;
};

constinit size_class classes[pool_classes];
constinit std::atomic<std::size_t> slabs_held{0};
constinit std::atomic<std::size_t> slab_limit{0};

std::size_t block_bytes(std::size_t index) { return (index + 1) * pool_granule; }
std::uint32_t blocks_per_slab(std::size_t index) {
  return static_cast<std::uint32_t>((slab_bytes - slab_header) / block_bytes(index));
}
slab* slab_of(void* block) {
  return reinterpret_cast<slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(slab_bytes - 1));
}

slab* map_slab() {
  std::size_t limit = slab_limit.load(std::memory_order_relaxed);
  if (limit != 0 && (slabs_held.load(std::memory_order_relaxed) + 1) * slab_bytes > limit)
    return nullptr;
  auto mapped = ports::map_memory(2 * slab_bytes);  // over-allocate, cut to an aligned slab
  if (!mapped.has_value()) return nullptr;
  auto start = reinterpret_cast<std::uintptr_t>(*mapped);
  auto aligned = (start + slab_bytes - 1) & ~(slab_bytes - 1);
  if (aligned > start) ports::unmap_memory(*mapped, aligned - start);
  if (std::size_t rest = start + slab_bytes - aligned; rest > 0)
    ports::unmap_memory(reinterpret_cast<void*>(aligned + slab_bytes), rest);
  slabs_held.fetch_add(1, std::memory_order_relaxed);
  return new (reinterpret_cast<void*>(aligned)) slab{};
}

void unmap_slab(slab* dead) {
  ports::unmap_memory(dead, slab_bytes);
  slabs_held.fetch_sub(1, std::memory_order_relaxed);
}

/// Up to `pool_batch` blocks that were never used, in address order so that a producer walks memory
/// forward.
pool_list carve_blocks(size_class& shared, std::size_t index) {
  if (shared.slabs == nullptr || shared.slabs->carved == blocks_per_slab(index)) {
    slab* fresh = map_slab();
    if (fresh == nullptr) return {};
    fresh->next = shared.slabs;
    shared.slabs = fresh;
  }
  slab& from = *shared.slabs;
  auto* base = reinterpret_cast<std::byte*>(&from) + slab_header;
  std::uint32_t first = from.carved;
  std::uint32_t last = std::min(first + pool_batch, blocks_per_slab(index));
  from.carved = last;
  pool_block* head = nullptr;
  for (std::uint32_t i = last; i-- > first;)
    head = new (base + i * block_bytes(index)) pool_block{head};
  return {head, last - first};
}

struct thread_exit {
  ~thread_exit() { flush_pool(); }
};

void register_thread() {
  if (std::exchange(this_pool.registered, true)) return;
  static thread_local thread_exit flush_at_exit;
  (void)flush_at_exit;
}

void push_batch(size_class& shared, pool_block* head) {
  auto* batch = static_cast<batch_head*>(head);
  batch->next_batch = shared.batches;
  shared.batches = batch;
}

pool_block* cut_batch(pool_list& list) {
  pool_block* head = list.head;
  pool_block* tail = head;
  for (std::uint32_t i = 1; i < pool_batch; ++i) tail = tail->next;
  list.head = std::exchange(tail->next, nullptr);
  list.count -= pool_batch;
  return head;
}

}  // namespace

void* pool_refill(std::size_t index) noexcept {
  register_thread();
  size_class& shared = classes[index];
  pool_list& list = this_pool.lists[index];
  std::lock_guard hold(shared.lock);
  if (batch_head* batch = shared.batches) {
    shared.batches = batch->next_batch;
    list = {batch->next, pool_batch - 1};
    return batch;
  }
  pool_list fresh =
      shared.loose.count > 0 ? std::exchange(shared.loose, {}) : carve_blocks(shared, index);
  if (fresh.head == nullptr) return nullptr;
  list = {fresh.head->next, fresh.count - 1};
  return fresh.head;
}

void pool_spill(std::size_t index) noexcept {
  register_thread();
  pool_block* batch = cut_batch(this_pool.lists[index]);
  size_class& shared = classes[index];
  std::lock_guard hold(shared.lock);
  push_batch(shared, batch);
}

void flush_pool() noexcept {
  for (std::size_t index = 0; index < pool_classes; ++index) {
    pool_list& list = this_pool.lists[index];
    if (list.count == 0) continue;
    size_class& shared = classes[index];
    std::lock_guard hold(shared.lock);
    while (pool_block* block = list.head) {
      list.head = block->next;
      block->next = shared.loose.head;
      shared.loose.head = block;
      if (++shared.loose.count == pool_batch) push_batch(shared, cut_batch(shared.loose));
    }
    list.count = 0;
  }
}

std::size_t trim_pool() noexcept {
  std::size_t given_back = 0;
  for (std::size_t index = 0; index < pool_classes; ++index) {
    size_class& shared = classes[index];
    std::lock_guard hold(shared.lock);
    for (slab* s = shared.slabs; s != nullptr; s = s->next) s->free = 0;
    pool_block* all = nullptr;
    auto collect = [&](pool_block* block) {
      while (block != nullptr) {
        ++slab_of(block)->free;
        block = std::exchange(block->next, std::exchange(all, block));
      }
    };
    for (batch_head* batch = std::exchange(shared.batches, nullptr); batch != nullptr;) {
      batch_head* next = batch->next_batch;
      collect(batch);
      batch = next;
    }
    collect(std::exchange(shared.loose, {}).head);
    auto unused = [](slab* s) { return s->free == s->carved; };
    while (pool_block* block = all) {
      all = block->next;
      if (unused(slab_of(block))) continue;
      block->next = shared.loose.head;
      shared.loose.head = block;
      if (++shared.loose.count == pool_batch) push_batch(shared, cut_batch(shared.loose));
    }
    for (slab** link = &shared.slabs; *link != nullptr;) {
      if (!unused(*link)) {
        link = &(*link)->next;
        continue;
      }
      slab* dead = *link;
      *link = dead->next;
      unmap_slab(dead);
      given_back += slab_bytes;
    }
  }
  return given_back;
}

std::size_t pool_bytes() noexcept {
  return slabs_held.load(std::memory_order_relaxed) * slab_bytes;
}
void set_pool_limit(std::size_t bytes) noexcept {
  slab_limit.store(bytes, std::memory_order_relaxed);
}

void* pool_large(std::size_t bytes, std::size_t align) noexcept {
  // Mailboxes count on the granule (mail_word), which is more than malloc promises on 32-bit
  // machines.
  align = std::max(align, pool_granule);
  if (align <= alignof(std::max_align_t)) return std::malloc(bytes);
  return std::aligned_alloc(align, (bytes + align - 1) / align * align);
}

void pool_free_large(void* block, std::size_t, std::size_t) noexcept { std::free(block); }

void* pool_get(std::size_t bytes) noexcept {
  if (!pool_enabled || bytes > pool_bytes_max) return pool_large(bytes, pool_granule);
  std::size_t index = (bytes + pool_granule - 1) / pool_granule - 1;
  pool_list& list = this_pool.lists[index];
  if (pool_block* block = list.head) {
    list.head = block->next;
    --list.count;
    return block;
  }
  return pool_refill(index);
}

void pool_put(void* memory, std::size_t bytes) noexcept {
  if (!pool_enabled || bytes > pool_bytes_max) return std::free(memory);
  std::size_t index = (bytes + pool_granule - 1) / pool_granule - 1;
  pool_list& list = this_pool.lists[index];
  auto* block = static_cast<pool_block*>(memory);
  block->next = list.head;
  list.head = block;
  if (++list.count >= 2 * pool_batch) pool_spill(index);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
