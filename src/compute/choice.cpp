// SPDX-License-Identifier: Apache-2.0
#include "compute/choice.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "compute/errors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

bool is_same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

bool has_part(std::string_view name, std::string_view part) noexcept {
  return std::search(name.begin(), name.end(), part.begin(), part.end(), is_same_letter) !=
         name.end();
}

bool is_same_device(const device_info& a, const device_info& b) {
  if (a.kind == device_kind::cpu || b.kind == device_kind::cpu) return false;
  const std::array<std::uint8_t, 16> unknown{};
  if (a.uuid != unknown && b.uuid != unknown) return a.uuid == b.uuid;
  return a.backend != b.backend && a.kind == b.kind && a.vendor == b.vendor &&
         (has_part(a.name, b.name) || has_part(b.name, a.name));
}

double speed_of(const device_profile& p) {
  const work_time& flops = p.flops.back();
  const work_time& bytes = p.bytes.back();
  return flops.ns > 0 ? flops.work / flops.ns : bytes.ns > 0 ? bytes.work / bytes.ns : 0;
}

std::string rounded(double value) {
  const double scale = value < 10 ? 100 : value < 100 ? 10 : 1;
  std::string text = std::to_string(std::round(value * scale) / scale);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

choice_rules with_environment(choice_rules given) {
  const char* wanted = std::getenv("BEAMLET_DEVICE");
  if (wanted != nullptr && *wanted != '\0') given.wanted = wanted;
  const char* allowed = std::getenv("BEAMLET_ALLOW_SOFTWARE");
  given.allow_software |= allowed != nullptr && std::string_view(allowed) == "1";
  return given;
}

bool is_named(std::string_view wanted) noexcept { return !wanted.empty() && wanted != "auto"; }

bool has_name(const device_info& info, std::string_view wanted) noexcept {
  return !is_named(wanted) || wanted == info.backend || wanted == info.id() ||
         has_part(info.name, wanted);
}

std::string time_text(double ns) {
  if (ns < 1e3) return rounded(ns) + " ns";
  if (ns < 1e6) return rounded(ns / 1e3) + " us";
  if (ns < 1e9) return rounded(ns / 1e6) + " ms";
  return rounded(ns / 1e9) + " s";
}

std::string profile_text(const device_profile& p) {
  if (p.launch_ns <= 0) return "not measured";
  const work_time &bytes = p.bytes.back(), &flops = p.flops.back();
  std::string text = "launch " + time_text(p.launch_ns);
  if (bytes.ns > 0) text += ", " + rounded(bytes.work / bytes.ns) + " GB/s";
  if (flops.ns > 0) text += ", " + rounded(flops.work / flops.ns) + " GFLOP/s";
  if (p.upload_ns_per_byte > 0)
    text += ", copies in at " + rounded(1 / p.upload_ns_per_byte) + " and out at " +
            rounded(1 / p.download_ns_per_byte) + " GB/s";
  else text += ", no copies";
  return text;
}

void mark_twins(std::span<device_record> all) {
  for (device_record& one : all) one.twin_of.clear();
  for (device_record& one : all)
    for (device_record& other : all) {
      if (&one == &other || !one.fault.empty() || !other.fault.empty() || !one.twin_of.empty() ||
          !other.twin_of.empty() || !is_same_device(one.info, other.info))
        continue;
      const bool is_slower = speed_of(one.profile) < speed_of(other.profile);
      (is_slower ? one : other).twin_of = (is_slower ? other : one).info.id();
    }
}

void recent_times::add(double ns) noexcept {
  ns_[next_] = static_cast<float>(ns);
  next_ = static_cast<std::uint8_t>((next_ + 1u) % ns_.size());
  if (count_ < ns_.size()) ++count_;
}

double recent_times::usual() const noexcept {
  if (count_ == 0) return 0;
  auto sorted = ns_;
  const auto middle = sorted.begin() + (count_ - 1) / 2;
  std::nth_element(sorted.begin(), middle, sorted.begin() + count_);
  return double{*middle};
}

void recent_times::forget_all_but_usual() noexcept {
  if (count_ < 2) return;
  ns_[0] = static_cast<float>(usual());
  count_ = next_ = 1;
}

result<device_choice> device_choice::make(std::vector<device_record> all,
                                          const choice_rules& rules) {
  device_choice made;
  bool some_wanted = false;
  for (const device_record& r : all) {
    const bool wanted = has_name(r.info, rules.wanted);
    some_wanted |= wanted;
    std::string why;
    if (!wanted) why = "'" + rules.wanted + "' is wanted";
    else if (!r.fault.empty()) why = "not trusted: " + r.fault;
    else if (!r.twin_of.empty() && !is_named(rules.wanted)) why = "the same device as " + r.twin_of;
    else if (r.info.kind == device_kind::software && !rules.allow_software &&
             !is_named(rules.wanted))
      why =
          "a driver that computes on the processor, which only a name or "
          "BEAMLET_ALLOW_SOFTWARE=1 allows";
    made.against_.push_back(std::move(why));
  }
  made.round_trips_.resize(all.size());
  made.records_ = std::move(all);
  if (!some_wanted) return made.no_such_device(rules.wanted);
  return made;
}

error device_choice::no_such_device(std::string_view wanted) const {
  std::string list;
  for (const device_record& r : records_)
    list += (list.empty() ? "" : ", ") + r.info.id() + " (" + r.info.name + ")";
  return compute_error(errc::not_found, "there is no device '" + std::string(wanted) +
                                            "'; there are: " + (list.empty() ? "none" : list));
}

bool device_choice::may_choose(std::size_t device, std::string_view wanted) const noexcept {
  if (!is_named(wanted)) return against_[device].empty();
  return records_[device].fault.empty() && has_name(records_[device].info, wanted);
}

void device_choice::quarantine(std::size_t device, const std::string& why) {
  records_[device].fault = why;
  against_[device] = "not trusted: " + why;
}

device_choice::known_work& device_choice::known_of(work_key key) {
  if (known_.size() >= known_works_max && !known_.contains(key)) known_.clear();
  known_work& known = known_[key];
  known.on.resize(records_.size());
  return known;
}

double device_choice::expected_ns(const known_work& known, std::size_t device, const op_cost& cost,
                                  const transfers& to) const {
  const double trip = to.is_behind_input ? 0 : round_trips_[device].usual();
  const double took = known.on[device].took.usual();
  return trip +
         (took > 0 ? took : estimate_ns(records_[device].profile, cost, to.in_bytes, to.out_bytes));
}

result<std::size_t> device_choice::choose(work_key key, const op_cost& cost,
                                          std::span<const transfers> to,
                                          const std::vector<bool>& can, std::string_view wanted) {
  if (std::none_of(records_.begin(), records_.end(),
                   [&](const device_record& r) { return has_name(r.info, wanted); }))
    return no_such_device(wanted);
  known_work& known = known_of(key);
  std::vector<double> expected(records_.size(), std::numeric_limits<double>::infinity());
  std::size_t candidates = 0, best = no_device;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (!may_choose(i, wanted) || !can[i]) continue;
    expected[i] = expected_ns(known, i, cost, to[i]);
    if (candidates++ == 0 || expected[i] < expected[best]) best = i;
  }
  if (candidates == 0)
    return compute_error(errc::unsupported,
                         "no device that may be chosen can run it\n" + explain());
  // Who can only go to one device says nothing of the others.
  if (candidates > 1) best = settle(known, best, expected);
  last_ = {std::move(expected), best, candidates > 1 ? known.last : best};
  return best;
}

