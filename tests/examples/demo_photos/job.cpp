// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include <algorithm>

#include "decode.hpp"
#include "files.hpp"

namespace demo {
namespace {

// Photos so small that `job_pixels_min` would take for ever get fewer rounds.
constexpr std::uint64_t automatic_rows_max = 20'000;

std::uint64_t pixels_by_header(const std::string& path) {
  const auto size = measure(path);
  const auto* known = std::get_if<picture_size>(&size);
  return known != nullptr && known->pixels() <= photo_pixels_max ? known->pixels() : 0;
}

}  // namespace

std::uint64_t job::pixels() const {
  std::uint64_t sum = 0;
  for (const photo& one : photos) sum += one.pixels;
  return sum * static_cast<std::uint64_t>(rounds);
}

job plan_job(const std::filesystem::path& folder, const std::filesystem::path& except, int rounds) {
  job work;
  for (const auto& path : find_photos(folder, except)) {
    work.photos.push_back({path.string(), path.lexically_relative(folder).generic_string(),
                           pixels_by_header(path.string())});
  }
  const std::uint64_t pixels = work.pixels();
  if (rounds != 0) {
    work.rounds = rounds;
  } else if (pixels != 0) {
    const std::uint64_t enough = (job_pixels_min + pixels - 1) / pixels;
    const std::uint64_t bearable =
        std::max<std::uint64_t>(1, automatic_rows_max / work.photos.size());
    work.rounds = static_cast<int>(std::min(enough, bearable));
  }
  return work;
}

}  // namespace demo
