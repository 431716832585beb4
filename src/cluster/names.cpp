// SPDX-License-Identifier: Apache-2.0
#include "cluster/names.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

object_id names::find(const key& name) const {
  auto at = to_.find(name);
  return at == to_.end() ? object_id{} : at->second;
}

void names::take(const key& name, const object_id& actor) {
  to_.emplace(name, actor);
  of_.emplace(actor, name);
}

void names::drop(const object_id& actor) {
  auto at = of_.find(actor);
  if (at == of_.end()) return;
  to_.erase(at->second);
  of_.erase(at);
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
