// SPDX-License-Identifier: Apache-2.0
#include "cluster/errors.hpp"

#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

error cluster_error(errc code, std::string sentence, const std::string& function,
                    const error* first) {
  error_detail detail;
  detail.message = std::move(sentence);
  detail.function = function;
  if (first == nullptr) return error(code, error_layer::cluster, std::move(detail));
  detail.cause = std::string(first->message());
  return error(code, error_layer::cluster, std::move(detail), first->system());
}

error limit_error(errc code, const char* what, std::size_t most) {
  return cluster_error(code,
                       "more than " + std::to_string(most) + " (cluster limits::" + what + ")");
}

error actor_died_error(const actor& ended, const std::string& function) {
  return cluster_error(errc::actor_died,
                       "the actor made by '" + ended.creation.function + "' has ended", function,
                       ended.why.code() != errc::ok ? &ended.why : nullptr);
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
