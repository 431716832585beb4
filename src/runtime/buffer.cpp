// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/buffer.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "beamlet/base/panic.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {
constexpr std::size_t buffer_align = 64, buffer_page_align = 4096;

template <std::size_t Align>
void free_aligned(void* data) {
  ::operator delete(data, std::align_val_t(Align));
}

class heap_source final : public memory_source {
 public:
  result<memory_block> allocate(std::size_t bytes, std::size_t align) override {
    if (bytes > static_cast<std::size_t>(PTRDIFF_MAX) - buffer_page_align)
      return error(errc::too_large, error_layer::runtime);
    return align <= buffer_align ? take<buffer_align>(bytes) : take<buffer_page_align>(bytes);
  }

 private:
  template <std::size_t Align>
  static result<memory_block> take(std::size_t bytes) {
    void* data = ::operator new(bytes, std::align_val_t(Align), std::nothrow);
    if (data == nullptr) return error(errc::no_memory, error_layer::runtime);
    return memory_block{static_cast<std::byte*>(data), bytes, free_aligned<Align>, data};
  }
};
}  // namespace

memory_source& heap_memory() noexcept {
  static constinit heap_source heap;
  return heap;
}

void detail::drop_memory(counted_memory* memory) noexcept {
  if (memory->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (memory->held.drop != nullptr) memory->held.drop(memory->held.keeper);
  delete memory;
}

result<buffer> buffer::copy_of(std::span<const std::byte> bytes, memory_source& source) {
  BEAMLET_TRY(auto copy, buffer_builder::make(bytes.size(), source));
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return std::move(copy).freeze();
}

result<buffer> buffer::adopt(const sched::held_bytes& held) noexcept {
  auto* memory = new (std::nothrow) detail::counted_memory;
  if (memory == nullptr) return error(errc::no_memory, error_layer::runtime);
  memory->held = held;
  memory->used = held.size;
  return buffer(memory, held.data, held.size);
}

buffer buffer::slice(std::size_t from, std::size_t count) const noexcept {
  BEAMLET_ASSERT(from <= part_.size && count <= part_.size - from,
                 "a slice lies inside its buffer");
  buffer part = *this;
  if (from != 0) part.part_.data += from;
  part.part_.size = count;
  return part;
}

bool operator==(const buffer& a, const buffer& b) noexcept {
  return a.size() == b.size() && (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

const sched::held_bytes* detail::memory_of(const buffer& whole) noexcept {
  const counted_memory* memory = whole.part_.memory;
  if (memory == nullptr || whole.data() != memory->held.data || whole.size() != memory->used)
    return nullptr;
  return &memory->held;
}

bool detail::is_last_holder(const buffer& one) noexcept {
  const counted_memory* memory = one.part_.memory;
  return memory == nullptr || memory->references.load(std::memory_order_acquire) == 1;
}

result<buffer_builder> buffer_builder::make(std::size_t bytes, memory_source& source) {
  std::unique_ptr<detail::counted_memory> memory(new (std::nothrow) detail::counted_memory);
  if (memory == nullptr) return error(errc::no_memory, error_layer::runtime);
  const std::size_t align = bytes < page_bytes_min ? buffer_align : buffer_page_align;
  BEAMLET_TRY(memory_block block, source.allocate(bytes, align));
  BEAMLET_ASSERT(block.size >= bytes && reinterpret_cast<std::uintptr_t>(block.data) % align == 0,
                 "a memory source gives what was asked for");
  memory->held = {block.data, block.size, block.drop, block.keeper};
  return buffer_builder(memory.release(), block.data, bytes);
}

buffer buffer_builder::freeze(std::size_t bytes) && noexcept {
  BEAMLET_ASSERT(bytes <= part_.size, "what is frozen was there");
  auto all = std::move(part_);
  if (all.memory != nullptr) all.memory->used = bytes;
  return buffer(std::exchange(all.memory, nullptr), all.data, bytes);
}

void detail::encode_placed(writer& out, const result<placed_value>& value) {
  if (!value.has_value()) return out.fail(value.error());
  out.count(value->payload.size() + value->trailer_size);
  out.bytes(value->payload.bytes());
  out.bytes(value->trailer_bytes());
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
