// SPDX-License-Identifier: Apache-2.0
// A tensor as an object: the payload, aligned as the object is, then
//
//   i64 shape and then stride of each dimension, in elements
//   u8 kind, u8 bits, u8 dimensions, u8 format: 1
//   u64 bytes of the payload
//
// all little-endian. It ends with what has a fixed size, so that who knows the object's size finds
// the rest, and who has the payload in place writes only what follows. The payload is just the
// elements; the first one lies where negative strides find room below it.

#include <cstdint>
#include <cstring>

#include "beamlet/base/bytes.hpp"
#include "beamlet/runtime/tensor.hpp"
#include "runtime/tensor_layout.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {
constexpr std::byte tensor_format{1};
constexpr std::size_t tensor_tail_bytes = 12, bytes_per_dimension = 16;
static_assert(detail::trailer_bytes_max ==
              tensor_tail_bytes + dimensions::count_max * bytes_per_dimension);

struct parsed_tensor {
  dtype type;
  dimensions shape, strides;
  std::size_t payload_bytes = 0;
  std::int64_t offset = 0;
};

result<parsed_tensor> parse_tensor(std::span<const std::byte> object) {
  const error malformed(errc::malformed, error_layer::runtime);
  if (object.size() < tensor_tail_bytes) return malformed;
  const std::byte* tail = object.data() + object.size() - tensor_tail_bytes;
  const auto count = std::to_integer<std::size_t>(tail[2]);
  const std::size_t trailer = tensor_tail_bytes + count * bytes_per_dimension;
  if (tail[3] != tensor_format || count > dimensions::count_max || trailer > object.size() ||
      base::load_le<std::uint64_t>(tail + 4) != object.size() - trailer)
    return malformed;
  parsed_tensor found;
  found.payload_bytes = object.size() - trailer;
  found.type = {static_cast<number_kind>(tail[0]), std::to_integer<std::uint8_t>(tail[1])};
  std::array<std::int64_t, dimensions::count_max> shape{}, strides{};
  const std::byte* at = object.data() + found.payload_bytes;
  for (std::size_t i = 0; i < count; ++i, at += bytes_per_dimension) {
    shape[i] = base::load_le<std::int64_t>(at);
    strides[i] = base::load_le<std::int64_t>(at + 8);
  }
  found.shape = dimensions(std::span(shape.data(), count));
  found.strides = dimensions(std::span(strides.data(), count));
  auto layout = detail::tensor_layout::of(found.type, found.shape, found.strides);
  // Exactly as many as there are bytes: strides must not make many elements of few.
  if (!layout.has_value() ||
      static_cast<std::size_t>(layout->elements) * found.type.bytes() != found.payload_bytes ||
      layout->spread != layout->elements)
    return malformed;
  found.offset = -layout->lowest;
  return found;
}

result<tensor> make_parsed(buffer payload, const parsed_tensor& what) {
  return tensor::make(std::move(payload), what.type, what.shape, what.strides, what.offset);
}
}  // namespace

namespace detail {

result<placed_value> place(const tensor& value) {
  auto layout = tensor_layout::of(value.type(), value.shape(), value.strides());
  if (!layout.has_value()) return std::move(layout).error();
  if (layout->spread != layout->elements) {
    BEAMLET_TRY(tensor dense, value.contiguous());
    return place(dense);
  }
  const std::size_t size = value.type().bytes();
  placed_value made;
  if (layout->elements != 0)
    made.payload = value.memory().slice(
        static_cast<std::size_t>(tensor_layout::offset_of(value) + layout->lowest) * size,
        static_cast<std::size_t>(layout->elements) * size);
  std::byte* at = made.trailer.data();
  for (std::size_t i = 0; i < value.shape().size(); ++i, at += bytes_per_dimension) {
    base::store_le(at, value.shape()[i]);
    base::store_le(at + 8, value.strides()[i]);
  }
  at[0] = static_cast<std::byte>(value.type().kind);
  at[1] = static_cast<std::byte>(value.type().bits);
  at[2] = static_cast<std::byte>(value.shape().size());
  at[3] = tensor_format;
  base::store_le(at + 4, std::uint64_t{made.payload.size()});
  made.trailer_size = static_cast<std::size_t>(at - made.trailer.data()) + tensor_tail_bytes;
  return made;
}

result<tensor> tensor_copy_of(std::span<const std::byte> object) {
  BEAMLET_TRY(parsed_tensor what, parse_tensor(object));
  BEAMLET_TRY(buffer payload, buffer::copy_of(object.first(what.payload_bytes)));
  return make_parsed(std::move(payload), what);
}

result<tensor> tensor_from(const sched::held_bytes& held) {
  BEAMLET_TRY(parsed_tensor what, parse_tensor(std::span(held.data, held.size)));
  if (reinterpret_cast<std::uintptr_t>(held.data) % what.type.bytes() != 0) {
    BEAMLET_TRY(tensor copy, tensor_copy_of(std::span(held.data, held.size)));
    if (held.drop != nullptr) held.drop(held.keeper);
    return copy;
  }
  BEAMLET_TRY(buffer all, buffer::adopt(held));
  return make_parsed(all.slice(0, what.payload_bytes), what);
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
