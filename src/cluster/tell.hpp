// SPDX-License-Identifier: Apache-2.0
#pragma once

// How `node_state` speaks to sessions. To one that has ended: nothing is sent and nothing counted.

#include <utility>
#include <vector>

#include "cluster/mentions.hpp"
#include "cluster/node_state.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

template <class Message>
void node_state::tell(std::uint32_t to, Message&& message) {
  if (sessions_.contains(to)) out_->push_back(send{to, std::forward<Message>(message)});
}

template <class Message>
void node_state::tell_mentioning(std::uint32_t to, Message&& message) {
  if (!sessions_.contains(to)) return;
  std::vector<object_id> mentioned, shown;
  for_each_mention(message, [&](const object_id& id) { mentioned.push_back(id); });
  if constexpr (requires { message.objects; })
    for (const wire::object_here& object : message.objects) shown.push_back(object.id);
  out_->push_back(send{to, std::forward<Message>(message)});
  for (const object_id& id : mentioned) objects_.mention(holder_of(to), id);
  for (const object_id& id : shown) objects_.hold_of(holder_of(to), id).told = true;
  // News of what was only mentioned comes after the message that says what it is about.
  for (const object_id& id : mentioned)
    tell_if_ready(id, *objects_.find(id), objects_.hold_of(holder_of(to), id), false);
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
