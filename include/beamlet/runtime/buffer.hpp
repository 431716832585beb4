// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes that are written once and then shared: a `buffer_builder` has them alone, `freeze` makes a
// `buffer` of them without a copy. Where they lie is their source's business: on the heap, or in
// the object store, where a buffer becomes an object without a copy, too.

#include <beamlet/base/codec_core.hpp>
#include <beamlet/sched/extra.hpp>

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// Memory that a source gave. `drop(keeper)` gives it back: once, on any thread.
struct memory_block {
  std::byte* data = nullptr;
  std::size_t size = 0;  ///< at least what was asked for
  void (*drop)(void* keeper) = nullptr;
  void* keeper = nullptr;
};

/// Where builders get their memory from.
///
/// Thread: any.   Lifetime: outlives the builders' `make`; blocks may outlive it.
class memory_source {
 public:
  /// Not cleared. `align` is a power of two, at most 4096.
  /// Blocks: as the source says.   Errors: no_memory, too_large, and what the source adds.
  virtual result<memory_block> allocate(std::size_t bytes, std::size_t align) = 0;

 protected:
  ~memory_source() = default;
};

/// The process's heap. Blocks: no.   Errors: no_memory, too_large.
memory_source& heap_memory() noexcept;

class buffer;

namespace detail {
/// What all buffers of one memory share.
struct counted_memory {
  std::atomic<std::size_t> references{1};
  sched::held_bytes held;
  std::size_t used = 0;  // what was frozen of it
};
void drop_memory(counted_memory* memory) noexcept;

/// A count of some memory, and which part of it is meant.
template <class Byte>
struct memory_part {
  counted_memory* memory = nullptr;
  Byte* data = nullptr;
  std::size_t size = 0;

  memory_part() noexcept = default;
  memory_part(counted_memory* taken, Byte* from, std::size_t bytes) noexcept
      : memory(taken), data(from), size(bytes) {}
  memory_part(const memory_part& other) noexcept
      : memory(other.memory), data(other.data), size(other.size) {
    if (memory != nullptr) memory->references.fetch_add(1, std::memory_order_relaxed);
  }
  memory_part(memory_part&& other) noexcept
      : memory(std::exchange(other.memory, nullptr)),
        data(std::exchange(other.data, nullptr)),
        size(std::exchange(other.size, 0)) {}
  memory_part& operator=(memory_part other) noexcept {
    std::swap(memory, other.memory);
    std::swap(data, other.data);
    std::swap(size, other.size);
    return *this;
  }
  ~memory_part() {
    if (memory != nullptr) drop_memory(memory);
  }
};

/// For who publishes memory of its own source in place: the block behind `whole`. Null when the
/// buffer is not all that was frozen of it: then others may read what lies behind the buffer.
const sched::held_bytes* memory_of(const buffer& whole) noexcept;
/// Whether no other buffer shares its memory now.
bool is_last_holder(const buffer& one) noexcept;
}  // namespace detail

/// Immutable bytes, counted: copies and slices share them.
///
/// Thread: a value type; copies may be used and dropped on any thread.   Cost of a copy: one atomic
/// addition.   Lifetime: pointers into it are valid as long as a copy or slice lives.
class buffer {
 public:
  buffer() noexcept = default;

  /// A copy of its own.   Errors: those of the source.
  static result<buffer> copy_of(std::span<const std::byte> bytes,
                                memory_source& source = heap_memory());

  /// Bytes that somebody else keeps. Nobody writes to them any more; the last buffer calls `drop`.
  /// Errors: no_memory; then `held` is still the caller's.
  static result<buffer> adopt(const sched::held_bytes& held) noexcept;

  const std::byte* data() const noexcept { return part_.data; }
  std::size_t size() const noexcept { return part_.size; }
  bool empty() const noexcept { return part_.size == 0; }
  std::span<const std::byte> bytes() const noexcept { return {part_.data, part_.size}; }

  /// A part of it, without a copy.   REQUIRES: from + count <= size().
  buffer slice(std::size_t from, std::size_t count) const noexcept;

  /// The same bytes, wherever they lie.
  friend bool operator==(const buffer& a, const buffer& b) noexcept;

 private:
  friend class buffer_builder;
  friend const sched::held_bytes* detail::memory_of(const buffer& whole) noexcept;
  friend bool detail::is_last_holder(const buffer& one) noexcept;
  buffer(detail::counted_memory* taken, const std::byte* data, std::size_t size) noexcept
      : part_(taken, data, size) {}

  detail::memory_part<const std::byte> part_;
};

/// Bytes while they are written. Not cleared; they start at a multiple of 64, and on a page from
/// `page_bytes_min` on, so that a device can map them.
///
/// Thread: one at a time.
class buffer_builder {
 public:
  static constexpr std::size_t page_bytes_min = std::size_t{64} << 10;

  /// Errors: those of the source.
  static result<buffer_builder> make(std::size_t bytes, memory_source& source = heap_memory());
  buffer_builder(buffer_builder&&) noexcept = default;
  buffer_builder& operator=(buffer_builder&&) noexcept = default;

  std::byte* data() noexcept { return part_.data; }
  std::size_t size() const noexcept { return part_.size; }
  std::span<std::byte> bytes() noexcept { return {part_.data, part_.size}; }

  /// Nothing is written any more.   Cost: no copy.
  buffer freeze() && noexcept { return std::move(*this).freeze(part_.size); }
  /// The first so many bytes.   REQUIRES: bytes <= size().
  buffer freeze(std::size_t bytes) && noexcept;

 private:
  buffer_builder(detail::counted_memory* taken, std::byte* data, std::size_t size) noexcept
      : part_(taken, data, size) {}

  detail::memory_part<std::byte> part_;
};

namespace detail {
/// What lies behind the payload of a value that is an object by itself; a source of object memory
/// leaves so much room.
inline constexpr std::size_t trailer_bytes_max = 140;

/// A value as an object by itself: the payload as it lies, right behind it the trailer, and no copy
/// of the payload where it lies in the object's memory already.
struct placed_value {
  buffer payload;
  std::array<std::byte, trailer_bytes_max> trailer;
  std::size_t trailer_size = 0;
  std::span<const std::byte> trailer_bytes() const noexcept {
    return {trailer.data(), trailer_size};
  }
};

/// Of a buffer there is no trailer: the object is its bytes.
inline result<placed_value> place(const buffer& value) {
  return result<placed_value>(std::in_place, placed_value{value, {}, 0});
}

/// As a part of something larger: the same bytes, their number before them.
void encode_placed(writer& out, const result<placed_value>& value);
}  // namespace detail

template <>
struct codec<buffer> {
  static void encode(writer& out, const buffer& value) {
    detail::encode_placed(out, detail::place(value));
  }
  static result<buffer> decode(reader& in) { return buffer::copy_of(in.bytes(in.count())); }
  static void name(std::string& out) { out += "buffer"; }

  static result<detail::placed_value> place(const buffer& value) { return detail::place(value); }
  static result<buffer> open(const sched::held_bytes& held) { return buffer::adopt(held); }
};

/// Types whose values are objects by themselves, read where they lie: `place` says of what bytes,
/// `open` is the value that such bytes are. On success it keeps `held`, else that is still the
/// caller's.
template <class T>
concept placeable = encodable<T> && requires(const T& value, const sched::held_bytes& held) {
  { codec<T>::place(value) } -> std::same_as<result<detail::placed_value>>;
  { codec<T>::open(held) } -> std::same_as<result<T>>;
};
static_assert(placeable<buffer>);

}  // namespace BEAMLET_ABI
}  // namespace beamlet
