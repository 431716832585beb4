// SPDX-License-Identifier: Apache-2.0
// What there is on a box, as `beamlet status` tells it.
#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "beamlet/version.hpp"
#include "node/agent.hpp"
#include "ports/threads.hpp"
#include "wire/limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace {

std::uint64_t size_of_value(const cluster::object& x) {
  if (auto* there = std::get_if<wire::extent>(&x.made.body)) return there->size;
  if (auto* bytes = std::get_if<wire::bytes>(&x.made.body)) return bytes->size();
  return 0;
}

wire::store_status status_of_store(const store::usage& used, const store::options& limits) {
  return {.memory = used.memory,
          .memory_max = limits.memory_bytes,
          .files = used.files,
          .free = used.free,
          .quarantined = used.quarantined,
          .leased = used.leased,
          .published = used.published,
          .pinned = used.pinned,
          .evictable = used.evictable,
          .spilled = used.spilled,
          .spill_files = used.spill_files,
          .spill_max = limits.spill_bytes,
          .requests = used.waiting};
}

std::string agent_version() {
  return std::to_string(BEAMLET_VERSION_MAJOR) + '.' + std::to_string(BEAMLET_VERSION_MINOR) + '.' +
         std::to_string(BEAMLET_VERSION_PATCH);
}

}  // namespace

void agent::said(std::uint32_t from, member&, wire::look&& message) { tell(from, answer(message)); }

wire::status agent::answer(const wire::look& asked) const {
  const cluster::node_state::counts counts = state_.count();
  wire::status all{.ticket = asked.ticket,
                   .process = ports::process_id(),
                   .version = agent_version(),
                   .up_ns = port_.now_ns() - started_ns_,
                   .objects_store = status_of_store(store_.used(), options_.store),
                   .objects = counts.objects,
                   .calls = counts.tasks,
                   .actors = counts.actors,
                   .names = counts.names,
                   .waits = counts.waits,
                   .lineage = counts.lineage,
                   .programs = 0,
                   .workers = 0,
                   .sessions = {},
                   .listed = {},
                   .log = options_.log_file,
                   .resources = status_of_resources()};
  for (const auto& [number, m] : members_) {
    if (m.only_looks()) continue;
    ++(m.pool != 0 ? all.workers : all.programs);
    if (all.sessions.size() < wire::limits::status_sessions_max)
      all.sessions.push_back(status_of(number, m));
  }
  using entry = std::pair<const object_id, cluster::object>;
  std::vector<const entry*> objects;
  for (const entry& each : state_.held().all()) objects.push_back(&each);
  auto count =
      std::min({std::size_t{asked.objects_max}, wire::limits::status_objects_max, objects.size()});
  auto end = objects.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(objects.begin(), end, objects.end(), [](const entry* a, const entry* b) {
    std::uint64_t one = size_of_value(a->second), other = size_of_value(b->second);
    return one != other ? one > other : a->second.since_ns < b->second.since_ns;
  });
  for (auto at = objects.begin(); at != end; ++at)
    all.listed.push_back(status_of((*at)->first, (*at)->second));
  return all;
}

std::vector<wire::resource_status> agent::status_of_resources() const {
  std::vector<wire::resource_status> all;
  for (std::uint32_t r = 0; r < names_.size(); ++r) {
    if (ledger_.total(r) == 0) continue;
    all.push_back({.name = std::string(names_.name(r)),
                   .total = ledger_.total(r),
                   .available = ledger_.available(r)});
    for (const auto& [number, m] : members_)
      if (const cluster::session* s = state_.find_session(number))
        if (auto loan = s->borrowed.find(r); loan != s->borrowed.end())
          all.back().borrowed += loan->second.amount;
  }
  return all;
}

wire::session_status agent::status_of(std::uint32_t number, const member& m) const {
  const store::session_usage used = store_.used(number);
  wire::session_status made{.session = number,
                            .process = m.peer.process,
                            .pool = m.pool,
                            .program = m.program.substr(0, wire::limits::status_name_bytes_max),
                            .age_ns = port_.now_ns() - m.since_ns,
                            .ended = m.ended,
                            .pins = used.pins,
                            .pinned = used.pinned,
                            .leases = used.leases,
                            .leased = used.leased,
                            .requests = used.requests};
  const object_index::pins silent = index_.of(number);
  made.pins += silent.count;
  made.pinned += silent.bytes;
  auto held = state_.held().held().find({state_.self(), number});
  if (held != state_.held().held().end()) made.held = held->second.size();
  if (const cluster::session* s = state_.find_session(number)) {
    made.running = s->running.size() + s->serving.size();
    made.waiting = s->submitted.size();
  }
  return made;
}

wire::object_status agent::status_of(const object_id& id, const cluster::object& x) const {
  wire::object_status made{.id = id,
                           .size = size_of_value(x),
                           .age_ns = port_.now_ns() - x.since_ns,
                           .holders = static_cast<std::uint32_t>(x.holds.size()),
                           .pins = {}};
  made.id.guard = 0;
  if (x.what == cluster::object::state::actor) {
    made.state = wire::object_state::actor;
  } else if (x.failed()) {
    made.state = wire::object_state::failed;
  } else if (x.stored()) {
    const store::store::object_usage used = store_.used(id);
    made.state = used.in_memory ? wire::object_state::memory : wire::object_state::disk;
    for (const auto& [session, pins] : used.pins)
      if (made.pins.size() < wire::limits::status_pins_max) made.pins.push_back({session, pins});
  } else if (x.what == cluster::object::state::sealed) {
    made.state = wire::object_state::inline_value;
  }
  return made;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
