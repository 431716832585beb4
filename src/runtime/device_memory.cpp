// SPDX-License-Identifier: Apache-2.0
#include "runtime/device_memory.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "compute/errors.hpp"
#include "ports/memory.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

using compute::memory_access;
using compute::memory_place;
using compute::operand;

namespace {

std::uintptr_t address(const std::byte* at) { return reinterpret_cast<std::uintptr_t>(at); }

/// What of bytes and around them the device can be given, or nothing: the program's memory comes in
/// pages, and what lies around those may be nobody's.
std::span<std::byte> pages_of(std::span<const std::byte> bytes, std::uint64_t alignment) {
  const std::uintptr_t first = address(bytes.data()), end = first + bytes.size();
  const auto a = static_cast<std::uintptr_t>(alignment);
  if (alignment > ports::page_bytes() && (first % a != 0 || end % a != 0)) return {};
  const std::uintptr_t from = first / a * a, to = (end + a - 1) / a * a;
  return {reinterpret_cast<std::byte*>(from), to - from};
}

bool is_idle(const std::shared_ptr<resident>& one, std::uint64_t waited) {
  return one.use_count() == 1 && one->last_ticket <= waited;
}

}  // namespace

device_memory::device_memory(compute::executor& on, memory_source& results)
    : on_(on), results_(results) {
  const std::uint64_t all = on.on().info().limits.memory_bytes;
  resident_bytes_max_ = all == 0 ? resident_bytes_default : all / 2;
  on_.when_short([this] { return drop_oldest(on_.finished()); });
}

std::shared_ptr<resident> device_memory::make_resident() const {
  auto one = std::make_shared<resident>();
  one->pressures = pressures_;
  return one;
}

const std::shared_ptr<resident>* device_memory::find(const buffer& memory) const {
  for (const auto& one : kept_)
    if (one->host.data() == memory.data() && one->host.size() == memory.size()) return &one;
  return nullptr;
}

void device_memory::keep(const std::shared_ptr<resident>& one) {
  one->last_use = ++uses_;
  std::lock_guard hold(lock_);
  kept_.push_back(one);
  figures_.resident_bytes += one->memory->bytes();
}

result<std::shared_ptr<resident>> device_memory::import(std::span<const std::byte> bytes,
                                                        memory_access access) {
  const std::uint64_t alignment = on_.on().info().limits.import_alignment;
  if (alignment == 0 || bytes.size() < import_bytes_min) return errc::unsupported;
  const std::span<std::byte> pages = pages_of(bytes, alignment);
  if (pages.empty()) return errc::unsupported;
  BEAMLET_TRY(auto made, on_.on().import(pages, access));
  auto one = make_resident();
  one->memory = std::move(made);
  one->begins = pages.data();
  std::lock_guard hold(lock_);
  figures_.imported_bytes += bytes.size();
  return one;
}

result<std::shared_ptr<resident>> device_memory::allocate(std::uint64_t bytes) {
  const bool is_unified = on_.on().info().features.unified_memory;
  const std::uint64_t size = std::max<std::uint64_t>(bytes, 1);
  auto one = make_resident();
  BEAMLET_TRY(one->memory,
              on_.allocate(size, is_unified ? memory_place::host : memory_place::device));
  if (!is_unified) {
    BEAMLET_TRY(one->staging, on_.allocate(size, memory_place::host));
  }
  return one;
}

result<std::shared_ptr<resident>> device_memory::copy_in(std::span<const std::byte> bytes,
                                                         std::uint64_t timeout_ns) {
  BEAMLET_TRY(auto one, allocate(bytes.size()));
  one->begins = bytes.data();
  if (bytes.empty()) return one;
  compute::device_buffer& to = one->staging != nullptr ? *one->staging : *one->memory;
  BEAMLET_TRY(std::byte * at, to.map(memory_access::write, timeout_ns));
  std::memcpy(at, bytes.data(), bytes.size());
  BEAMLET_TRY_VOID(to.unmap());
  if (one->staging != nullptr)
    BEAMLET_TRY_VOID(on_.work().copy({one->staging.get(), 0, bytes.size()},
                                     {one->memory.get(), 0, bytes.size()}));
  std::lock_guard hold(lock_);
  figures_.copied_bytes += bytes.size();
  return one;
}

result<operand_memory> device_memory::bring(const tensor& value, bool from_first,
                                            std::uint64_t timeout_ns) {
  operand_memory made;
  made.what.type = value.type();
  made.what.shape = value.shape();
  made.what.strides = value.strides();
  const buffer& memory = value.memory();
  const std::uint64_t alignment = on_.on().info().limits.binding_alignment;
  const auto fits = [&](const resident& one) {
    const std::uintptr_t offset = address(value.data()) - address(one.begins);
    return !from_first || offset == 0 || (alignment != 0 && offset % alignment == 0);
  };
  if (const auto* known = value.elements() != 0 ? find(memory) : nullptr)
    if (fits(**known)) made.in = *known;
  if (made.in == nullptr && value.elements() != 0) {
    auto imported = import(memory.bytes(), memory_access::read);
    if (imported.has_value() && fits(**imported)) {
      made.in = *std::move(imported);
      made.in->host = memory;
      keep(made.in);
    }
  }
  if (made.in == nullptr && value.elements() != 0 && !from_first) {
    BEAMLET_TRY(made.in, copy_in(memory.bytes(), timeout_ns));
    made.in->host = memory;
    keep(made.in);
  }
  if (made.in == nullptr) {  // its elements alone, for this work only
    const std::size_t bytes = value.elements() * value.type().bytes();
    BEAMLET_TRY(made.in, copy_in({value.data(), bytes}, timeout_ns));
  }
  made.in->last_use = ++uses_;
  if (value.elements() != 0)
    made.what.offset_bytes = static_cast<std::uint64_t>(value.data() - made.in->begins);
  return made;
}

