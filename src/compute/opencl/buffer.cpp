// SPDX-License-Identifier: Apache-2.0
#include "compute/opencl/buffer.hpp"

#include <algorithm>
#include <string>
#include <utility>

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr std::uintptr_t mapped_alignment = 16;  // of device_buffer::map()

result<std::size_t> size_of_buffer(const opencl_context& at, std::uint64_t bytes) {
  const std::uint64_t most = at.info.limits.buffer_bytes_max;
  if (bytes > most || !std::in_range<std::size_t>(bytes))
    return at.refuse(errc::too_large, "a buffer of " + std::to_string(bytes) +
                                          " bytes is more than it allocates at once (" +
                                          std::to_string(most) + ")");
  return static_cast<std::size_t>(std::max<std::uint64_t>(bytes, 1));
}

cl_map_flags flags_of(memory_access access) noexcept {
  switch (access) {
    case memory_access::read: return CL_MAP_READ;
    case memory_access::write: return CL_MAP_WRITE_INVALIDATE_REGION;
    case memory_access::read_write: break;
  }
  return CL_MAP_READ | CL_MAP_WRITE;
}

}  // namespace

opencl_buffer::opencl_buffer(opencl_context& at, opencl_owned<cl_mem> memory, std::uint64_t bytes,
                             bool mappable, bool imported) noexcept
    : device_buffer(bytes, mappable, imported), at_(&at), memory_(std::move(memory)) {}

result<std::unique_ptr<opencl_buffer>> opencl_buffer::allocate(opencl_context& at,
                                                               std::uint64_t bytes,
                                                               memory_place place) {
  BEAMLET_TRY_VOID(at.check());
  BEAMLET_TRY(const std::size_t size, size_of_buffer(at, bytes));
  const bool mappable = place == memory_place::host || at.info.features.unified_memory;
  cl_int rc = CL_SUCCESS;
  cl_mem made = at.driver().clCreateBuffer(
      at.handle(), CL_MEM_READ_WRITE | (mappable ? CL_MEM_ALLOC_HOST_PTR : 0), size, nullptr, &rc);
  BEAMLET_TRY_VOID(at.check(rc, opencl_step::make, "clCreateBuffer"));
  return std::unique_ptr<opencl_buffer>(
      new opencl_buffer(at, at.own(made, at.driver().clReleaseMemObject), bytes, mappable, false));
}

result<std::unique_ptr<opencl_buffer>> opencl_buffer::import(opencl_context& at,
                                                             std::span<std::byte> memory,
                                                             memory_access access) {
  BEAMLET_TRY_VOID(at.check());
  BEAMLET_TRY(const std::size_t size, size_of_buffer(at, memory.size()));
  cl_int rc = CL_SUCCESS;
  const bool is_constant = access == memory_access::read;
  cl_mem made = at.driver().clCreateBuffer(
      at.handle(), CL_MEM_USE_HOST_PTR | (is_constant ? CL_MEM_READ_ONLY : CL_MEM_READ_WRITE), size,
      memory.data(), &rc);
  BEAMLET_TRY_VOID(at.check(rc, opencl_step::make, "clCreateBuffer of the program's memory"));
  return std::unique_ptr<opencl_buffer>(new opencl_buffer(
      at, at.own(made, at.driver().clReleaseMemObject), memory.size(), true, true));
}

opencl_buffer::~opencl_buffer() {
  bool ended = true;
  if (map_ != nullptr) ended = at_->wait(map_.get(), queue_end_ns_max).has_value();
  if (ended && address_ != nullptr) ended = unmap().has_value();
  if (ended && unmap_ != nullptr) ended = at_->wait(unmap_.get(), queue_end_ns_max).has_value();
  at_->retire(std::move(map_));
  at_->retire(std::move(unmap_));
  if (ended) return;
  at_->abandon();
  (void)memory_.release();
}

result<std::byte*> opencl_buffer::map(memory_access access, base::time_ns timeout_ns) {
  if (!is_mappable())
    return at_->refuse(errc::unsupported, "memory of the device alone cannot be mapped");
  BEAMLET_TRY_VOID(at_->check());
  const cl_map_flags flags = flags_of(access);
  if (map_ == nullptr) {
    cl_int rc = CL_SUCCESS;
    cl_event event = nullptr;
    const auto size = static_cast<std::size_t>(std::max<std::uint64_t>(bytes(), 1));
    void* address = at_->driver().clEnqueueMapBuffer(at_->transfers(), handle(), CL_FALSE, flags, 0,
                                                     size, 0, nullptr, &event, &rc);
    BEAMLET_TRY_VOID(at_->check(rc, opencl_step::work, "clEnqueueMapBuffer"));
    map_ = at_->own(event);
    address_ = address;
    mapped_for_ = flags;
    BEAMLET_TRY_VOID(
        at_->check(at_->driver().clFlush(at_->transfers()), opencl_step::work, "clFlush"));
  } else if (flags != mapped_for_) {  // after a time-out
    return at_->refuse(errc::busy, "the buffer is being mapped in another way");
  }
  const auto ended = at_->wait(map_.get(), timeout_ns);
  if (!ended.has_value() && ended.error().code() == errc::timeout) return ended.error();
  at_->retire(std::move(map_));
  if (!ended.has_value()) {
    address_ = nullptr;
    return ended.error();
  }
  if (address_ == nullptr || reinterpret_cast<std::uintptr_t>(address_) % mapped_alignment != 0)
    return at_->refuse(errc::unsupported,
                       "the driver maps at an address that is no multiple of 16");
  return static_cast<std::byte*>(address_);
}

result<void> opencl_buffer::unmap() {
  cl_event event = nullptr;
  BEAMLET_TRY_VOID(at_->check());
  BEAMLET_TRY_VOID(at_->check(
      at_->driver().clEnqueueUnmapMemObject(at_->transfers(), handle(),
                                            std::exchange(address_, nullptr), 0, nullptr, &event),
      opencl_step::work, "clEnqueueUnmapMemObject"));
  at_->retire(std::exchange(unmap_, at_->own(event)));
  return at_->check(at_->driver().clFlush(at_->transfers()), opencl_step::work, "clFlush");
}

result<cl_event> opencl_buffer::unfinished_unmap() {
  if (unmap_ == nullptr) return cl_event{nullptr};
  BEAMLET_TRY(const bool ended, at_->has_ended(unmap_.get()));
  if (ended) at_->retire(std::move(unmap_));
  return unmap_.get();
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
