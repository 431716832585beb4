// SPDX-License-Identifier: Apache-2.0
#pragma once

// The program's tensors in a device's memory: in place where the device can work in the program's
// memory, else as copies, which stay for the next work that needs them.

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "beamlet/runtime/tensor.hpp"
#include "compute/executor.hpp"
#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// Some of the program's memory, as the device has it.
struct resident {
  buffer host;  // kept, so that no other memory gets its address; empty while a result is made
  std::unique_ptr<compute::device_buffer> memory;
  std::unique_ptr<compute::device_buffer> staging;  // of a device with memory of its own
  const std::byte* begins = nullptr;                // what the device's first byte is a copy of
  std::uint64_t last_ticket = 0;                    // that uses it
  std::uint64_t last_use = 0;
  std::uint64_t pressures = 0;  // that there were before it
};

struct operand_memory {
  compute::operand what;
  std::shared_ptr<resident> in;
};

struct device_memory_figures {
  std::uint64_t resident_bytes = 0, imported_bytes = 0, copied_bytes = 0;
};

/// Thread: the lane's; missing_bytes() and figures(): any.
class device_memory {
 public:
  /// Smaller objects are copied: they share their pages with others.
  static constexpr std::size_t import_bytes_min = std::size_t{64} << 10;
  static constexpr std::size_t residents_max = 1024;
  static constexpr std::uint64_t resident_bytes_default = std::uint64_t{512} << 20;

  /// `results`: where the memory of results comes from.
  /// Lifetime: goes after `on`, which asks it for room.
  device_memory(compute::executor& on, memory_source& results);

  /// A tensor of the program's. `from_first`: the device's memory begins with its first element.
  /// Blocks: where the device maps memory, no longer than `timeout_ns`.
  /// Errors: no_memory, too_large, device_lost, timeout.
  result<operand_memory> bring(const tensor& value, bool from_first, std::uint64_t timeout_ns);

  /// A result while it is made, with room in the program's memory.
  struct result_memory {
    operand_memory made;
    buffer_builder room;
  };
  result<result_memory> make_room(const compute::tensor_type& type);
  /// Copies what has to be copied, behind the work that makes it.
  result<void> record_copy_back(operand_memory& made);
  /// REQUIRES: the work that makes it, and that uses it, has been waited for.
  result<tensor> take(result_memory made, const compute::tensor_type& type,
                      std::uint64_t timeout_ns);

  /// Lets go of what nobody but this holds, of what let_go() found in use, and of the least
  /// recently used where it is too much.   `waited`: work up to this ticket is over.
  void evict(std::uint64_t waited);
  /// Lets go of everything that is here now: what is in use, at the first evict() after that.
  void let_go(std::uint64_t waited);

  std::uint64_t missing_bytes(const tensor& value) const;
  device_memory_figures figures() const;

 private:
  std::shared_ptr<resident> make_resident() const;
  /// REQUIRES: the lock, on other threads than the lane's.
  const std::shared_ptr<resident>* find(const buffer& memory) const;
  result<std::shared_ptr<resident>> import(std::span<const std::byte> bytes,
                                           compute::memory_access access);
  result<std::shared_ptr<resident>> copy_in(std::span<const std::byte> bytes,
                                            std::uint64_t timeout_ns);
  result<std::shared_ptr<resident>> allocate(std::uint64_t bytes);
  void keep(const std::shared_ptr<resident>& one);
  // Of those that no work uses. Whether there were any.
  template <class F>
  bool drop_if(std::uint64_t waited, F&& wanted);
  bool drop_oldest(std::uint64_t waited);

  compute::executor& on_;
  memory_source& results_;
  std::uint64_t resident_bytes_max_;
  std::uint64_t uses_ = 0, pressures_ = 0;
  mutable std::mutex lock_;  // of the list and the figures, which the lane alone changes
  std::vector<std::shared_ptr<resident>> kept_;
  device_memory_figures figures_;
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
