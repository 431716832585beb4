// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tensors to and from other libraries without a copy, by DLPack. These structs are those of
// <dlpack/dlpack.h>, 0.8 and 1.0, under names that a program may include beside it:
// reinterpret_cast between them.
//
//   auto* out = *export_dlpack(t);                 // hand it on, or call out->deleter(out)
//   auto in = import_dlpack(reinterpret_cast<dlpack::managed*>(theirs));

#include <beamlet/runtime/tensor.hpp>

#include <cstddef>
#include <cstdint>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace dlpack {

inline constexpr std::int32_t device_cpu = 1;
inline constexpr std::uint32_t version_major = 1, version_minor = 0;
inline constexpr std::uint64_t flag_read_only = 1;

struct device {
  std::int32_t type, id;
};
struct data_type {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};
struct tensor {
  void* data;
  dlpack::device device;
  std::int32_t ndim;
  data_type dtype;
  std::int64_t* shape;
  std::int64_t* strides;  ///< in elements; null: row-major
  std::uint64_t byte_offset;
};
/// DLManagedTensor
struct managed {
  dlpack::tensor tensor;
  void* manager;
  void (*deleter)(managed* self);
};
/// DLManagedTensorVersioned
struct managed_versioned {
  std::uint32_t major, minor;
  void* manager;
  void (*deleter)(managed_versioned* self);
  std::uint64_t flags;
  dlpack::tensor tensor;
};

static_assert(sizeof(device) == 8 && sizeof(data_type) == 4);
static_assert(offsetof(tensor, device) == sizeof(void*) &&
              offsetof(tensor, ndim) == sizeof(void*) + 8 &&
              offsetof(tensor, dtype) == sizeof(void*) + 12 &&
              offsetof(tensor, shape) == sizeof(void*) + 16 &&
              offsetof(tensor, strides) == 2 * sizeof(void*) + 16);
static_assert(offsetof(managed, tensor) == 0 && offsetof(managed, manager) == sizeof(tensor));
static_assert(offsetof(managed_versioned, manager) == 8 &&
              offsetof(managed_versioned, deleter) == 8 + sizeof(void*));
static_assert(sizeof(void*) != 8 ||
              (offsetof(tensor, byte_offset) == 40 && sizeof(tensor) == 48 &&
               offsetof(managed, deleter) == 56 && sizeof(managed) == 64 &&
               offsetof(managed_versioned, flags) == 24 &&
               offsetof(managed_versioned, tensor) == 32 && sizeof(managed_versioned) == 80));

}  // namespace dlpack

/// The tensor for another library, marked as read-only. It keeps the memory until its deleter is
/// called, once, on any thread.
///
/// Blocks: no.   Cost: no copy.   Errors: no_memory.
result<dlpack::managed_versioned*> export_dlpack(const tensor& from) noexcept;
/// The same for libraries that know only DLPack before 1.0, which cannot say read-only: they must
/// not write to it, because others read the same memory.
result<dlpack::managed*> export_dlpack_unversioned(const tensor& from) noexcept;

/// Another library's tensor. Nobody may write to it any more: who cannot promise that makes a copy
/// first. The last tensor over its memory calls the deleter; on failure `from` is still the
/// caller's.
///
/// Blocks: no.   Cost: no copy.
/// Errors: unsupported (a device but the CPU, a type that `dtype` has not, a major version but 1),
/// invalid_argument (no data, misaligned, shapes that contradict themselves), too_large, no_memory.
result<tensor> import_dlpack(dlpack::managed_versioned* from);
result<tensor> import_dlpack(dlpack::managed* from);

}  // namespace BEAMLET_ABI
}  // namespace beamlet
