// SPDX-License-Identifier: Apache-2.0
#pragma once

// A node_state with what a test says to it and hears from it. Adopting and pinning succeed at once
// unless the test holds them back.

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cluster/node_state.hpp"

namespace cluster_box {
namespace cluster = beamlet::cluster;
namespace wire = beamlet::wire;
using beamlet::errc;
using beamlet::error;
using beamlet::object_id;

inline wire::value inline_value(std::vector<object_id> contained = {}) {
  return {.body = wire::bytes(8), .contained = std::move(contained)};
}
inline wire::value stored_value(std::vector<object_id> contained = {}) {
  return {.body = wire::extent{.segment = 1, .offset = 64, .size = 8},
          .contained = std::move(contained)};
}
inline wire::value failure(errc code) { return {.body = error(code), .contained = {}}; }

class box {
 public:
  explicit box(cluster::limits bounds = {}) : state({.node = 7, .boot = 3}, ledger, names, bounds) {
    const beamlet::quantity cpus[] = {{beamlet::resource::cpu, 4 * beamlet::amount_per_unit}};
    REQUIRE(ledger.grow(cpus));
  }

  static object_id id(std::uint32_t session, std::uint64_t sequence) {
    return {.node = 7, .boot = 3, .session = session, .sequence = sequence, .guard = 1};
  }

  /// What the step asks for, the store's answers included.
  cluster::actions step(cluster::event what) {
    cluster::actions out;
    state.step(std::move(what), now, out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      cluster::actions more;
      if (const auto* a = std::get_if<cluster::adopt>(&out[i]); a != nullptr && adopts)
        state.step(cluster::adopted{.id = a->id, .why = {}}, now, more);
      if (const auto* p = std::get_if<cluster::pin_set>(&out[i]); p != nullptr && pins)
        state.step(cluster::pinned{.key = p->key,
                                   .session = p->session,
                                   .objects = p->objects,
                                   .places = std::vector<wire::extent>(p->objects.size()),
                                   .why = {},
                                   .lost = {}},
                   now, more);
      out.insert(out.end(), more.begin(), more.end());
    }
    CHECK(state.check() == "");
    return last = std::move(out);
  }
  cluster::actions say(std::uint32_t session, wire::to_agent what) {
    return step(cluster::session_said{.session = session, .what = std::move(what)});
  }
  void open(std::uint32_t session, std::uint32_t slots = 1, std::uint64_t pool = 0) {
    step(cluster::session_opened{
        .session = session, .functions_hash = 1, .slots = slots, .pool = pool});
  }
  void end(std::uint32_t session) {
    step(cluster::session_ended{.session = session, .signal = 9, .how = {}});
  }
  void put(std::uint32_t session, const object_id& what, wire::value made) {
    say(session, wire::publish{what});
    say(session, wire::fulfil{what, std::move(made)});
  }

  /// Of the last step: the actions of one kind, and the messages of one kind to one session.
  template <class Action>
  std::vector<Action> did() const {
    std::vector<Action> found;
    for (const cluster::action& a : last)
      if (const auto* one = std::get_if<Action>(&a)) found.push_back(*one);
    return found;
  }
  template <class Message>
  std::vector<Message> told(std::uint32_t session) const {
    std::vector<Message> found;
    for (const cluster::send& s : did<cluster::send>())
      if (const auto* one = std::get_if<Message>(&s.what); one != nullptr && s.session == session)
        found.push_back(*one);
    return found;
  }

  /// A task of one result, whose id is the task's plus one.
  wire::call call(std::uint32_t session, std::uint64_t sequence,
                  std::vector<object_id> arguments = {}) {
    wire::call c;
    c.task = id(session, sequence);
    c.function = "work";
    c.results = {id(session, sequence + 1)};
    for (const object_id& a : arguments) c.arguments.emplace_back().object = a;
    return c;
  }
  cluster::actions done(std::uint32_t session, const wire::call& c, wire::value made,
                        std::uint32_t attempt = 0) {
    return say(session,
               wire::done{.task = c.task, .attempt = attempt, .results = {std::move(made)}});
  }

  beamlet::ledger ledger;
  beamlet::resource_names names;
  cluster::node_state state;
  cluster::actions last;
  std::uint64_t now = 1;
  bool adopts = true, pins = true;
};

inline std::string message_of(const wire::value& v) {
  const auto* why = std::get_if<error>(&v.body);
  return why == nullptr ? "" : std::string(why->message());
}

}  // namespace cluster_box
