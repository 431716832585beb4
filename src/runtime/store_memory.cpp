// SPDX-License-Identifier: Apache-2.0
#include "runtime/store_memory.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <new>

#include "runtime/agent_engine.hpp"
#include "runtime/core.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {
constexpr base::time_ns allocate_wait_ns = 60'000'000'000;
constexpr std::size_t line_bytes = 64;  // what blocks below a page are aligned to
}  // namespace

/// What stands behind a buffer of the store. It may outlive runtime and engine.
struct store_memory::block {
  std::shared_ptr<node::session> session;
  node::block memory;
  std::atomic<bool> is_object{false};

  static void drop(void* keeper) {
    if (static_cast<block*>(keeper)->session->forked()) return;
    std::unique_ptr<block> gone(static_cast<block*>(keeper));
    gone->session->free(gone->memory);
  }
};

result<memory_block> store_memory::allocate(std::size_t bytes, std::size_t align) {
  if (bytes > std::numeric_limits<std::size_t>::max() - trailer_bytes_max)
    return error(errc::too_large, error_layer::runtime);
  // Only large blocks lie on pages.
  const std::size_t least = align > line_bytes ? buffer_builder::page_bytes_min : 0;
  auto room = session_->allocate(std::max(least, bytes + trailer_bytes_max), allocate_wait_ns);
  if (!room.has_value()) {
    if (session_->lost()) return heap_memory().allocate(bytes, align);
    return std::move(room).error();
  }
  auto* made = new (std::nothrow) block{session_, *room};
  if (made != nullptr) return memory_block{room->data, bytes, block::drop, made};
  session_->free(*room);
  return error(errc::no_memory, error_layer::runtime);
}

/// The block of a payload, once: behind it there is room for one trailer.
store_memory::block* store_memory::claim(const buffer& payload) const {
  const sched::held_bytes* held = memory_of(payload);
  if (held == nullptr || held->drop != block::drop) return nullptr;
  auto* own = static_cast<block*>(held->keeper);
  if (own->session != session_ || own->is_object.exchange(true)) return nullptr;
  return own;
}

node::made store_memory::object_of(const placed_value& value) {
  const auto payload = value.payload.bytes(), trailer = value.trailer_bytes();
  node::made made;
  made.size = payload.size() + trailer.size();
  if (made.size <= session_->inline_max()) {
    made.inline_bytes.assign(payload.begin(), payload.end());
    made.inline_bytes.insert(made.inline_bytes.end(), trailer.begin(), trailer.end());
    return made;
  }
  block* own = claim(value.payload);
  if (own == nullptr) return copy_of(payload, trailer);
  std::ranges::copy(trailer, own->memory.data + payload.size());
  made.place = own->memory;
  made.kept = true;
  return made;
}

node::made store_memory::copy_of(std::span<const std::byte> payload,
                                 std::span<const std::byte> trailer) {
  const std::size_t size = payload.size() + trailer.size();
  auto room = session_->allocate(size, allocate_wait_ns);
  if (!room.has_value()) return {.why = std::move(room).error()};
  std::ranges::copy(trailer, std::ranges::copy(payload, room->data).out);
  return {.place = *room, .size = size};
}

}  // namespace detail

memory_source& runtime_handle::memory() const {
  // An engine of the program's own has no memory of its own.
  if (!detail::ensure_agent(scheduler()).has_value() || core_->agent == nullptr)
    return heap_memory();
  return core_->agent->memory();
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
