// SPDX-License-Identifier: Apache-2.0
#pragma once

// Arrays of numbers with a shape, over a `buffer`: immutable, cheap to copy, sliced without a copy.
// dlpack.hpp exchanges them with other libraries.
//
//   auto image = tensor_builder<float>::make({480, 640, 3});    // result<...>
//   std::ranges::fill(image->values(), 0.5f);
//   tensor t = std::move(*image).freeze();
//   auto top = t.slice(0, 0, 240);                              // result<tensor>, no copy
//   for (float x : *top->view<float>()) ...

#include <beamlet/base/dtype.hpp>
#include <beamlet/runtime/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {
struct tensor_layout;
}

/// Immutable numbers of one type. Made only when every element lies in the buffer, aligned.
///
/// Thread: a value type, as its buffer.   Limits: dimensions::count_max.
/// Errors of what makes one: invalid_argument (misfit of type, shape, strides and buffer),
/// too_large (more dimensions, or numbers past 63 bits), those of the memory source where it
/// copies.
class tensor {
 public:
  /// No elements: shape {0}, u8.
  tensor() noexcept = default;
  tensor(const tensor&) noexcept = default;
  /// `other` has no elements then.
  tensor(tensor&& other) noexcept : tensor() { swap(other); }
  tensor& operator=(tensor other) noexcept {
    swap(other);
    return *this;
  }
  ~tensor() = default;

  /// The buffer's first elements, the last dimension's side by side.
  static result<tensor> make(buffer bytes, dtype type, const dimensions& shape);
  /// `strides` and `offset` count elements; strides may be 0 or negative.
  static result<tensor> make(buffer bytes, dtype type, const dimensions& shape,
                             const dimensions& strides, std::int64_t offset = 0);
  template <tensor_element T>
  static result<tensor> copy_of(std::span<const T> values, const dimensions& shape,
                                memory_source& source = heap_memory()) {
    BEAMLET_TRY(buffer bytes, buffer::copy_of(std::as_bytes(values), source));
    return make(std::move(bytes), dtype_of<T>, shape);
  }

  dtype type() const noexcept { return type_; }
  const dimensions& shape() const noexcept { return shape_; }
  const dimensions& strides() const noexcept { return strides_; }
  std::size_t elements() const noexcept;
  /// Of the first element; of no element: null or not.
  const std::byte* data() const noexcept;
  /// What it is made of, which may be more than its elements.
  const buffer& memory() const noexcept { return memory_; }

  /// Whether the elements lie side by side in the order of their indices.
  bool is_contiguous() const noexcept;
  /// The elements in the order of their indices.   Lifetime: as `memory()`.
  /// Errors: invalid_argument for another type, unsupported when not contiguous. What C++ 20 has no
  /// type for is read as unsigned integers: f16 and bf16 as u16, bool as u8.
  template <tensor_element T>
  result<std::span<const T>> view() const {
    BEAMLET_TRY(const std::byte* first, checked_data(dtype_of<T>));
    return std::span<const T>(reinterpret_cast<const T*>(first), elements());
  }

  /// Of one dimension `count` indices: from, from + step, ... No copy.
  result<tensor> slice(std::size_t dimension, std::int64_t from, std::int64_t count,
                       std::int64_t step = 1) const;
  /// One index of the first dimension, which goes away. No copy.
  result<tensor> at(std::int64_t index) const;
  /// Dimension i of the result is dimension `order[i]` of this. No copy.
  result<tensor> permuted(const dimensions& order) const;
  /// The same elements in another shape. No copy.   Errors: unsupported when not contiguous.
  result<tensor> reshaped(const dimensions& shape) const;
  /// Itself, or a copy whose elements lie side by side.
  result<tensor> contiguous(memory_source& source = heap_memory()) const;

 private:
  friend struct detail::tensor_layout;
  void swap(tensor& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(type_, other.type_);
    std::swap(shape_, other.shape_);
    std::swap(strides_, other.strides_);
    std::swap(offset_, other.offset_);
  }
  result<const std::byte*> checked_data(dtype wanted) const;

  buffer memory_;
  dtype type_;
  dimensions shape_{0}, strides_{0};
  std::int64_t offset_ = 0;
};

/// A tensor's elements while they are written: not cleared, side by side.
template <tensor_element T>
class tensor_builder {
 public:
  /// Errors: as tensor::make and the source's.
  static result<tensor_builder> make(const dimensions& shape,
                                     memory_source& source = heap_memory());

  std::span<T> values() noexcept { return {reinterpret_cast<T*>(bytes_.data()), count_}; }
  /// Cost: no copy.
  tensor freeze() && noexcept {
    return *tensor::make(std::move(bytes_).freeze(), dtype_of<T>, shape_);
  }

 private:
  tensor_builder(buffer_builder bytes, const dimensions& shape, std::size_t count) noexcept
      : bytes_(std::move(bytes)), shape_(shape), count_(count) {}

  buffer_builder bytes_;
  dimensions shape_;
  std::size_t count_;
};

namespace detail {
/// The bytes that so many elements take.   Errors: as tensor::make.
result<std::size_t> bytes_of_shape(dtype type, const dimensions& shape);

/// The trailer says type, shape and strides. One whose elements are spread over more memory than
/// they take is copied first.
result<placed_value> place(const tensor& value);
/// The tensor that an object is; what its bytes say is not trusted. On success it keeps `held`,
/// else that is still the caller's. Copies only when the payload is misaligned.
/// Errors: malformed, no_memory.
result<tensor> tensor_from(const sched::held_bytes& held);
/// The same, with a copy of its own.
result<tensor> tensor_copy_of(std::span<const std::byte> object);
}  // namespace detail

template <tensor_element T>
result<tensor_builder<T>> tensor_builder<T>::make(const dimensions& shape, memory_source& source) {
  BEAMLET_TRY(std::size_t bytes, detail::bytes_of_shape(dtype_of<T>, shape));
  BEAMLET_TRY(auto memory, buffer_builder::make(bytes, source));
  return tensor_builder(std::move(memory), shape, bytes / sizeof(T));
}

template <>
struct codec<tensor> {
  static void encode(writer& out, const tensor& value) {
    detail::encode_placed(out, detail::place(value));
  }
  static result<tensor> decode(reader& in) { return detail::tensor_copy_of(in.bytes(in.count())); }
  static void name(std::string& out) { out += "tensor"; }

  static result<detail::placed_value> place(const tensor& value) { return detail::place(value); }
  static result<tensor> open(const sched::held_bytes& held) { return detail::tensor_from(held); }
};
static_assert(placeable<tensor>);

}  // namespace BEAMLET_ABI
}  // namespace beamlet
