// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/tensor.hpp"

#include <cstring>

#include "beamlet/base/bytes.hpp"
#include "runtime/tensor_layout.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {
// The elements of `from`, strided in any way, one behind the other.
std::byte* gather(const tensor& from, std::size_t dimension, const std::byte* at, std::byte* to) {
  const std::size_t bytes = from.type().bytes();
  if (dimension == from.shape().size()) {
    std::memcpy(to, at, bytes);
    return to + bytes;
  }
  const std::int64_t count = from.shape()[dimension], stride = from.strides()[dimension];
  if (dimension + 1 == from.shape().size() && stride == 1) {
    const std::size_t row = static_cast<std::size_t>(count) * bytes;
    std::memcpy(to, at, row);
    return to + row;
  }
  // The place is counted and not stepped, which would leave the memory behind the last.
  for (std::int64_t i = 0; i < count; ++i)
    to = gather(from, dimension + 1, at + i * stride * static_cast<std::int64_t>(bytes), to);
  return to;
}
}  // namespace

// -- what is checked

error detail::tensor_layout::fault(std::string what) {
  return error(errc::invalid_argument, error_layer::runtime,
               {.message = std::move(what), .type = {}, .function = {}, .cause = {}});
}

error detail::tensor_layout::overflow() {
  return error(errc::too_large, error_layer::runtime,
               {.message = "a tensor with more than 8 dimensions, or numbers past 63 bits",
                .type = {},
                .function = {},
                .cause = {}});
}

result<detail::tensor_layout> detail::tensor_layout::of(dtype type, const dimensions& shape) {
  if (!type.is_valid()) return fault("a tensor of a type that there is not");
  if (!shape.is_valid()) return overflow();
  tensor_layout made;
  if (std::ranges::any_of(shape, [](std::int64_t n) { return n < 0; }))
    return fault("a tensor with a negative dimension");
  if (std::ranges::find(shape, 0) != shape.end()) made.elements = 0;
  for (std::int64_t n : shape)
    if (made.elements != 0 && __builtin_mul_overflow(made.elements, n, &made.elements))
      return overflow();
  if (std::int64_t bytes = 0;
      __builtin_mul_overflow(made.elements, static_cast<std::int64_t>(type.bytes()), &bytes) ||
      !std::in_range<std::ptrdiff_t>(bytes))
    return overflow();
  made.row_major = shape;
  std::int64_t stride = made.elements == 0 ? 0 : 1;
  for (std::size_t i = shape.size(); i-- > 0; stride *= shape[i]) made.row_major[i] = stride;
  return made;
}

result<detail::tensor_layout> detail::tensor_layout::of(dtype type, const dimensions& shape,
                                                        const dimensions& strides) {
  BEAMLET_TRY(tensor_layout made, of(type, shape));
  if (strides.size() != shape.size()) return fault("strides for another number of dimensions");
  for (std::size_t i = 0; made.elements != 0 && i < shape.size(); ++i) {
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(shape[i] - 1, strides[i], &reach)) return overflow();
    std::int64_t& end = reach < 0 ? made.lowest : made.highest;
    if (__builtin_add_overflow(end, reach, &end)) return overflow();
  }
  if (__builtin_sub_overflow(made.highest, made.lowest, &made.spread) ||
      __builtin_add_overflow(made.spread, made.elements == 0 ? 0 : 1, &made.spread))
    return overflow();
  return made;
}

// -- making

result<tensor> tensor::make(buffer bytes, dtype type, const dimensions& shape) {
  BEAMLET_TRY(auto layout, detail::tensor_layout::of(type, shape));
  return make(std::move(bytes), type, shape, layout.row_major);
}

result<tensor> tensor::make(buffer bytes, dtype type, const dimensions& shape,
                            const dimensions& strides, std::int64_t offset) {
  BEAMLET_TRY(auto layout, detail::tensor_layout::of(type, shape, strides));
  tensor made;
  made.type_ = type;
  made.shape_ = shape;
  if (layout.elements == 0) {
    made.strides_ = layout.row_major;
    return made;
  }
  const auto there = static_cast<std::int64_t>(bytes.size() / type.bytes());
  if (offset < 0 || offset >= there || layout.lowest < -offset || layout.highest >= there - offset)
    return detail::tensor_layout::fault("a tensor that is not inside its buffer");
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % type.bytes() != 0)
    return detail::tensor_layout::fault("a tensor of misaligned elements");
  made.memory_ = std::move(bytes);
  made.strides_ = strides;
  made.offset_ = offset;
  return made;
}

