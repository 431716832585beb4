// SPDX-License-Identifier: Apache-2.0
#include "cluster/lineage.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {
namespace {
// What it takes here, roughly: the records, the entries of the maps, and what the call carries.
std::size_t bytes_of(const wire::call& what) {
  std::size_t bytes = sizeof(lineage::entry) + 256 + what.function.size() +
                      what.options.name.size() + what.results.size() * 160;
  for (const wire::argument& argument : what.arguments)
    bytes += sizeof argument + argument.inline_value.size() +
             (argument.contained.size() + 1) * (sizeof(object_id) + 16);
  for (const std::string& variable : what.options.environment) bytes += variable.size() + 32;
  return bytes + what.options.needs.size() * sizeof(wire::need);
}
}  // namespace

void lineage::keep(task&& ended, std::size_t held) {
  if (entry* kept = find(ended.what.task)) {
    kept->ended = std::move(ended);
    return;
  }
  if (held == 0) return;
  const object_id id = ended.what.task;
  entry& kept = entries_[id];
  kept.ended = std::move(ended);
  kept.held = held;
  kept.order = next_order_++;
  const wire::call& what = kept.ended.what;
  kept.bytes = bytes_of(what);
  bytes_ += kept.bytes;
  by_age_.emplace(kept.order, id);
  for (const object_id& result : what.results) makers_[result] = id;
  for (const wire::argument& argument : what.arguments) {
    note_dependence(kept, argument.object);
    for (const object_id& inner : argument.contained) note_dependence(kept, inner);
  }
  while (bytes_ > bytes_max_) forget(object_id(by_age_.begin()->second));
}

void lineage::note_dependence(entry& dependent, const object_id& argument) {
  entry* maker = find(maker_of(argument));
  if (maker == nullptr) return;
  ++maker->dependents;
  dependent.depends_on.emplace_back(maker->ended.what.task, maker->order);
}

void lineage::forget(const object_id& task) {
  std::vector<object_id> doomed{task};
  while (!doomed.empty()) {
    auto at = entries_.find(doomed.back());
    doomed.pop_back();
    if (at == entries_.end()) continue;
    const entry& old = at->second;
    bytes_ -= old.bytes;
    by_age_.erase(old.order);
    for (const object_id& result : old.ended.what.results) makers_.erase(result);
    // A maker that was forgotten and kept again has another order: it never counted this one.
    for (const auto& [maker, order] : old.depends_on)
      if (entry* e = find(maker); e != nullptr && e->order == order)
        if (--e->dependents == 0 && e->held == 0) doomed.push_back(maker);
    entries_.erase(at);
  }
}

lineage::entry* lineage::find(const object_id& task) {
  auto at = entries_.find(task);
  return at == entries_.end() ? nullptr : &at->second;
}

object_id lineage::maker_of(const object_id& result) const {
  auto at = makers_.find(result);
  return at == makers_.end() ? object_id{} : at->second;
}

void lineage::result_made(const object_id& result) {
  if (entry* maker = find(maker_of(result))) ++maker->held;
}

void lineage::result_freed(const object_id& result) {
  const object_id task = maker_of(result);
  entry* maker = find(task);
  if (maker != nullptr && --maker->held == 0 && maker->dependents == 0) forget(task);
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
