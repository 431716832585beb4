// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "beamlet/base/id.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// Who is called what. A name belongs to one actor and an actor has one name at most; it does not
/// hold the actor.
///
/// Thread: one.   Blocks: no.   Cost: logarithmic.
class names {
 public:
  using key = std::pair<std::string, std::string>;  ///< space, name

  /// Null: nobody.
  object_id find(const key& name) const;
  /// REQUIRES: neither is taken.
  void take(const key& name, const object_id& actor);
  bool has_name(const object_id& actor) const { return of_.contains(actor); }
  /// Frees its name; without one, nothing.
  void drop(const object_id& actor);
  std::size_t size() const { return to_.size(); }

 private:
  std::map<key, object_id> to_;
  std::map<object_id, key> of_;
};

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
