// SPDX-License-Identifier: Apache-2.0
#pragma once

// Elements of one type side by side, over a `buffer`: what a std::vector of numbers or a
// std::string is, but written once and then shared, and read in any process where it lies.
//
//   array_builder<float> samples(rt.memory());
//   for (float each : input) BEAMLET_TRY_VOID(samples.push_back(each));
//   ref<array<float>> object = rt.put(std::move(samples).freeze());    // no copy
//
// A function may take it as `const array<T>&`, or as the view that it is: std::span<const T>, of
// char std::string_view.

#include <beamlet/runtime/buffer.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// What may lie in an array: what memcpy copies. Its bytes may come from another process of the
/// program, so a pointer would point nowhere, and a bool might be neither true nor false: use
/// std::uint8_t. Inside a struct that is for its author to see to.
template <class T>
concept array_element = std::is_trivially_copyable_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
                        !std::is_array_v<T> &&
                        !std::is_pointer_v<T> && !std::is_member_pointer_v<T> &&
                        !std::same_as<T, bool> && alignof(T) <= 64;

template <array_element T>
class array_builder;

namespace detail {
/// Room for `wanted` bytes, of which `used` are there already: where it has to be more, twice what
/// there was at least.   Errors: those of the source.
result<void> grow(std::optional<buffer_builder>& bytes, memory_source& source, std::size_t used,
                  std::size_t wanted);
/// The bytes of `count` elements.   Errors: too_large.
result<std::size_t> bytes_of_elements(std::size_t count, std::size_t element_bytes);
/// A buffer of whole, aligned elements.   Errors: malformed, no_memory; then `held` is still the
/// caller's. Copies only what is misaligned.
result<buffer> elements_from(const sched::held_bytes& held, std::size_t element_bytes,
                             std::size_t align);
result<buffer> elements_copy_of(std::span<const std::byte> bytes, std::size_t element_bytes);
result<buffer> check_elements(buffer bytes, std::size_t element_bytes, std::size_t align);
}  // namespace detail

/// Immutable elements, counted: copies and slices share them.
///
/// Thread: a value type, as its buffer.   Cost of a copy: one atomic addition.
/// Lifetime: pointers and views are valid as long as a copy or slice lives.
template <array_element T>
class array {
 public:
  using value_type = T;
  using size_type = std::size_t;
  using const_reference = const T&;
  using const_iterator = const T*;
  using iterator = const_iterator;
  /// What a function takes that only reads.
  using view_type = std::conditional_t<std::same_as<T, char>, std::string_view, std::span<const T>>;

  array() noexcept = default;
  /// Errors: those of the source.
  static result<array> copy_of(view_type values, memory_source& source = heap_memory()) {
    BEAMLET_TRY(buffer bytes, buffer::copy_of(std::as_bytes(std::span(values)), source));
    return array(std::move(bytes));
  }
  /// All of a buffer, without a copy.   Errors: invalid_argument (not whole elements, misaligned).
  static result<array> make(buffer bytes) {
    BEAMLET_TRY(buffer all, detail::check_elements(std::move(bytes), sizeof(T), alignof(T)));
    return array(std::move(all));
  }

  const T* data() const noexcept { return reinterpret_cast<const T*>(bytes_.data()); }
  std::size_t size() const noexcept { return bytes_.size() / sizeof(T); }
  bool empty() const noexcept { return bytes_.empty(); }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + size(); }
  /// REQUIRES: i < size().
  const T& operator[](std::size_t i) const noexcept { return data()[i]; }
  view_type view() const noexcept { return {data(), size()}; }
  /// To std::span it converts as every range does.
  operator std::string_view() const noexcept requires std::same_as<T, char> {  // NOLINT: it is one
    return view();
  }

  /// A part of it, without a copy.   REQUIRES: from + count <= size().
  array slice(std::size_t from, std::size_t count) const noexcept {
    return array(bytes_.slice(from * sizeof(T), count * sizeof(T)));
  }
  /// What it is made of.
  const buffer& memory() const noexcept { return bytes_; }

  friend bool operator==(const array& a,
                         const array& b) noexcept requires std::equality_comparable<T> {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  friend class array_builder<T>;
  friend struct codec<array<T>>;
  explicit array(buffer bytes) noexcept : bytes_(std::move(bytes)) {}

  buffer bytes_;
};

/// An array while it is written. It grows as a std::vector does, and keeps what it grew to: who
/// knows the number says it first.
///
/// Thread: one at a time.   Errors of what makes it grow: too_large, those of the source; then it
/// is as it was.
template <array_element T>
class array_builder {
 public:
  using view_type = typename array<T>::view_type;

