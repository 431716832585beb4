// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which device runs a piece of work: the one that would be done first, of those that are trusted
// and wanted. Estimates come from each device's profile; where a piece of work has run before, from
// how long it took. The way to a device and back is learned by itself, as it is the same for all.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compute/profile.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// What is known of a device, measured or told by who measured it.
struct device_record {
  device_info info;
  device_profile profile;
  std::string fault;    ///< why it is not trusted (quarantine); empty: it is
  std::string twin_of;  ///< the id under which the same device is faster; empty: none

  BEAMLET_FIELDS(info, profile, fault, twin_of);
};

struct choice_rules {
  /// "auto" or empty; a backend ("opencl"), one of its devices ("opencl:1"), or a part of a
  /// device's name, in any case.
  std::string wanted = {};
  bool allow_software = false;  ///< also without being named
};

/// BEAMLET_DEVICE, if it is set and not empty, is what is wanted; BEAMLET_ALLOW_SOFTWARE=1 allows
/// software devices.
choice_rules with_environment(choice_rules given);

/// Whether that is a device's name, and not "auto" or nothing.
bool is_named(std::string_view wanted) noexcept;
/// Whether a device has the name that is wanted; all have none and "auto".
bool has_name(const device_info& info, std::string_view wanted) noexcept;

/// Names the twins: of two records of one device (one uuid, else one name and vendor) the one that
/// multiplies matrices, or moves bytes, slower.
void mark_twins(std::span<device_record> all);

/// The last few times of one thing. What it usually takes is their median: on a machine that does
/// other things, too, one of them may be anything.
class recent_times {
 public:
  void add(double ns) noexcept;
  std::size_t count() const noexcept { return count_; }
  /// The lesser of the two in the middle; 0: none yet.
  double usual() const noexcept;
  /// From now on new ones count as much as all of the old ones together.
  void forget_all_but_usual() noexcept;

 private:
  std::array<float, 5> ns_{};
  std::uint8_t count_ = 0, next_ = 0;
};

/// Thread: one at a time.
class device_choice {
 public:
  /// Errors: not_found (nothing has the name that is wanted; the message lists what there is).
  static result<device_choice> make(std::vector<device_record> all, const choice_rules& rules);

  std::span<const device_record> devices() const noexcept { return records_; }
  /// Empty: it may be chosen. Else why not, in words.
  const std::string& reason_against(std::size_t device) const noexcept { return against_[device]; }

  /// The same for work that takes about the same time on a device.
  using work_key = std::uint64_t;
  /// What would have to be copied to device i, and back.
  struct transfers {
    std::uint64_t in_bytes = 0, out_bytes = 0;
    /// It would go into the queue behind work that makes its inputs: nobody waits in between.
    bool is_behind_input = false;
  };

  /// The index of the device that would be done first. `to[i]` belongs to device i; `can[i]` is
  /// false where device i cannot run it at all.
  ///
  /// Work stays where it was as long as no other device would be done in `stay_within` of the time
  /// there. A device that was not tried often enough for this work, and that is expected to be
  /// within `try_within` of the best, is tried: at first up to `first_trials` times, and
  /// `later_trials` times more after 16, 32, 64 and 128 choices and every 128 from there on: the
  /// first times may be those of cold caches, and devices become faster and slower.
  /// `wanted`: of the devices with this name only, which may be chosen if they are trusted.
  /// Errors: unsupported (no device can), not_found (no device has the name).
  result<std::size_t> choose(work_key key, const op_cost& cost, std::span<const transfers> to,
                             const std::vector<bool>& can, std::string_view wanted = {});
  bool may_choose(std::size_t device, std::string_view wanted) const noexcept;
  static constexpr double try_within = 2, stay_within = 0.95;
  static constexpr std::uint8_t first_trials = 4, later_trials = 2, times_enough = 3;
  static constexpr std::uint64_t choices_to_second_trial = 16, choices_per_trial = 128;

  /// How long it took there, transfers included, but not the way there and back.
  void learn(work_key key, std::size_t device, double ns);
  /// How much longer than that it took for whoever waited for one piece of work alone.
  void learn_round_trip(std::size_t device, double ns);

  /// From now on it is not trusted.
  void quarantine(std::size_t device, const std::string& why);

  /// The devices, what was measured, and why each may or may not be chosen; then the last choice
  /// with what was expected of each.
  std::string explain() const;

 private:
  static constexpr std::size_t known_works_max = 4096, no_device = SIZE_MAX;
  struct known_device {
    recent_times took;
    std::uint8_t trials = first_trials;  // that are left
  };
  struct known_work {
    std::vector<known_device> on;  // by device
    std::size_t last = no_device;  // chosen, and no trial
    std::uint64_t choices = 0, choices_at_trial = choices_to_second_trial;
  };
  error no_such_device(std::string_view wanted) const;
  known_work& known_of(work_key key);
  double expected_ns(const known_work& known, std::size_t device, const op_cost& cost,
                     const transfers& to) const;
  std::size_t settle(known_work& known, std::size_t best, const std::vector<double>& expected);

  std::vector<device_record> records_;
  std::vector<std::string> against_;
  std::vector<recent_times> round_trips_;  // by device
  std::unordered_map<work_key, known_work> known_;
  struct last_choice {
    std::vector<double> expected;  // by device; infinite: it was out of the question
    std::size_t chosen = no_device, instead_of = no_device;
  } last_;
};

/// For people: "2.5 ms"; "launch 4 us, 2.5 GB/s" and the like.
std::string time_text(double ns);
std::string profile_text(const device_profile& profile);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
