// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "compute/backend.hpp"
#include "compute/vulkan/batch.hpp"
#include "compute/vulkan/memory.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Launches that touch nothing of one another run side by side: a barrier comes before the first
/// that does.
class vulkan_queue final : public device_queue {
 public:
  vulkan_queue(vulkan_core& core, VkQueue handle) noexcept : core_(&core), handle_(handle) {}
  ~vulkan_queue() override;

  result<void> launch(const kernel& what, const kernel_launch& how) override;
  result<void> copy(const binding& from, const binding& to) override;
  result<std::uint64_t> submit() override;
  result<void> wait(std::uint64_t ticket, base::time_ns timeout_ns) override;
  device_span span_of(std::uint64_t ticket) const noexcept override;

 private:
  // A part of memory since the last barrier: in a buffer, or of the program's own by its address.
  struct touch {
    const void* memory;
    std::uint64_t begin, end;
    bool is_written;
  };
  struct past_span {
    std::uint64_t ticket = 0;
    device_span when;
  };

  result<void> check(const vulkan_kernel& what, const kernel_launch& how) const;
  result<void> check(const binding& one, std::uint64_t bytes_max, std::uint64_t alignment) const;
  result<vulkan_batch*> recording();
  void touch_all(std::span<const touch> parts);
  static touch part_of(const binding& what, bool is_written) noexcept;
  void take_back(std::uint64_t ticket_max);

  static constexpr std::size_t spans_kept = 16;

  vulkan_core* core_;
  VkQueue handle_;
  std::uint64_t submitted_ = 0, done_ = 0;
  std::unique_ptr<vulkan_batch> current_;
  std::vector<std::unique_ptr<vulkan_batch>> running_, free_;  ///< in order; for use
  std::vector<touch> touched_;
  std::array<past_span, spans_kept> spans_{};
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
