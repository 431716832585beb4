// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "compute/backend.hpp"
#include "compute/opencl/context.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

class opencl_buffer final : public device_buffer {
 public:
  /// Memory of the driver's choice.   Errors: as device::allocate().
  static result<std::unique_ptr<opencl_buffer>> allocate(opencl_context& at, std::uint64_t bytes,
                                                         memory_place place);
  /// The program's memory. Whether the driver works in it or in a copy is not looked at.
  /// Errors: as device::import().
  static result<std::unique_ptr<opencl_buffer>> import(opencl_context& at,
                                                       std::span<std::byte> memory,
                                                       memory_access access);
  ~opencl_buffer() override;

  cl_mem handle() const noexcept { return memory_.get(); }
  result<std::byte*> map(memory_access access, base::time_ns timeout_ns) override;
  result<void> unmap() override;

  /// The command, under way on another queue, that work with this buffer has to wait for; or null.
  /// Errors: device_lost.
  result<cl_event> unfinished_unmap();

 private:
  opencl_buffer(opencl_context& at, opencl_owned<cl_mem> memory, std::uint64_t bytes, bool mappable,
                bool imported) noexcept;

  opencl_context* at_;
  opencl_owned<cl_mem> memory_;
  void* address_ = nullptr;             // while it is mapped, or is about to be
  cl_map_flags mapped_for_ = 0;         // of the mapping that is under way
  opencl_owned<cl_event> map_, unmap_;  // under way, or not yet seen to have ended
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
