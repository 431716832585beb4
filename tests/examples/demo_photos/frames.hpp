// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "image.hpp"

namespace demo {

/// One invented photo: a sky, some discs, noise, and the more out of focus the higher its index.
/// The same seed and index give the same bytes on every machine.
picture make_frame(std::uint64_t seed, int index);

/// Stands in for photographs where there are none: writes `frames_count` frames into `folder`, JPEG
/// and PNG by turns.
std::optional<failure> write_frames(const std::filesystem::path& folder, std::uint64_t seed);

inline constexpr int frames_count = 8;
inline constexpr picture_size frame_size{1280, 960};

}  // namespace demo
