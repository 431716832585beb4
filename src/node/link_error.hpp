// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "beamlet/base/error.hpp"
#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// An error of a link that follows from `first`, whose message becomes the cause. Where memory has
/// run out there is no text.
inline error link_error(errc code, std::string_view sentence, const error& first = {}) noexcept {
  error made(code, error_layer::node, first.system());
  (void)sched::try_allocate([&] {
    error_detail detail;
    detail.message = std::string(sentence);
    if (first.code() != errc::ok) detail.cause = std::string(first.message());
    made = error(code, error_layer::node, std::move(detail), first.system());
  });
  return made;
}

/// What a session is told when its agent cannot be heard any more. An end that was said is none of
/// the reasons worth telling.
inline error agent_lost_error(const error& first = {}) noexcept {
  return link_error(errc::agent_lost, "the agent is gone",
                    first.code() == errc::closed ? error() : first);
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
