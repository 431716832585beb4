// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image.hpp"

#include <filesystem>
#include <optional>

namespace demo {

/// No photograph is larger; a longer file is refused before it fills the memory.
inline constexpr std::uint64_t photo_file_bytes_max = 512'000'000;

/// The .jpg, .jpeg and .png files (in any case) below `folder`, sorted, so that every run sees the
/// same order. Links to folders are not followed, so a loop of links ends; what lies in `except`
/// (our own output) is left out. A folder that may not be read is passed over.
std::vector<std::filesystem::path> find_photos(const std::filesystem::path& folder,
                                               const std::filesystem::path& except);

outcome<file_bytes> read_file(const std::filesystem::path& path);

/// Replaces the file.
std::optional<failure> write_file(const std::filesystem::path& path, byte_view bytes);
std::optional<failure> write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace demo
