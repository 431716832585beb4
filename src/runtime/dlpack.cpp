// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/dlpack.hpp"

#include <new>

#include "runtime/tensor_layout.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {

// The struct that is handed out, and what it points to.
template <class Managed>
struct exported_tensor {
  Managed out{};
  tensor kept;
  dimensions shape, strides;
};

template <class Managed>
result<Managed*> export_as(const tensor& from) noexcept {
  auto* made = new (std::nothrow)
      exported_tensor<Managed>{.out = {}, .kept = from, .shape = {}, .strides = {}};
  if (made == nullptr) return error(errc::no_memory, error_layer::runtime);
  made->shape = from.shape();
  made->strides = from.strides();
  // `byte_offset` stays 0, because many libraries ignore it. The memory is not written to, but the
  // struct has no other pointers.
  made->out.tensor = {.data = const_cast<std::byte*>(from.data()),
                      .device = {dlpack::device_cpu, 0},
                      .ndim = static_cast<std::int32_t>(from.shape().size()),
                      .dtype = {static_cast<std::uint8_t>(from.type().kind), from.type().bits, 1},
                      .shape = made->shape.data(),
                      .strides = made->strides.data(),
                      .byte_offset = 0};
  made->out.manager = made;
  made->out.deleter = [](Managed* self) {
    delete static_cast<exported_tensor<Managed>*>(self->manager);
  };
  return &made->out;
}

// Where the first element is, and the first and last byte that belong to an element.
struct imported_memory {
  dtype type;
  dimensions shape, strides;
  const std::byte* lowest = nullptr;
  std::size_t bytes = 0;
  std::int64_t offset = 0;
};

result<imported_memory> check_imported(const dlpack::tensor& from) {
  using detail::tensor_layout;
  if (from.device.type != dlpack::device_cpu)
    return error(errc::unsupported, error_layer::runtime,
                 {"a DLPack tensor that is not in the CPU's memory", {}, {}, {}});
  imported_memory found;
  found.type = {static_cast<number_kind>(from.dtype.code), from.dtype.bits};
  if (from.dtype.lanes != 1 || !found.type.is_valid())
    return error(errc::unsupported, error_layer::runtime,
                 {"a DLPack tensor of a type that Beamlet has not", {}, {}, {}});
  const auto count = static_cast<std::size_t>(from.ndim);
  if (from.ndim < 0 || (count != 0 && from.shape == nullptr))
    return tensor_layout::fault("a DLPack tensor without a shape");
  if (count > dimensions::count_max) return tensor_layout::overflow();
  found.shape = dimensions(std::span<const std::int64_t>(from.shape, count));
  BEAMLET_TRY(auto layout, tensor_layout::of(found.type, found.shape));
  found.strides = layout.row_major;
  if (from.strides != nullptr)
    found.strides = dimensions(std::span<const std::int64_t>(from.strides, count));
  BEAMLET_TRY(layout, tensor_layout::of(found.type, found.shape, found.strides));
  if (layout.elements == 0) return found;
  if (from.data == nullptr) return tensor_layout::fault("a DLPack tensor without data");

  // All in bytes from address 0, where nothing may wrap around.
  std::int64_t bytes = 0, below = 0;
  const auto size = static_cast<std::int64_t>(found.type.bytes());
  std::uintptr_t first = 0, end = 0;
  if (__builtin_mul_overflow(layout.spread, size, &bytes) ||
      __builtin_mul_overflow(layout.lowest, size, &below) ||
      __builtin_add_overflow(reinterpret_cast<std::uintptr_t>(from.data), from.byte_offset,
                             &first) ||
      __builtin_add_overflow(first, below, &first) || __builtin_add_overflow(first, bytes, &end))
    return tensor_layout::overflow();
  found.lowest = reinterpret_cast<const std::byte*>(first);
  found.bytes = static_cast<std::size_t>(bytes);
  found.offset = -layout.lowest;
  if (first % found.type.bytes() != 0)
    return tensor_layout::fault("a DLPack tensor of misaligned elements");
  return found;
}

template <class Managed>
result<tensor> import_from(Managed* from) {
  BEAMLET_TRY(imported_memory found, check_imported(from->tensor));
  const auto drop = [](void* keeper) {
    auto* kept = static_cast<Managed*>(keeper);
    if (kept->deleter != nullptr) kept->deleter(kept);
  };
  BEAMLET_TRY(buffer memory, buffer::adopt({found.lowest, found.bytes, drop, from}));
  return tensor::make(std::move(memory), found.type, found.shape, found.strides, found.offset);
}
}  // namespace

result<dlpack::managed_versioned*> export_dlpack(const tensor& from) noexcept {
  BEAMLET_TRY(auto* made, export_as<dlpack::managed_versioned>(from));
  made->major = dlpack::version_major;
  made->minor = dlpack::version_minor;
  made->flags = dlpack::flag_read_only;
  return made;
}

result<dlpack::managed*> export_dlpack_unversioned(const tensor& from) noexcept {
  return export_as<dlpack::managed>(from);
}

result<tensor> import_dlpack(dlpack::managed_versioned* from) {
  if (from == nullptr) return detail::tensor_layout::fault("no DLPack tensor");
  // Of another major version only version, manager and deleter mean the same.
  if (from->major != dlpack::version_major)
    return error(errc::unsupported, error_layer::runtime,
                 {"a DLPack tensor of another major version", {}, {}, {}});
  return import_from(from);
}

result<tensor> import_dlpack(dlpack::managed* from) {
  if (from == nullptr) return detail::tensor_layout::fault("no DLPack tensor");
  return import_from(from);
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