/// `best` is expected to be done first; those that cannot do it, never.
std::size_t device_choice::settle(known_work& known, std::size_t best,
                                  const std::vector<double>& expected) {
  if (known.last == no_device || !(expected[best] > stay_within * expected[known.last]))
    known.last = best;
  if (++known.choices == known.choices_at_trial) {
    known.choices_at_trial += std::min(known.choices, choices_per_trial);
    for (std::size_t i = 0; i < known.on.size(); ++i) {
      if (i == known.last) continue;
      known.on[i].took.forget_all_but_usual();
      known.on[i].trials = std::max(known.on[i].trials, later_trials);
    }
  }
  // Not before the best itself has been tried: then there is something to compare with.
  if (known.on[known.last].took.count() == 0) return known.last;
  for (std::size_t i = 0; i < known.on.size(); ++i) {
    known_device& one = known.on[i];
    if (i == known.last || one.trials == 0 || one.took.count() >= times_enough) continue;
    if (!(expected[i] <= try_within * expected[best])) continue;
    --one.trials;
    return i;
  }
  return known.last;
}

void device_choice::learn(work_key key, std::size_t device, double ns) {
  known_of(key).on[device].took.add(ns);
}

void device_choice::learn_round_trip(std::size_t device, double ns) {
  round_trips_[device].add(ns);
}

std::string device_choice::explain() const {
  std::string text;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const device_record& r = records_[i];
    text += r.info.id() + " " + r.info.name + " (" + name_of(r.info.kind) +
            "): " + (against_[i].empty() ? "may be chosen" : against_[i]) + "; " +
            profile_text(r.profile);
    if (round_trips_[i].count() != 0)
      text += ", there and back " + time_text(round_trips_[i].usual());
    text += "\n";
  }
  if (last_.chosen == no_device) return text;
  text += "last: " + records_[last_.chosen].info.id() + ": expected " +
          time_text(last_.expected[last_.chosen]);
  for (std::size_t i = 0; i < records_.size(); ++i)
    if (i != last_.chosen && std::isfinite(last_.expected[i]))
      text += ", of " + records_[i].info.id() + " " + time_text(last_.expected[i]);
  if (last_.chosen != last_.instead_of)
    text += "; tried as it may be faster than " + records_[last_.instead_of].info.id();
  return text + "\n";
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
