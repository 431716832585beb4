// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tensors of the tests: any type and strides, elements read and written as double.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "compute/cpu/half.hpp"
#include "compute/plan.hpp"

namespace conformance {
using namespace beamlet;
using namespace beamlet::compute;

/// Its memory is exactly what its strides span; what lies between elements is all ones: NaN, or the
/// largest number, which a wrong read carries into the result.
class host_tensor {
 public:
  host_tensor() = default;
  host_tensor(dtype type, const dimensions& shape)
      : host_tensor(type, shape, operand::dense(type, shape).strides) {}
  host_tensor(dtype type, const dimensions& shape, const dimensions& strides)
      : what_{type, shape, strides, 0} {
    if (what_.elements() == 0) return;
    for (std::size_t i = 0; i < shape.size(); ++i)
      if (strides[i] < 0)
        what_.offset_bytes +=
            static_cast<std::uint64_t>((1 - shape[i]) * strides[i]) * type.bytes();
    memory_.assign(what_.bytes().end, std::byte{0xff});
  }

  const operand& what() const { return what_; }
  tensor_type type() const { return {what_.type, what_.shape}; }
  std::vector<std::byte>& memory() { return memory_; }
  const std::vector<std::byte>& memory() const { return memory_; }
  std::int64_t elements() const { return static_cast<std::int64_t>(what_.elements()); }

  /// By the number in the order of indices.
  double at(std::int64_t element) const { return read(place_of(element)); }
  double at(const dimensions& index) const { return read(place_of(index)); }
  void set(std::int64_t element, double value) { write(place_of(element), value); }
  void set(const dimensions& index, double value) { write(place_of(index), value); }

  dimensions index_of(std::int64_t element) const {
    dimensions index = what_.shape;
    for (std::size_t d = index.size(); d-- > 0; element /= what_.shape[d])
      index[d] = element % what_.shape[d];
    return index;
  }

  host_tensor& fill(const std::function<double(std::int64_t)>& value) {
    for (std::int64_t i = 0; i < elements(); ++i) set(i, value(i));
    return *this;
  }

 private:
  std::byte* place_of(const dimensions& index) const {
    std::int64_t at = 0;
    for (std::size_t d = 0; d < index.size(); ++d) at += index[d] * what_.strides[d];
    const auto from = static_cast<std::int64_t>(what_.offset_bytes);
    const auto size = static_cast<std::int64_t>(what_.type.bytes());
    return const_cast<std::byte*>(memory_.data()) + from + at * size;
  }
  std::byte* place_of(std::int64_t element) const { return place_of(index_of(element)); }

  template <class T>
  static double load(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return static_cast<double>(value);
  }
  template <class T>
  static void store(std::byte* at, T value) {
    std::memcpy(at, &value, sizeof value);
  }

  double read(const std::byte* at) const {
    if (what_.type == dtypes::f32) return load<float>(at);
    if (what_.type == dtypes::f64) return load<double>(at);
    if (what_.type == dtypes::f16) {
      std::uint16_t bits;
      std::memcpy(&bits, at, sizeof bits);
      return float_of_half(bits);
    }
    if (what_.type == dtypes::u8) return load<std::uint8_t>(at);
    if (what_.type == dtypes::i8) return load<std::int8_t>(at);
    if (what_.type == dtypes::i16) return load<std::int16_t>(at);
    if (what_.type == dtypes::i64) return load<std::int64_t>(at);
    return load<std::int32_t>(at);
  }
  void write(std::byte* at, double value) {
    if (what_.type == dtypes::f32) store(at, static_cast<float>(value));
    else if (what_.type == dtypes::f64) store(at, value);
    else if (what_.type == dtypes::f16) store(at, half_of_float(static_cast<float>(value)));
    else if (what_.type == dtypes::u8) store(at, static_cast<std::uint8_t>(value));
    else if (what_.type == dtypes::i8) store(at, static_cast<std::int8_t>(value));
    else if (what_.type == dtypes::i16) store(at, static_cast<std::int16_t>(value));
    else if (what_.type == dtypes::i64) store(at, static_cast<std::int64_t>(value));
    else store(at, static_cast<std::int32_t>(value));
  }

  operand what_;
  std::vector<std::byte> memory_;
};

/// Numbers from -1 to 1, the same in every run.
class numbers {
 public:
  explicit numbers(std::uint32_t seed = 1) : state_(seed * 2654435761u + 12345u) {}
  double next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<double>(state_ >> 8) / (1 << 23) - 1.0;
  }
  double between(double low, double high) { return low + (next() + 1) / 2 * (high - low); }

 private:
  std::uint32_t state_;
};

inline host_tensor& fill_between(host_tensor& t, double low, double high, std::uint32_t seed) {
  numbers from(seed);
  return t.fill([&](std::int64_t) { return from.between(low, high); });
}

/// Strides of the same shape with its dimensions the other way round in memory: a transposed
/// tensor.
inline dimensions transposed_strides(const dimensions& shape) {
  dimensions made = shape;
  std::int64_t stride = 1;
  for (std::size_t i = 0; i < shape.size(); ++i, stride *= shape[i - 1]) made[i] = stride;
  return made;
}

}  // namespace conformance
