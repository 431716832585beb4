// SPDX-License-Identifier: Apache-2.0
#include "compute/opencl/opencl_device.hpp"

#include <cstring>
#include <new>

#include "compute/opencl/buffer.hpp"
#include "compute/opencl/program.hpp"
#include "compute/opencl/queue.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr base::time_ns import_test_ns_max = 5'000'000'000;

// A copy on the device, and its end.
result<void> copy_and_wait(device_queue& work, device_buffer& from, device_buffer& to) {
  BEAMLET_TRY_VOID(work.copy({&from, 0, from.bytes()}, {&to, 0, to.bytes()}));
  BEAMLET_TRY(const std::uint64_t ticket, work.submit());
  return work.wait(ticket, import_test_ns_max);
}

bool all_bytes_are(const std::byte* from, std::size_t count, std::byte value) {
  return from[0] == value && std::memcmp(from, from + 1, count - 1) == 0;
}

}  // namespace

result<void> opencl_device::open() {
  BEAMLET_TRY_VOID(at_.open());
  if (at_.info.limits.import_alignment == 0) return {};
  BEAMLET_TRY(const bool in_place, imports_in_place());
  if (!in_place) at_.info.limits.import_alignment = 0;
  return {};
}

// A driver may answer CL_MEM_USE_HOST_PTR with a copy that it brings up to date when the buffer is
// mapped. So a page is written after it was imported, and read without being mapped.
result<bool> opencl_device::imports_in_place() {
  struct aligned_page {
    std::size_t bytes;
    std::byte* data =
        static_cast<std::byte*>(::operator new(bytes, std::align_val_t(bytes), std::nothrow));
    ~aligned_page() { ::operator delete(data, std::align_val_t(bytes)); }
  };
  aligned_page page{static_cast<std::size_t>(at_.info.limits.import_alignment)};
  if (page.data == nullptr) return at_.refuse(errc::no_memory, "no memory for a page");
  std::memset(page.data, 1, page.bytes);
  auto imported = opencl_buffer::import(at_, {page.data, page.bytes}, memory_access::read_write);
  if (!imported.has_value()) return false;
  BEAMLET_TRY(auto other, opencl_buffer::allocate(at_, page.bytes, memory_place::host));
  BEAMLET_TRY(auto work, make_queue());

  std::memset(page.data, 2, page.bytes);
  BEAMLET_TRY_VOID(copy_and_wait(*work, **imported, *other));
  BEAMLET_TRY(const std::byte* seen, other->map(memory_access::read, import_test_ns_max));
  const bool reads = all_bytes_are(seen, page.bytes, std::byte{2});
  BEAMLET_TRY_VOID(other->unmap());

  BEAMLET_TRY(std::byte * to, other->map(memory_access::write, import_test_ns_max));
  std::memset(to, 3, page.bytes);
  BEAMLET_TRY_VOID(other->unmap());
  BEAMLET_TRY_VOID(copy_and_wait(*work, *other, **imported));
  return reads && all_bytes_are(page.data, page.bytes, std::byte{3});
}

result<std::unique_ptr<device_buffer>> opencl_device::allocate(std::uint64_t bytes,
                                                               memory_place place) {
  BEAMLET_TRY(std::unique_ptr<device_buffer> made, opencl_buffer::allocate(at_, bytes, place));
  return made;
}

result<std::unique_ptr<device_buffer>> opencl_device::import(std::span<std::byte> memory,
                                                             memory_access access) {
  const std::uint64_t alignment = at_.info.limits.import_alignment;
  if (alignment == 0)
    return at_.refuse(errc::unsupported, "it works in a copy of the program's memory");
  if (memory.empty() || memory.size() % alignment != 0 ||
      reinterpret_cast<std::uintptr_t>(memory.data()) % alignment != 0)
    return at_.refuse(errc::invalid_argument, "imported memory begins and ends at multiples of " +
                                                  std::to_string(alignment));
  BEAMLET_TRY(std::unique_ptr<device_buffer> made, opencl_buffer::import(at_, memory, access));
  return made;
}

result<std::unique_ptr<kernel>> opencl_device::compile(const kernel_source& source,
                                                       const kernel_constants& constants) {
  BEAMLET_TRY(std::unique_ptr<kernel> made, opencl_kernel::compile(at_, source, constants));
  return made;
}

result<std::unique_ptr<device_queue>> opencl_device::make_queue() {
  BEAMLET_TRY(auto made, at_.make_queue());
  return std::unique_ptr<device_queue>(new opencl_queue(at_, std::move(made)));
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
