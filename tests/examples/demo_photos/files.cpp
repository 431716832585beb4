// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <algorithm>
#include <fstream>

namespace demo {

namespace fs = std::filesystem;

namespace {

bool has_photo_name(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

}  // namespace

std::vector<fs::path> find_photos(const fs::path& folder, const fs::path& except) {
  std::vector<fs::path> found;
  std::error_code failed;  // the overloads without it throw
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                         failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) {
      if (fs::equivalent(entry->path(), except, ignored)) entry.disable_recursion_pending();
    } else if (has_photo_name(entry->path())) {
      found.push_back(entry->path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

outcome<file_bytes> read_file(const fs::path& path) {
  std::error_code failed;
  const std::uintmax_t bytes = fs::file_size(path, failed);
  if (failed) return failure{fault::unreadable, failed.message()};
  if (bytes > photo_file_bytes_max) return failure{fault::too_large, "the file is too long"};
  file_bytes content(bytes);
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(bytes))) {
    return failure{fault::unreadable, "the file cannot be read"};
  }
  return content;
}

std::optional<failure> write_file(const fs::path& path, byte_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file) return std::nullopt;
  return failure{fault::unreadable, "cannot write " + path.string()};
}

std::optional<failure> write_file(const fs::path& path, std::string_view text) {
  return write_file(path,
                    byte_view(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace demo
