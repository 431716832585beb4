// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/result.hpp>

#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// The system's number for something open, which is closed with this object. All that this layer
/// opens is closed in a program that this one executes.
///
/// Thread: a value type. A fork has a copy of its own, and closes only that.
class descriptor {
 public:
  descriptor() noexcept = default;
  /// Takes `number` over; a negative one is none.
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    descriptor before(std::exchange(number_, other.release()));
    return *this;
  }
  ~descriptor() { close(); }

  explicit operator bool() const noexcept { return number_ >= 0; }
  int number() const noexcept { return number_; }
  /// Gives it to the caller to close.
  int release() noexcept { return std::exchange(number_, -1); }
  /// Keeps errno.
  void close() noexcept;

 private:
  int number_ = -1;
};

/// Another descriptor of the same open thing, closed in a program that this one executes.
///
/// Errors: exhausted (RLIMIT_NOFILE), invalid_argument (not open).
result<descriptor> duplicate(int number);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
