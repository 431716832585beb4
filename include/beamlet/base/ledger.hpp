// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counted resources of a node: cpu, gpu, memory, or any label. Amounts are fixed point, 1/10 000 of
// a unit, so that fractions add up exactly. The node's ledger lends parts of itself to the ledgers
// of its sessions.

#include <beamlet/base/limits.hpp>
#include <beamlet/base/result.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// So much of one resource. The id comes from a `resource_names`, the amount is in 1/10 000 of a
/// unit.
struct quantity {
  std::uint32_t resource = 0;
  std::int64_t amount = 0;

  friend bool operator==(const quantity&, const quantity&) = default;
};

inline constexpr std::int64_t amount_per_unit = 10'000;

/// Ids that every table of names begins with.
namespace resource {
inline constexpr std::uint32_t cpu = 0, gpu = 1, memory = 2;
}

/// Turns `units` of the resource called `name` into an amount, rounded to the nearest 1/10 000.
///
/// Errors: invalid_argument, naming the resource and the number: negative, not a number, above
/// limits::resource_units_max, or so small that it would round to nothing.
result<std::int64_t> parse_amount(double units, std::string_view name);

/// Names of resources and their small ids.
///
/// Thread: one at a time; its owner locks it.
class resource_names {
 public:
  resource_names();

  /// The id of `name`, a new one when it was never seen.
  ///
  /// Errors: invalid_argument for a name that is empty, longer than limits::resource_name_bytes_max
  /// or has other characters than letters, digits and `_-.:/`; exhausted after
  /// limits::resources_max names.
  result<std::uint32_t> intern(std::string_view name);

  /// Errors: not_found, naming it.
  result<std::uint32_t> find(std::string_view name) const;

  /// "unknown" for an id that was never given out. Valid until the next `intern`.
  std::string_view name(std::uint32_t resource) const noexcept;

  std::size_t size() const noexcept { return names_.size(); }

 private:
  std::vector<std::string> names_;
};

/// What there is, and what of it is free. A list of quantities may name a resource twice; they add
/// up.
///
/// Thread: one at a time; its owner locks it.   Blocks: no.   Cost: as the list is long; never
/// allocates.
class ledger {
 public:
  /// Raises the total. All or nothing: false, and nothing is changed, when an amount is negative,
  /// an id is not below limits::resources_max, or a total would pass limits::resource_units_max.
  [[nodiscard]] bool grow(std::span<const quantity> more) noexcept;

  /// Lowers the total by what is free, `wanted` at most, and returns by how much.
  std::int64_t shrink(quantity wanted) noexcept;

  /// Takes all, or nothing and returns false.
  [[nodiscard]] bool take(std::span<const quantity> wanted) noexcept;

  /// Gives back what `take` took. Giving back more than was taken is a programmer's mistake and
  /// panics.
  void give(std::span<const quantity> taken) noexcept;

  /// Takes even what is not there: `available` may fall below zero until others give back. For a
  /// task that lent its cpu while it waited and must go on now. REQUIRES: wanted.amount >= 0.
  void overdraw(const quantity& wanted) noexcept;

  /// Lends: takes from here, all or nothing, and grows `borrower` by it.
  [[nodiscard]] bool carve(std::span<const quantity> lent, ledger& borrower) noexcept;

  /// Takes back what of `lent` lies idle in `borrower`. False when some of it is in use there; ask
  /// again.
  bool recall(std::span<const quantity> lent, ledger& borrower) noexcept;

  /// Whether `take` could succeed once everything was given back.
  bool feasible(std::span<const quantity> wanted) const noexcept;

  std::int64_t total(std::uint32_t resource) const noexcept { return entry_of(resource).total; }
  std::int64_t available(std::uint32_t resource) const noexcept {
    return entry_of(resource).available;
  }

 private:
  struct entry {
    std::int64_t total = 0;
    std::int64_t available = 0;
  };
  entry entry_of(std::uint32_t resource) const noexcept {
    return resource < entries_.size() ? entries_[resource] : entry{};
  }

  std::array<entry, limits::resources_max> entries_{};
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
