// SPDX-License-Identifier: Apache-2.0
#include "beamlet/base/ledger.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {
constexpr std::int64_t amount_max = limits::resource_units_max * amount_per_unit;
static_assert(amount_max <= INT64_MAX / 2, "two amounts must add up without overflow");

error resource_error(errc code, std::string_view name, std::string_view what) {
  std::string message = "resource '";
  message.append(name.substr(0, limits::resource_name_bytes_max)).append("': ").append(what);
  return error(code, error_layer::base,
               {.message = std::move(message), .type = {}, .function = {}, .cause = {}});
}

// Not std::isalnum: a locale must not decide what a name is.
bool may_stand_in_resource_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-.:/").find(c) != std::string_view::npos;
}

bool is_resource_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > limits::resource_name_bytes_max) return false;
  for (char c : name)
    if (!may_stand_in_resource_name(c)) return false;
  return true;
}
}  // namespace

result<std::int64_t> parse_amount(double units, std::string_view name) {
  const char* fault = nullptr;
  if (std::isnan(units)) fault = "not a number";
  else if (units < 0) fault = "negative";
  else if (units > static_cast<double>(limits::resource_units_max)) fault = "absurdly large";
  else if (units > 0 && units < 0.5 / amount_per_unit) fault = "smaller than 1/10000";
  if (fault == nullptr) return std::int64_t{std::llround(units * amount_per_unit)};
  char number[32];
  std::snprintf(number, sizeof number, "%g", units);
  std::string what = number;
  if (!std::isnan(units)) what.append(" is ").append(fault);
  else what = fault;
  return resource_error(errc::invalid_argument, name, what);
}

resource_names::resource_names() : names_{"cpu", "gpu", "memory"} {}

result<std::uint32_t> resource_names::find(std::string_view name) const {
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (names_[i] == name) return static_cast<std::uint32_t>(i);
  return resource_error(errc::not_found, name, "no such resource");
}

result<std::uint32_t> resource_names::intern(std::string_view name) {
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (names_[i] == name) return static_cast<std::uint32_t>(i);
  if (!is_resource_name(name))
    return resource_error(errc::invalid_argument, name,
                          "a name is 1 to 64 letters, digits and _-.:/");
  if (names_.size() == limits::resources_max)
    return resource_error(errc::exhausted, name, "there are too many names of resources already");
  names_.emplace_back(name);
  return static_cast<std::uint32_t>(names_.size() - 1);
}

std::string_view resource_names::name(std::uint32_t resource) const noexcept {
  return resource < names_.size() ? std::string_view(names_[resource]) : "unknown";
}

bool ledger::grow(std::span<const quantity> more) noexcept {
  for (std::size_t i = 0; i < more.size(); ++i) {
    auto [id, amount] = more[i];
    if (id < entries_.size() && amount >= 0 && amount <= amount_max - entries_[id].total) {
      entries_[id].total += amount;
      entries_[id].available += amount;
      continue;
    }
    for (quantity done : more.first(i)) shrink(done);
    return false;
  }
  return true;
}

std::int64_t ledger::shrink(quantity wanted) noexcept {
  std::int64_t amount = std::min(wanted.amount, available(wanted.resource));
  if (amount <= 0) return 0;
  entries_[wanted.resource].total -= amount;
  entries_[wanted.resource].available -= amount;
  return amount;
}

bool ledger::take(std::span<const quantity> wanted) noexcept {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto [id, amount] = wanted[i];
    if (amount == 0) continue;  // also of what is overdrawn
    if (amount < 0 || amount > available(id)) {
      give(wanted.first(i));
      return false;
    }
    entries_[id].available -= amount;
  }
  return true;
}

void ledger::give(std::span<const quantity> taken) noexcept {
  for (auto [id, amount] : taken) {
    BEAMLET_ASSERT(amount >= 0 && amount <= total(id) - available(id),
                   "more is given back than was taken");
    if (amount > 0) entries_[id].available += amount;
  }
}

void ledger::overdraw(const quantity& wanted) noexcept {
  BEAMLET_ASSERT(wanted.amount >= 0, "an amount is negative");
  if (wanted.resource < entries_.size()) entries_[wanted.resource].available -= wanted.amount;
}

bool ledger::carve(std::span<const quantity> lent, ledger& borrower) noexcept {
  if (!take(lent)) return false;
  if (borrower.grow(lent)) return true;
  give(lent);
  return false;
}

bool ledger::recall(std::span<const quantity> lent, ledger& borrower) noexcept {
  bool all = true;
  for (quantity q : lent) {
    quantity back{q.resource, borrower.shrink(q)};
    give({&back, 1});
    all = all && back.amount >= q.amount;
  }
  return all;
}

bool ledger::feasible(std::span<const quantity> wanted) const noexcept {
  ledger idle = *this;
  for (entry& e : idle.entries_) e.available = e.total;
  return idle.take(wanted);
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
