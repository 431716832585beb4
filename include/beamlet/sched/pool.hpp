// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory for cells and coroutine frames: free lists per thread and size class that hand whole
// batches to a shared list, so that a producer and a consumer on two threads do not grow without
// end. Slabs whose blocks are all free go back to the system in `trim_pool`.

#include <beamlet/config.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

inline constexpr std::size_t pool_granule = 16;
inline constexpr std::size_t pool_classes = 32;  // up to 512 bytes; larger blocks come from malloc
inline constexpr std::size_t pool_bytes_max = pool_granule * pool_classes;
inline constexpr std::uint32_t pool_batch = 128;
inline constexpr bool pool_enabled = BEAMLET_MEMORY_IS_WATCHED == 0;

struct pool_block {
  pool_block* next;
};

struct pool_list {
  pool_block* head;
  std::uint32_t count;
};

/// The free lists of one thread. Trivial, so that reaching it needs no guard.
struct pool_cache {
  pool_list lists[pool_classes];
  bool registered;
};
extern thread_local constinit pool_cache this_pool;

/// Slow paths: fetch a batch, hand a batch over, blocks above `pool_bytes_max`.
void* pool_refill(std::size_t index) noexcept;
void pool_spill(std::size_t index) noexcept;
void* pool_large(std::size_t bytes, std::size_t align) noexcept;
void pool_free_large(void* block, std::size_t bytes, std::size_t align) noexcept;

/// Gives slabs without a used block back to the system; returns the bytes given back.
///
/// Thread: any.   Blocks: briefly, others that refill meanwhile.   Cost: linear in the free blocks.
std::size_t trim_pool() noexcept;
/// Hands this thread's free blocks to the shared lists.
void flush_pool() noexcept;
/// Bytes of slabs held, used or not.
std::size_t pool_bytes() noexcept;
/// A bound on the slabs of the process; allocation past it fails. 0: none.
void set_pool_limit(std::size_t bytes) noexcept;

/// Null when there is no memory. Aligned to 16 bytes, or to `Align` when that is more.
template <std::size_t Bytes, std::size_t Align>
inline void* pool_get() noexcept {
  if constexpr (!pool_enabled || Bytes > pool_bytes_max || Align > pool_granule) {
    return pool_large(Bytes, Align);
  } else {
    constexpr std::size_t index = (Bytes + pool_granule - 1) / pool_granule - 1;
    pool_list& list = this_pool.lists[index];
    if (pool_block* block = list.head) {
      list.head = block->next;
      --list.count;
      return block;
    }
    return pool_refill(index);
  }
}

template <std::size_t Bytes, std::size_t Align>
inline void pool_put(void* memory) noexcept {
  if constexpr (!pool_enabled || Bytes > pool_bytes_max || Align > pool_granule) {
    pool_free_large(memory, Bytes, Align);
  } else {
    constexpr std::size_t index = (Bytes + pool_granule - 1) / pool_granule - 1;
    pool_list& list = this_pool.lists[index];
    auto* block = static_cast<pool_block*>(memory);
    block->next = list.head;
    list.head = block;
    if (++list.count >= 2 * pool_batch) pool_spill(index);
  }
}

/// The same for sizes that are known at run time only (coroutine frames).
void* pool_get(std::size_t bytes) noexcept;
void pool_put(void* memory, std::size_t bytes) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
