// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/array.hpp"

#include <limits>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {
constexpr std::size_t first_array_bytes = 256;
}  // namespace

result<void> grow(std::optional<buffer_builder>& bytes, memory_source& source, std::size_t used,
                  std::size_t wanted) {
  const std::size_t there = bytes.has_value() ? bytes->size() : 0;
  if (wanted <= there) return {};
  // The first time as much as was said: that may be all there ever is.
  const std::size_t room = there == 0 ? wanted : std::max(wanted, 2 * there);
  BEAMLET_TRY(auto larger, buffer_builder::make(std::max(room, first_array_bytes), source));
  if (used != 0) std::memcpy(larger.data(), bytes->data(), used);
  bytes = std::move(larger);
  return {};
}

result<std::size_t> bytes_of_elements(std::size_t count, std::size_t element_bytes) {
  // Half of all there is, so that twice as much can still be counted.
  if (count > std::numeric_limits<std::size_t>::max() / 2 / element_bytes)
    return error(errc::too_large, error_layer::runtime);
  return count * element_bytes;
}

result<buffer> elements_copy_of(std::span<const std::byte> bytes, std::size_t element_bytes) {
  if (bytes.size() % element_bytes != 0) return error(errc::malformed, error_layer::runtime);
  return buffer::copy_of(bytes);
}

result<buffer> elements_from(const sched::held_bytes& held, std::size_t element_bytes,
                             std::size_t align) {
  if (held.size % element_bytes != 0) return error(errc::malformed, error_layer::runtime);
  if (reinterpret_cast<std::uintptr_t>(held.data) % align == 0) return buffer::adopt(held);
  BEAMLET_TRY(buffer copy, buffer::copy_of({held.data, held.size}));
  if (held.drop != nullptr) held.drop(held.keeper);
  return copy;
}

result<buffer> check_elements(buffer bytes, std::size_t element_bytes, std::size_t align) {
  if (bytes.size() % element_bytes == 0 &&
      reinterpret_cast<std::uintptr_t>(bytes.data()) % align == 0)
    return bytes;
  return error(errc::invalid_argument, error_layer::runtime,
               {.message = "an array of what are no whole, aligned elements",
                .type = {},
                .function = {},
                .cause = {}});
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
