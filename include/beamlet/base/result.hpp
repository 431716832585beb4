// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/error.hpp>
#include <beamlet/base/panic.hpp>

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#if BEAMLET_HAS_EXCEPTIONS
#include <exception>
#include <string>
#endif

namespace beamlet {
inline namespace BEAMLET_ABI {

#if BEAMLET_HAS_EXCEPTIONS
/// Thrown by `result::value()` only, and only where exceptions are on.
class bad_result : public std::exception {
 public:
  explicit bad_result(beamlet::error error) : error_(std::move(error)), text_(error_.describe()) {}
  const char* what() const noexcept override { return text_.c_str(); }
  const beamlet::error& error() const noexcept { return error_; }

 private:
  beamlet::error error_;
  std::string text_;
};
#endif

namespace detail {
/// Panics with the error's text.
[[noreturn]] void panic_without_value(const error& e) noexcept;
/// Throws `bad_result`, or panics where exceptions are off.
[[noreturn]] inline void fail_result(const error& e) {
#if BEAMLET_HAS_EXCEPTIONS
  throw bad_result(e);
#else
  panic_without_value(e);
#endif
}
}  // namespace detail

/// Either a `T` or an `error`. Member names are those of `std::expected` (C++23), so that an alias
/// can replace it. There is no implicit conversion to bool; write `if (!r.has_value())` or use
/// `explicit operator bool`.
///
/// Thread: a value type.   Cost: the larger of `T` and `error`, plus a flag; never allocates.
template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;
  using error_type = beamlet::error;

  template <class U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, result> &&
           !std::is_same_v<std::remove_cvref_t<U>, beamlet::error> &&
           !std::is_same_v<std::remove_cvref_t<U>, errc>) result(U&& value)
      : has_value_(true), value_(std::forward<U>(value)) {}  // NOLINT: converts
  result(beamlet::error e) noexcept
      : has_value_(false), error_(std::move(e)) {}                 // NOLINT: converts
  result(errc code) noexcept : has_value_(false), error_(code) {}  // NOLINT: converts
  template <class... A>
  explicit result(std::in_place_t, A&&... arguments)
      : has_value_(true), value_(std::forward<A>(arguments)...) {}

  result(const result& other) requires std::is_copy_constructible_v<T>
      : has_value_(other.has_value_) {
    if (has_value_) std::construct_at(std::addressof(value_), other.value_);
    else std::construct_at(std::addressof(error_), other.error_);
  }
  result(result&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : has_value_(other.has_value_) {
    if (has_value_) std::construct_at(std::addressof(value_), std::move(other.value_));
    else std::construct_at(std::addressof(error_), std::move(other.error_));
  }
  result& operator=(result other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    destroy();
    has_value_ = other.has_value_;
    if (has_value_) std::construct_at(std::addressof(value_), std::move(other.value_));
    else std::construct_at(std::addressof(error_), std::move(other.error_));
    return *this;
  }
  ~result() { destroy(); }

  bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }

  /// The value. Throws `bad_result` when there is none (panics where exceptions are off).
  T& value() & { return has_value_ ? value_ : (detail::fail_result(error_), value_); }
  const T& value() const& { return has_value_ ? value_ : (detail::fail_result(error_), value_); }
  T&& value() && { return std::move(has_value_ ? value_ : (detail::fail_result(error_), value_)); }

  /// The value. Panics with the error's text when there is none.
  T& operator*() & noexcept { return checked(), value_; }
  const T& operator*() const& noexcept { return checked(), value_; }
  T&& operator*() && noexcept { return checked(), std::move(value_); }
  T* operator->() noexcept { return checked(), std::addressof(value_); }
  const T* operator->() const noexcept { return checked(), std::addressof(value_); }

  /// REQUIRES: !has_value().
  const beamlet::error& error() const& noexcept { return checked_error(), error_; }
  beamlet::error&& error() && noexcept { return checked_error(), std::move(error_); }

  template <class U>
  T value_or(U&& other) const& {
    return has_value_ ? value_ : static_cast<T>(std::forward<U>(other));
  }
  template <class U>
  T value_or(U&& other) && {
    return has_value_ ? std::move(value_) : static_cast<T>(std::forward<U>(other));
  }
  template <class F>
  auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
    if (!has_value_) return std::move(error_);
    return std::forward<F>(f)(std::move(value_));
  }
  template <class F>
  auto transform(F&& f) && -> result<std::invoke_result_t<F, T&&>> {
    if (!has_value_) return std::move(error_);
    return std::forward<F>(f)(std::move(value_));
  }

 private:
  void checked() const noexcept {
    if (!has_value_) [[unlikely]]
      detail::panic_without_value(error_);
  }
  void checked_error() const noexcept {
    BEAMLET_ASSERT(!has_value_, "error() was called on a result that holds a value");
  }
  void destroy() noexcept {
    if (has_value_) std::destroy_at(std::addressof(value_));
    else std::destroy_at(std::addressof(error_));
  }

  bool has_value_;
  union {
    T value_;
    beamlet::error error_;
  };
};

/// Success without a value, or an `error`.
template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;
  using error_type = beamlet::error;

  result() noexcept = default;
  result(beamlet::error e) noexcept : error_(std::move(e)) {}  // NOLINT: converts
  result(errc code) noexcept : error_(code) {}                 // NOLINT: converts

  bool has_value() const noexcept { return error_.code() == errc::ok; }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const {
    if (!has_value()) detail::fail_result(error_);
  }
  void operator*() const noexcept {
    if (!has_value()) detail::panic_without_value(error_);
  }
  const beamlet::error& error() const& noexcept { return error_; }
  beamlet::error&& error() && noexcept { return std::move(error_); }

 private:
  beamlet::error error_;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet

#define BEAMLET_CONCAT_(a, b) a##b
#define BEAMLET_CONCAT(a, b) BEAMLET_CONCAT_(a, b)
#define BEAMLET_TRY_(holder, declaration, ...)               \
  auto holder = (__VA_ARGS__);                               \
  if (!holder.has_value()) return std::move(holder).error(); \
  declaration = *std::move(holder)

/// `BEAMLET_TRY(auto file, open(path));` takes the value, or returns the error from this function.
#define BEAMLET_TRY(declaration, ...) \
  BEAMLET_TRY_(BEAMLET_CONCAT(beamlet_try_, __LINE__), declaration, __VA_ARGS__)
/// `BEAMLET_TRY_VOID(write(file));` goes on, or returns the error from this function.
#define BEAMLET_TRY_VOID(...)                                                          \
  do {                                                                                 \
    auto beamlet_try_result = (__VA_ARGS__);                                           \
    if (!beamlet_try_result.has_value()) return std::move(beamlet_try_result).error(); \
  } while (false)