result<std::size_t> detail::bytes_of_shape(dtype type, const dimensions& shape) {
  BEAMLET_TRY(auto layout, detail::tensor_layout::of(type, shape));
  return static_cast<std::size_t>(layout.elements) * type.bytes();
}

// -- reading

std::size_t tensor::elements() const noexcept {
  std::size_t count = 1;
  for (std::int64_t n : shape_) count *= static_cast<std::size_t>(n);
  return count;
}

const std::byte* tensor::data() const noexcept {
  return memory_.data() + static_cast<std::size_t>(offset_) * type_.bytes();
}

bool tensor::is_contiguous() const noexcept {
  if (elements() == 0) return true;
  std::int64_t stride = 1;
  for (std::size_t i = shape_.size(); i-- > 0; stride *= shape_[i])
    if (shape_[i] != 1 && strides_[i] != stride) return false;
  return true;
}

result<const std::byte*> tensor::checked_data(dtype wanted) const {
  const bool untyped = type_ == dtypes::f16 || type_.kind == number_kind::brain_floating ||
                       type_.kind == number_kind::boolean;
  const dtype as = untyped ? dtype{number_kind::unsigned_integer, type_.bits} : type_;
  if (as != wanted)
    return detail::tensor_layout::fault("a tensor of " + type_.name() + " viewed as " +
                                        wanted.name());
  if (!is_contiguous())
    return error(errc::unsupported, error_layer::runtime,
                 {.message = "a view of a tensor that is not contiguous: call contiguous() first",
                  .type = {},
                  .function = {},
                  .cause = {}});
  return data();
}

// -- other views of the same memory

result<tensor> tensor::slice(std::size_t dimension, std::int64_t from, std::int64_t count,
                             std::int64_t step) const {
  if (dimension >= shape_.size()) return detail::tensor_layout::fault("a slice of no dimension");
  const std::int64_t size = shape_[dimension];
  std::int64_t last = from;
  const bool fits = count >= 0 && from >= 0 && from <= size && step != 0;
  if (!fits ||
      (count > 0 && (from == size || __builtin_mul_overflow(count - 1, step, &last) ||
                     __builtin_add_overflow(last, from, &last) || last < 0 || last >= size)))
    return detail::tensor_layout::fault("a slice that is not inside its tensor");
  dimensions shape = shape_, strides = strides_;
  shape[dimension] = count;
  if (count > 1) strides[dimension] *= step;
  return make(memory_, type_, shape, strides,
              count == 0 ? offset_ : offset_ + from * strides_[dimension]);
}

result<tensor> tensor::at(std::int64_t index) const {
  BEAMLET_TRY(tensor one, slice(0, index, 1));
  const std::span all(one.shape_.begin(), one.shape_.end());
  const std::span all_strides(one.strides_.begin(), one.strides_.end());
  return make(one.memory_, type_, dimensions(all.subspan(1)), dimensions(all_strides.subspan(1)),
              one.offset_);
}

result<tensor> tensor::permuted(const dimensions& order) const {
  if (order.size() != shape_.size())
    return detail::tensor_layout::fault("an order of other dimensions");
  tensor made = *this;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto from = static_cast<std::size_t>(order[i]);
    if (from >= order.size() || std::ranges::count(order, order[i]) != 1)
      return detail::tensor_layout::fault("an order that does not have each dimension once");
    made.shape_[i] = shape_[from];
    made.strides_[i] = strides_[from];
  }
  return made;
}

result<tensor> tensor::reshaped(const dimensions& shape) const {
  BEAMLET_TRY(auto layout, detail::tensor_layout::of(type_, shape));
  if (static_cast<std::size_t>(layout.elements) != elements())
    return detail::tensor_layout::fault("a shape of another number of elements");
  if (!is_contiguous())
    return error(errc::unsupported, error_layer::runtime,
                 {.message = "a tensor that is not contiguous: call contiguous() first",
                  .type = {},
                  .function = {},
                  .cause = {}});
  return make(memory_, type_, shape, layout.row_major, offset_);
}

result<tensor> tensor::contiguous(memory_source& source) const {
  if (is_contiguous()) return *this;
  BEAMLET_TRY(auto copy, buffer_builder::make(elements() * type_.bytes(), source));
  gather(*this, 0, data(), copy.data());
  return make(std::move(copy).freeze(), type_, shape_);
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