result<device_memory::result_memory> device_memory::make_room(const compute::tensor_type& type) {
  BEAMLET_TRY(const std::size_t bytes, bytes_of_shape(type.type, type.shape));
  const std::uint64_t alignment =
      std::max<std::uint64_t>(on_.on().info().limits.import_alignment, 1);
  const bool is_large = bytes >= import_bytes_min && alignment <= ports::page_bytes();
  const std::size_t room =
      is_large ? (bytes + alignment - 1) / alignment * alignment : std::max<std::size_t>(bytes, 1);
  BEAMLET_TRY(auto builder, buffer_builder::make(room, results_));
  result_memory made{{operand::dense(type), nullptr}, std::move(builder)};
  auto imported = import(made.room.bytes(), memory_access::read_write);
  if (imported.has_value()) {
    made.made.in = *std::move(imported);
    made.made.what.offset_bytes =
        static_cast<std::uint64_t>(made.room.data() - made.made.in->begins);
  } else {
    BEAMLET_TRY(made.made.in, allocate(bytes));
    made.made.in->begins = made.room.data();
  }
  return made;
}

result<void> device_memory::record_copy_back(operand_memory& made) {
  if (made.in->staging == nullptr) return {};
  const std::uint64_t bytes = made.what.elements() * made.what.type.bytes();
  if (bytes == 0) return {};
  return on_.work().copy({made.in->memory.get(), 0, bytes}, {made.in->staging.get(), 0, bytes});
}

result<tensor> device_memory::take(result_memory made, const compute::tensor_type& type,
                                   std::uint64_t timeout_ns) {
  resident& one = *made.made.in;
  const std::size_t bytes = static_cast<std::size_t>(made.made.what.elements()) * type.type.bytes();
  compute::device_buffer& from = one.staging != nullptr ? *one.staging : *one.memory;
  if (bytes != 0) {
    BEAMLET_TRY(const std::byte* at, from.map(memory_access::read, timeout_ns));
    if (!one.memory->is_imported()) {
      std::memcpy(made.room.data(), at, bytes);
      std::lock_guard hold(lock_);
      figures_.copied_bytes += bytes;
    }
    BEAMLET_TRY_VOID(from.unmap());
  }
  one.staging = nullptr;
  one.host = std::move(made.room).freeze(bytes);
  BEAMLET_TRY(tensor value, tensor::make(one.host, type.type, type.shape));
  if (bytes != 0) keep(made.made.in);
  return value;
}

template <class F>
bool device_memory::drop_if(std::uint64_t waited, F&& wanted) {
  std::vector<std::shared_ptr<resident>> gone;  // their memory goes without the lock
  std::lock_guard hold(lock_);
  std::erase_if(kept_, [&](std::shared_ptr<resident>& one) {
    if (!is_idle(one, waited) || !wanted(*one)) return false;
    figures_.resident_bytes -= one->memory->bytes();
    gone.push_back(std::move(one));
    return true;
  });
  return !gone.empty();
}

bool device_memory::drop_oldest(std::uint64_t waited) {
  std::uint64_t oldest = UINT64_MAX;
  for (const auto& one : kept_)
    if (is_idle(one, waited)) oldest = std::min(oldest, one->last_use);
  return drop_if(waited, [&](const resident& one) { return one.last_use == oldest; });
}

void device_memory::evict(std::uint64_t waited) {
  for (const auto& one : kept_)
    if (is_idle(one, waited)) one->staging = nullptr;
  drop_if(waited, [&](const resident& one) {
    return one.pressures != pressures_ || is_last_holder(one.host);
  });
  const auto is_too_much = [&] {
    return figures_.resident_bytes > resident_bytes_max_ || kept_.size() > residents_max;
  };
  while (is_too_much() && drop_oldest(waited)) continue;
}

void device_memory::let_go(std::uint64_t waited) {
  ++pressures_;
  evict(waited);
}

std::uint64_t device_memory::missing_bytes(const tensor& value) const {
  {
    std::lock_guard hold(lock_);
    if (find(value.memory()) != nullptr) return 0;
  }
  const std::uint64_t bytes = value.memory().size();
  const bool imports = on_.on().info().limits.import_alignment != 0 && bytes >= import_bytes_min;
  return imports ? 0 : bytes;
}

device_memory_figures device_memory::figures() const {
  std::lock_guard hold(lock_);
  return figures_;
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
