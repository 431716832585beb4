// SPDX-License-Identifier: Apache-2.0
#pragma once

// What there is to compute with, in words and figures.

#include <beamlet/base/codec.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// `software` devices are drivers that compute on the processor (PoCL, llvmpipe): they are right,
/// and slower than the cpu backend, so nothing chooses them unless it is told to.
enum class device_kind : std::uint8_t { cpu, integrated, discrete, accelerator, software };

/// "cpu", "integrated", ...; never null.
const char* name_of(device_kind kind) noexcept;

/// What a driver says of its device: sizes in bytes or numbers of items, groups and buffers.
struct device_limits {
  std::uint32_t group_items_max = 128;  ///< work items (invocations) of a group
  std::array<std::uint32_t, 3> group_size_max{128, 128, 64};
  std::array<std::uint32_t, 3> groups_max{65535, 65535, 65535};
  std::uint32_t local_bytes = 16 << 10;  ///< memory that a group shares
  std::uint32_t parameter_bytes = 128;   ///< of one launch, besides its buffers
  std::uint32_t buffers_max = 4;         ///< that one kernel can take
  std::uint64_t memory_bytes = 0;        ///< 0: not known
  std::uint64_t buffer_bytes_max = 0;    ///< of one allocation
  std::uint64_t binding_bytes_max = 0;   ///< of a buffer, what one kernel may see
  /// A buffer is bound from a multiple of this on; 0: from its beginning only.
  std::uint64_t binding_alignment = 0;
  /// Memory of the program that begins and ends at multiples of this may be used in place; 0: none.
  std::uint64_t import_alignment = 0;

  BEAMLET_FIELDS(group_items_max, group_size_max, groups_max, local_bytes, parameter_bytes,
                 buffers_max, memory_bytes, buffer_bytes_max, binding_bytes_max, binding_alignment,
                 import_alignment);
};

/// What kernels may use. Reading and writing f16 and 8-bit numbers in buffers comes before
/// computing with them.
struct device_features {
  bool storage_16bit = false;
  bool storage_8bit = false;
  bool arithmetic_f16 = false;
  bool int64 = false;
  bool subgroups = false;  ///< sums, shuffles and ballots within `subgroup_size`
  std::uint32_t subgroup_size = 0;
  /// Device and processor have one memory: allocated memory is reached by both, nothing is copied.
  bool unified_memory = false;
  /// An item does much and groups share nothing: kernels are shaped for a processor's vectors.
  bool like_a_cpu = false;

  BEAMLET_FIELDS(storage_16bit, storage_8bit, arithmetic_f16, int64, subgroups, subgroup_size,
                 unified_memory, like_a_cpu);
};

/// What a device says of itself: a value, true as long as driver and settings stay.
struct device_info {
  std::string backend;      ///< "cpu", "opencl", "vulkan"
  std::uint32_t index = 0;  ///< within its backend: `opencl:1`
  std::string name;         ///< as the driver says it
  std::string vendor;
  std::string driver;  ///< and its version
  device_kind kind = device_kind::cpu;
  std::uint32_t units = 1;  ///< cores, compute units
  /// One device that two drivers show has one number; all zero: not known.
  std::array<std::uint8_t, 16> uuid{};
  device_limits limits;
  device_features features;

  /// "opencl:1"
  std::string id() const { return backend + ":" + std::to_string(index); }
  /// It is one, or a driver that computes on one.
  bool is_like_a_cpu() const noexcept {
    return features.like_a_cpu || kind == device_kind::software || kind == device_kind::cpu;
  }

  BEAMLET_FIELDS(backend, index, name, vendor, driver, kind, units, uuid, limits, features);
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
