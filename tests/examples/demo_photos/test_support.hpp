// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "files.hpp"

namespace demo {

/// A folder of the test's own, gone at its end.
class scratch_folder {
 public:
  scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "demo_photos_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file below the folder and returns its path.
  template <class Content>
  std::string write(const std::string& name, const Content& content) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    REQUIRE_FALSE(write_file(path, content).has_value());
    return path.string();
  }

 private:
  std::filesystem::path path_;
};

/// A picture with one value in every byte.
inline picture flat_picture(picture_size size, int channels, std::uint8_t value) {
  picture image(size, channels);
  for (auto& byte : image.bytes) byte = value;
  return image;
}

/// A picture in which no two neighbours are alike.
inline picture busy_picture(picture_size size, int channels) {
  picture image(size, channels);
  for (std::size_t i = 0; i < image.bytes.size(); ++i) {
    image.bytes[i] = static_cast<std::uint8_t>(i * 37 + i / 64 * 11);
  }
  return image;
}

/// The value of an outcome that must have one.
template <class T>
T must(outcome<T> answer) {
  if (auto* failed = std::get_if<failure>(&answer)) FAIL(failed->message);
  return std::get<T>(std::move(answer));
}

/// The failure of an outcome that must have failed.
template <class T>
failure must_fail(const outcome<T>& answer) {
  REQUIRE(std::holds_alternative<failure>(answer));
  return std::get<failure>(answer);
}

}  // namespace demo
