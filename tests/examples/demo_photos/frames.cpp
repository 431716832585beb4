// SPDX-License-Identifier: Apache-2.0
#include "frames.hpp"

#include <algorithm>

#include "files.hpp"
#include "jpeg.hpp"
#include "png.hpp"

namespace demo {
namespace {

constexpr int discs_count = 60;
constexpr int jpeg_quality = 90;

// splitmix64: the standard library's distributions differ from one library to the next.
struct dice {
  std::uint64_t state;

  int below(int limit) {
    state += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<int>((z ^ (z >> 31)) % static_cast<std::uint64_t>(limit));
  }
};

void draw_sky(picture& frame) {
  for (int y = 0; y < frame.size.height; ++y) {
    const int light = 255 - y * 160 / frame.size.height;
    for (int x = 0; x < frame.size.width; ++x) {
      std::uint8_t* pixel = frame.row(y) + x * 3;
      pixel[0] = static_cast<std::uint8_t>(light / 2);
      pixel[1] = static_cast<std::uint8_t>(light * 3 / 4);
      pixel[2] = static_cast<std::uint8_t>(light);
    }
  }
}

void draw_disc(picture& frame, dice& random) {
  const int radius = 10 + random.below(90);
  const int cx = random.below(frame.size.width);
  const int cy = random.below(frame.size.height);
  std::uint8_t colour[3];
  for (std::uint8_t& c : colour) c = static_cast<std::uint8_t>(random.below(256));
  for (int y = std::max(0, cy - radius); y < std::min(frame.size.height, cy + radius); ++y) {
    for (int x = std::max(0, cx - radius); x < std::min(frame.size.width, cx + radius); ++x) {
      if ((x - cx) * (x - cx) + (y - cy) * (y - cy) >= radius * radius) continue;
      std::copy_n(colour, 3, frame.row(y) + x * 3);
    }
  }
}

// Averages each pixel with its right and lower neighbours, in place.
void blur(picture& frame) {
  for (int y = 0; y + 1 < frame.size.height; ++y) {
    std::uint8_t* here = frame.row(y);
    const std::uint8_t* below = frame.row(y + 1);
    for (std::size_t x = 0; x + 3 < frame.row_bytes(); ++x) {
      here[x] = static_cast<std::uint8_t>((2 * here[x] + here[x + 3] + below[x]) / 4);
    }
  }
}

void add_noise(picture& frame, dice& random) {
  for (std::uint8_t& value : frame.bytes) {
    value = static_cast<std::uint8_t>(std::clamp(value + random.below(9) - 4, 0, 255));
  }
}

}  // namespace

picture make_frame(std::uint64_t seed, int index) {
  dice random{seed + static_cast<std::uint64_t>(index) * 1'000'003};
  picture frame(frame_size, 3);
  draw_sky(frame);
  for (int i = 0; i < discs_count; ++i) draw_disc(frame, random);
  for (int i = 0; i < 2 * index; ++i) blur(frame);
  add_noise(frame, random);
  return frame;
}

std::optional<failure> write_frames(const std::filesystem::path& folder, std::uint64_t seed) {
  for (int i = 0; i < frames_count; ++i) {
    const bool as_jpeg = i % 2 == 0;
    const picture frame = make_frame(seed, i);
    auto encoded = as_jpeg ? encode_jpeg(frame, jpeg_quality) : encode_png(frame);
    if (auto* failed = std::get_if<failure>(&encoded)) return std::move(*failed);
    const auto name = "frame_" + std::to_string(i) + (as_jpeg ? ".jpg" : ".png");
    if (auto failed = write_file(folder / name, std::get<file_bytes>(encoded))) return failed;
  }
  return std::nullopt;
}

}  // namespace demo
