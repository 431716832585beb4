// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two ends of a codec: a writer that appends values to bytes and a reader that takes them off
// bytes that nobody vouches for. Numbers are little-endian and of fixed size; a count is eight
// bytes. Both are sticky: after the first failure nothing more is written or read, so that a codec
// may check once.

#include <beamlet/base/bytes.hpp>
#include <beamlet/base/limits.hpp>
#include <beamlet/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// Appends values to a vector of bytes.
///
/// Thread: one at a time.
/// Errors: sticky; too_large past `bytes_max`, too_deep past limits::codec_depth_max. What was
/// appended before stays. Where exceptions are on, `std::bad_alloc` passes through; `encode_to`
/// turns it into no_memory.
/// Lifetime: `out` must outlive the writer, and belongs to it while it writes.
class writer {
 public:
  /// `bytes_max` bounds what this writer appends, not what `out` held before. `context` is for
  /// codecs of higher layers, which know what it points to; null means that there is none.
  explicit writer(std::vector<std::byte>& out, void* context = nullptr,
                  std::size_t bytes_max = limits::encoded_bytes_max) noexcept
      : out_(out), context_(context), begin_(out.size()), left_(bytes_max) {}
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  bool ok() const noexcept { return failure_.code() == errc::ok; }
  const error& failure() const noexcept { return failure_; }
  void* context() const noexcept { return context_; }
  /// Bytes appended so far.
  std::size_t size() const noexcept { return out_.size() - begin_; }

  /// Keeps the first failure; nothing is written after it.
  void fail(error e) noexcept {
    if (ok()) failure_ = std::move(e);
    left_ = 0;
  }

  void bytes(std::span<const std::byte> source);
  template <class T>
  requires std::is_arithmetic_v<T>
  void number(T value) {
    if (!reserve(sizeof(T))) return;
    out_.resize(out_.size() + sizeof(T));
    base::store_le(out_.data() + out_.size() - sizeof(T), value);
  }
  void count(std::size_t elements) { number(std::uint64_t{elements}); }

 private:
  friend class nesting;
  bool reserve(std::size_t bytes) noexcept {
    if (bytes <= left_) {
      left_ -= bytes;
      return ok();
    }
    fail({errc::too_large, error_layer::base});
    return false;
  }

  std::vector<std::byte>& out_;
  void* context_;
  std::size_t begin_;
  std::size_t left_;
  unsigned depth_ = 0;
  error failure_;
};

/// Takes values off bytes that may be hostile: nothing is read past the end, and no count is
/// believed before it was compared with the bytes that are left.
///
/// Thread: one at a time.   Errors: sticky; malformed, too_deep past limits::codec_depth_max.
/// Lifetime: the input must outlive the reader.
class reader {
 public:
  explicit reader(std::span<const std::byte> input, void* context = nullptr) noexcept
      : input_(input), context_(context) {}
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  bool ok() const noexcept { return failure_.code() == errc::ok; }
  const error& failure() const noexcept { return failure_; }
  void* context() const noexcept { return context_; }
  /// Bytes not read yet; 0 after a failure.
  std::size_t remaining() const noexcept { return input_.size(); }

  /// Keeps the first failure; nothing is read after it.
  void fail(error e = {errc::malformed, error_layer::base}) noexcept {
    if (ok()) failure_ = std::move(e);
    input_ = {};
  }

  /// A view of the next bytes; empty after a failure.
  std::span<const std::byte> bytes(std::size_t size) noexcept {
    if (size > input_.size()) {
      fail();
      return {};
    }
    auto taken = input_.first(size);
    input_ = input_.subspan(size);
    return taken;
  }
  /// The next number; 0 after a failure.
  template <class T>
  requires std::is_arithmetic_v<T> T number()
  noexcept {
    auto image = bytes(sizeof(T));
    return image.size() == sizeof(T) ? base::load_le<T>(image.data()) : T{};
  }
  /// The number of elements that follow, `bytes_each` or more for one; 0 after a failure.
  /// REQUIRES: bytes_each > 0.
  std::size_t count(std::size_t bytes_each = 1) noexcept {
    auto elements = number<std::uint64_t>();
    if (elements <= remaining() / bytes_each) return static_cast<std::size_t>(elements);
    fail();
    return 0;
  }

 private:
  friend class nesting;

  std::span<const std::byte> input_;
  void* context_;
  unsigned depth_ = 0;
  error failure_;
};

/// Counts a level of containers while it lives, and fails its writer or reader when there are too
/// many. A codec of your own needs one if its type can contain itself (a pointer to a node, say).
class nesting {
 public:
  explicit nesting(writer& out) noexcept : depth_(out.depth_) { enter(out); }
  explicit nesting(reader& in) noexcept : depth_(in.depth_) { enter(in); }
  nesting(const nesting&) = delete;
  nesting& operator=(const nesting&) = delete;
  ~nesting() { --depth_; }

 private:
  template <class Stream>
  void enter(Stream& stream) noexcept {
    if (++depth_ > limits::codec_depth_max) stream.fail({errc::too_deep, error_layer::base});
  }
  unsigned& depth_;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
