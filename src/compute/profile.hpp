// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a device was measured to do, and how long an op would take it. A few points of a curve say
// more than one figure: small work does not fill a device, large work leaves its caches.

#include <array>
#include <cstdint>

#include "beamlet/base/codec.hpp"
#include "compute/executor.hpp"
#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Time for so much work of one kind, with all that starting and awaiting it costs.
struct work_time {
  double work = 0, ns = 0;
  BEAMLET_FIELDS(work, ns);
};

struct device_profile {
  static constexpr std::size_t points = 3;
  double launch_ns = 0;  ///< of an op on one element, until the program knows that it is done
  std::array<work_time, points> bytes{};      ///< read and written by element-wise work
  std::array<work_time, points> flops{};      ///< of matrix products
  std::array<work_time, points> functions{};  ///< exp and the like
  /// Between the program's memory and the device's; 0 where the device works in the program's.
  double upload_ns_per_byte = 0, download_ns_per_byte = 0;

  BEAMLET_FIELDS(launch_ns, bytes, flops, functions, upload_ns_per_byte, download_ns_per_byte);
};

/// Measures an open device.
///
/// Blocks: some 100 ms, besides what compiling the kernels takes; each part is bounded by
/// `profile_part_ns_max`.   Errors: those of executor.
result<device_profile> measure_profile(executor& on);
inline constexpr base::time_ns profile_part_ns_max = 10'000'000'000;

/// How long an op would take, with `in` bytes to be brought to the device first and `out` back.
double estimate_ns(const device_profile& of, const op_cost& cost, std::uint64_t in_bytes,
                   std::uint64_t out_bytes) noexcept;

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
