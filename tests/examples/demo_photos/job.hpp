// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>

#include "ranking.hpp"

namespace demo {

struct photo {
  std::string path;
  std::string name;          ///< the path below the folder, as the report shows it
  std::uint64_t pixels = 0;  ///< by the file's header; 0 when that cannot be read
};

/// The work: every photo, `rounds` times. Both versions get the same one.
struct job {
  std::vector<photo> photos;
  int rounds = 1;

  std::uint64_t pixels() const;  ///< of all rounds
  std::size_t rows_count() const { return photos.size() * static_cast<std::size_t>(rounds); }
};

/// What both versions must answer alike.
struct findings {
  std::vector<row> rows;     ///< round by round, each in the order of `job::photos`
  std::vector<ranked> best;  ///< the ranking
  picture sheet;             ///< the contact sheet
};

/// Called after each photo, on the thread that runs the job.
using on_photo = std::function<void(const photo&)>;

/// A job needs this much work before two times can be compared.
inline constexpr std::uint64_t job_pixels_min = 200'000'000;
inline constexpr int rounds_max = 100'000;

/// Finds the photos below `folder`. Without `rounds` (0) repeats them until `job_pixels_min`.
job plan_job(const std::filesystem::path& folder, const std::filesystem::path& except, int rounds);

/// The job as a plain loop on one core, without Beamlet (plain.cpp).
findings run_plain(const job& work, const on_photo& done);

}  // namespace demo
