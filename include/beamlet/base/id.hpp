// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/result.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// The name of an object, task or actor in a whole cluster, for ever: 32 bytes, minted by the
/// session that made it, without asking anyone. All zero names nothing.
///
/// Thread: a value type.
struct object_id {
  std::uint64_t node = 0;      ///< who answers for it
  std::uint32_t boot = 0;      ///< the node's boot epoch, so that a restart mints no id twice
  std::uint32_t session = 0;   ///< the process on that node
  std::uint64_t sequence = 0;  ///< counted by the session
  std::uint64_t guard = 0;     ///< random: who was not given an id cannot guess it

  friend auto operator<=>(const object_id&, const object_id&) = default;

  bool is_null() const noexcept { return *this == object_id{}; }

  /// 64 lower-case digits: the fields in order, the most significant digit first.
  std::string to_string() const;

  /// Errors: malformed when `text` is not exactly 64 hexadecimal digits.
  static result<object_id> parse(std::string_view text);
};

/// For unordered containers. An id is stored as it comes: one that a stranger chose may collide on
/// purpose.
struct object_id_hash {
  std::size_t operator()(const object_id& id) const noexcept {
    // The finaliser of splitmix64 over the fields that differ between ids of one cluster.
    std::uint64_t mixed =
        id.sequence ^ (id.node + id.guard) ^ (std::uint64_t{id.session} << 40) ^ id.boot;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return static_cast<std::size_t>(mixed ^ (mixed >> 31));
  }
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
