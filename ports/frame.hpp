// SPDX-License-Identifier: Apache-2.0
#pragma once

// Frames in a stream of bytes, with descriptors beside it. On the wire a frame is a header of 8
// bytes (length as u32, count of descriptors as u16, a mark as u16; little-endian), the bytes, and
// zeros up to a multiple of 8. Its descriptors travel with the first byte of its header. The reader
// trusts nothing: it may face a hostile or crashed program.

#include <beamlet/base/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ports/descriptor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

inline constexpr std::size_t frame_header_bytes = 8;
/// Descriptors of one frame: a segment or two at a time; each costs the receiver one of its limit.
inline constexpr std::size_t frame_descriptors_max = 8;

/// Zeros behind `bytes` bytes of a frame.
constexpr std::size_t frame_padding(std::size_t bytes) { return (8 - bytes % 8) % 8; }

/// REQUIRES: bytes < 2^32, descriptors <= frame_descriptors_max.
std::array<std::byte, frame_header_bytes> frame_header(std::size_t bytes, std::size_t descriptors);

struct frame {
  std::span<const std::byte> bytes;  ///< 8-aligned; valid until more is read
  std::vector<descriptor> descriptors;
};

/// Cuts a stream into frames. Takes memory for what has arrived, never for what a header promises.
///
/// Thread: one at a time.   Limits: buffers one frame of `frame_bytes_max` and what is read beyond.
class frame_reader {
 public:
  explicit frame_reader(std::size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  /// At least `bytes` bytes to be filled with what comes next in the stream. Frames that next()
  /// gave are gone.
  std::span<std::byte> room(std::size_t bytes);
  /// `bytes` bytes of the room were filled; `descriptors` came with them.
  void filled(std::size_t bytes, std::vector<descriptor> descriptors);
  /// The stream has ended.
  void end() { ended_ = true; }

  /// The next whole frame; none when more has to be read. After an error there is only that error.
  ///
  /// Errors: closed (the stream ended between two frames), malformed (it ended within one; no
  /// frame; descriptors that belong to none, or fewer than the header says), too_large. Descriptors
  /// not given out are closed.
  result<std::optional<frame>> next();

 private:
  std::size_t held() const { return end_ - begin_; }
  result<std::optional<frame>> fail(error why);
  result<std::optional<frame>> take(std::size_t bytes, std::size_t descriptors);

  std::size_t frame_bytes_max_;
  std::vector<std::byte> buffer_;  // begin_ .. end_ is what has not been given out
  std::size_t begin_ = 0, end_ = 0;
  std::vector<descriptor> descriptors_;
  bool ended_ = false;
  error failed_;
};

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
