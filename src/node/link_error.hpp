// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "beamlet/base/error.hpp"
#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// An error of a link that follows from `first`, whose message becomes the cause.
inline error link_error(errc code, std::string sentence, const error& first = {}) {
  error_detail detail;
  detail.message = std::move(sentence);
  if (first.code() != errc::ok) detail.cause = std::string(first.message());
  return error(code, error_layer::node, std::move(detail), first.system());
}

/// What a session is told when its agent cannot be heard any more. An end that was said is none of
/// the reasons worth telling. Where memory has run out there is no text.
inline error agent_lost_error(const error& first = {}) {
  error made(errc::agent_lost, error_layer::node);
  (void)sched::try_allocate([&] {
    made = link_error(errc::agent_lost, "the agent is gone",
                      first.code() == errc::closed ? error() : first);
  });
  return made;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
