// SPDX-License-Identifier: Apache-2.0
#include "cluster/node_state.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

node_state::node_state(node_id self, ledger& resources, resource_names& names_of_resources,
                       const limits& bounds)
    : self_(self),
      ledger_(resources),
      resource_names_(names_of_resources),
      limits_(bounds),
      lineage_(bounds.lineage_bytes_max) {}

void node_state::step(event what, std::uint64_t now_ns, actions& out) {
  now_ns_ = now_ns;
  out_ = &out;
  std::visit([&](auto& e) { on(std::move(e)); }, what);
  settle();
  wake_rested();
  expire();
  end_idle_workers();
  settle();
  set_timer_if_new();
  out_ = nullptr;
}

// Everything that follows from an event, from lists and never by recursion: a chain of a million
// calls that fail, or of a million values that contain each other, is a loop.
void node_state::settle() {
  for (;;) {
    if (!sealed_.empty()) {
      object_id id = sealed_.front();
      sealed_.pop_front();
      on_sealed(id);
    } else if (!complete_.empty()) {
      std::uint64_t key = complete_.front();
      complete_.pop_front();
      on_complete(key);
    } else if (auto freed = objects_.next_freed()) {
      on_freed(freed->first, std::move(freed->second));
    } else if (!roomy_.empty()) {
      deliver_all(roomy_.extract(roomy_.begin()).value());
    } else if (!bereaved_.empty()) {
      cancel_unshared();
    } else if (!dispatch()) {
      return;
    }
  }
}

// What a program submitted and nobody else waits for goes with it. Actors go by their holders.
void node_state::cancel_unshared() {
  auto calls = bereaved_.extract(bereaved_.begin());
  for (const object_id& id : calls.mapped()) {
    auto at = tasks_.find(id);
    if (at == tasks_.end() || at->second.what.kind == wire::call_kind::create_actor) continue;
    const std::vector<object_id>& results = at->second.what.results;
    bool shared = std::any_of(results.begin(), results.end(),
                              [&](const object_id& r) { return objects_.find(r) != nullptr; });
    if (!shared) cancel_one(id, false);
  }
}

void node_state::set_timer_if_new() {
  std::uint64_t next = deadlines_.empty() ? ~std::uint64_t{0} : deadlines_.begin()->first;
  if (!resting_.empty()) next = std::min(next, resting_.begin()->first);
  if (!idle_.empty()) next = std::min(next, idle_.begin()->first + limits_.worker_idle_ns);
  if (next != timer_ns_ && next != ~std::uint64_t{0}) out_->push_back(set_timer{next});
  timer_ns_ = next;
}

node_state::counts node_state::count() const {
  return {.sessions = sessions_.size(),
          .objects = objects_.size(),
          .waits = waits_.size(),
          .tasks = tasks_.size(),
          .actors = actors_.size(),
          .names = names_.size(),
          .lineage = lineage_.size(),
          .lineage_bytes = lineage_.bytes()};
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
