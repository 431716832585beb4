// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much a value takes in a message, and which ids of a message are mentions. The agent counts
// them when it sends, the session when it has decoded: both through these, so that they cannot
// disagree. An id that occurs twice is mentioned twice.

#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// Roughly, from above: the value, its id and what it contains.
inline std::size_t message_bytes(const wire::value& v) {
  constexpr std::size_t object_bytes = 128, contained_bytes = 64;
  const auto* carried = std::get_if<wire::bytes>(&v.body);
  return object_bytes + v.contained.size() * contained_bytes +
         (carried != nullptr ? carried->size() : 0);
}

template <class Fn>
void for_each_mention(const wire::object_here& object, Fn&& fn) {
  fn(object.id);
  for (const object_id& inner : object.what.contained) fn(inner);
}

template <class Fn>
void for_each_mention(const wire::here& message, Fn&& fn) {
  for (const wire::object_here& object : message.objects) for_each_mention(object, fn);
}

/// With its value it is a `here` that nobody had to ask for; without, mere news.
template <class Fn>
void for_each_mention(const wire::sealed& message, Fn&& fn) {
  if (!message.has_value) return;
  fn(message.id);
  for (const object_id& inner : message.what.contained) fn(inner);
}

/// Refs given as they are, refs inside inline arguments, and the objects with what they contain.
/// Not the results, the task or the actor: those say where to deliver, and an actor must not hold
/// itself.
template <class Fn>
void for_each_mention(const wire::execute& message, Fn&& fn) {
  for (const wire::argument& argument : message.what.arguments) {
    if (argument.by_ref) fn(argument.object);
    for (const object_id& inner : argument.contained) fn(inner);
  }
  for (const wire::object_here& object : message.objects) for_each_mention(object, fn);
}

template <class Fn>
void for_each_mention(const wire::named& message, Fn&& fn) {
  if (!message.actor.is_null()) fn(message.actor);
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