  /// REQUIRES: `source` outlives what makes it grow.
  explicit array_builder(memory_source& source = heap_memory()) noexcept : source_(&source) {}
  array_builder(array_builder&& other) noexcept
      : source_(other.source_),
        bytes_(std::exchange(other.bytes_, std::nullopt)),
        size_(std::exchange(other.size_, 0)) {}
  array_builder& operator=(array_builder&& other) noexcept {
    source_ = other.source_;
    bytes_ = std::exchange(other.bytes_, std::nullopt);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  result<void> reserve(std::size_t count) {
    BEAMLET_TRY(std::size_t wanted, detail::bytes_of_elements(count, sizeof(T)));
    return detail::grow(bytes_, *source_, size_ * sizeof(T), wanted);
  }
  /// New elements are zero bytes.
  result<void> resize(std::size_t count) {
    BEAMLET_TRY_VOID(reserve(count));
    if (count > size_)
      std::memset(static_cast<void*>(data() + size_), 0, (count - size_) * sizeof(T));
    size_ = count;
    return {};
  }
  /// New elements are what happens to be there.
  result<void> resize_uninitialized(std::size_t count) {
    BEAMLET_TRY_VOID(reserve(count));
    size_ = count;
    return {};
  }
  result<void> push_back(const T& value) {
    const T copy = value;  // may be one of ours
    BEAMLET_TRY_VOID(reserve(size_ + 1));
    std::memcpy(static_cast<void*>(data() + size_++), &copy, sizeof(T));
    return {};
  }
  /// REQUIRES: `values` are not its own.
  result<void> append(view_type values) {
    if (values.size() > ~std::size_t{0} - size_)
      return error(errc::too_large, error_layer::runtime);
    BEAMLET_TRY_VOID(reserve(size_ + values.size()));
    if (!values.empty())
      std::memcpy(static_cast<void*>(data() + size_), values.data(), values.size() * sizeof(T));
    size_ += values.size();
    return {};
  }

  T* data() noexcept { return bytes_.has_value() ? reinterpret_cast<T*>(bytes_->data()) : nullptr; }
  std::size_t size() const noexcept { return size_; }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + size_; }
  /// REQUIRES: i < size().
  T& operator[](std::size_t i) noexcept { return data()[i]; }
  std::span<T> values() noexcept { return {data(), size_}; }

  /// Nothing is written any more.   Cost: no copy.
  array<T> freeze() && noexcept {
    if (!bytes_.has_value()) return {};
    const std::size_t used = std::exchange(size_, 0) * sizeof(T);
    auto all = std::exchange(bytes_, std::nullopt);
    return array<T>(std::move(*all).freeze(used));
  }

 private:
  memory_source* source_;
  std::optional<buffer_builder> bytes_;
  std::size_t size_ = 0;
};

/// An object of this type is the elements' bytes, as that of a buffer. The name says what they are:
/// of a struct its own name and size, so both processes must be of one program and one machine.
template <array_element T>
struct codec<array<T>> {
  static void encode(writer& out, const array<T>& value) {
    detail::encode_placed(out, detail::place(value.bytes_));
  }
  static result<array<T>> decode(reader& in) {
    BEAMLET_TRY(buffer bytes, detail::elements_copy_of(in.bytes(in.count()), sizeof(T)));
    return array<T>(std::move(bytes));
  }
  static void name(std::string& out) {
    if constexpr (detail::is_flat<T>) return detail::append_names<T>(out, "array");
    out.append("array<").append(detail::type_name<T>()).append(":");
    out.append(std::to_string(sizeof(T))).append(">");
  }

  static result<detail::placed_value> place(const array<T>& value) {
    return detail::place(value.bytes_);
  }
  static result<array<T>> open(const sched::held_bytes& held) {
    BEAMLET_TRY(buffer bytes, detail::elements_from(held, sizeof(T), alignof(T)));
    return array<T>(std::move(bytes));
  }
};
static_assert(placeable<array<float>>);

namespace detail {

/// What a parameter of a remote function is kept as: a view as what it views.
template <class P>
struct kept_parameter {
  using type = P;
};
template <array_element T>
struct kept_parameter<std::span<const T>> {
  using type = array<T>;
};
template <>
struct kept_parameter<std::string_view> {
  using type = array<char>;
};
template <class P>
using kept_as = typename kept_parameter<std::decay_t<P>>::type;
template <class P>
inline constexpr bool is_view = !std::same_as<kept_as<P>, std::decay_t<P>>;

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
