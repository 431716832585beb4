// SPDX-License-Identifier: Apache-2.0
#pragma once

// The values that every other file of this example passes around. Nothing here knows Beamlet: the
// functions of a program stay what they are, pipeline.cpp alone turns them into tasks.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace demo {

/// A file of a few kilobytes can claim any size; this fits a hundred-megapixel camera (384 MB).
inline constexpr std::uint64_t photo_pixels_max = 128'000'000;

/// Width and height in pixels.
struct picture_size {
  int width = 0;
  int height = 0;

  std::uint64_t pixels() const {
    return static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height);
  }
  bool operator==(const picture_size&) const = default;
};

/// Rows from top to bottom, pixels from left to right, channels side by side, one byte each, no
/// padding: 1 channel is grey, 3 are red, green and blue.
struct picture {
  picture_size size;
  int channels = 0;
  std::vector<std::uint8_t> bytes;

  picture() = default;
  /// A black picture.
  picture(picture_size s, int channel_count)
      : size(s),
        channels(channel_count),
        bytes(s.pixels() * static_cast<unsigned>(channel_count)) {}

  std::size_t row_bytes() const { return static_cast<std::size_t>(size.width) * channels; }
  const std::uint8_t* row(int y) const { return bytes.data() + row_bytes() * y; }
  std::uint8_t* row(int y) { return bytes.data() + row_bytes() * y; }
  bool operator==(const picture&) const = default;
};

/// The bytes of a file, before they are known to be a picture.
using file_bytes = std::vector<std::uint8_t>;
using byte_view = std::span<const std::uint8_t>;

/// Why there is no picture.
enum class fault { unreadable, not_an_image, damaged, too_large };

constexpr std::string_view to_string(fault kind) {
  switch (kind) {
    case fault::unreadable: return "unreadable";
    case fault::not_an_image: return "not an image";
    case fault::damaged: return "damaged";
    case fault::too_large: return "too large";
  }
  return "unknown";
}

struct failure {
  fault kind = fault::unreadable;
  std::string message;
};

/// A value, or why there is none.
template <class T>
using outcome = std::variant<T, failure>;

}  // namespace demo
