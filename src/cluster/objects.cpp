// SPDX-License-Identifier: Apache-2.0
#include "cluster/objects.hpp"

#include <algorithm>
#include <utility>

#include "beamlet/base/panic.hpp"
#include "cluster/chaos.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

object* objects::find(const object_id& id) {
  auto at = all_.find(id);
  return at == all_.end() ? nullptr : &at->second;
}

const object* objects::find(const object_id& id) const {
  auto at = all_.find(id);
  return at == all_.end() ? nullptr : &at->second;
}

object& objects::get_or_make(const object_id& id) {
  auto [at, made] = all_.try_emplace(id);
  if (made) doubt(id, at->second);
  return at->second;
}

object::hold& objects::hold_of(const holder& who, const object_id& id) {
  object* held = find(id);
  BEAMLET_ASSERT(held != nullptr, "what is held exists");
  for (object::hold& h : held->holds)
    if (h.who == who) return h;
  held_[who].insert(id);
  return held->holds.emplace_back(object::hold{.who = who});
}

object::hold& objects::own(const holder& who, const object_id& id) {
  object::hold& h = hold_of(who, id);
  h.own = true;
  return h;
}

object::hold& objects::mention(const holder& who, const object_id& id) {
  object::hold& h = hold_of(who, id);
  ++h.mentions;
  return h;
}

void objects::use(const object_id& id) {
  object* used = find(id);
  BEAMLET_ASSERT(used != nullptr, "what is used exists");
  ++used->uses;
}

void objects::release(const holder& who, const object_id& id, std::uint32_t mentions) {
  object* held = find(id);
  if (held == nullptr) return;
  for (object::hold& h : held->holds) {
    if (h.who != who) continue;
    if (chaos::planted(chaos::bug::double_release)) mentions *= 2;
    if (chaos::planted(chaos::bug::early_free)) mentions = h.mentions;
    h.own = false;
    h.mentions -= std::min(h.mentions, mentions);
    if (h.mentions == 0) drop_hold(who, id, *held);
    return;
  }
}

void objects::drop_hold(const holder& who, const object_id& id, object& from) {
  std::erase_if(from.holds, [&](const object::hold& h) { return h.who == who; });
  auto mine = held_.find(who);
  if (mine != held_.end()) {
    mine->second.erase(id);
    if (mine->second.empty()) held_.erase(mine);
  }
  doubt(id, from);
}

void objects::unuse(const object_id& id) {
  object* used = find(id);
  if (used == nullptr) return;
  BEAMLET_ASSERT(used->uses > 0, "a use is given back once");
  if (--used->uses == 0) doubt(id, *used);
}

void objects::end(const holder& who) {
  auto mine = held_.extract(who);
  if (mine.empty()) return;
  for (const object_id& id : mine.mapped()) drop_hold(who, id, *find(id));
}

void objects::fill(object& to, wire::value&& value, object::state as) {
  for (const object_id& inner : value.contained) use(inner);
  to.made = std::move(value);
  to.what = as;
}

void objects::empty(object& of) {
  wire::value old = std::exchange(of.made, {});
  of.what = object::state::pending;
  for (const object_id& inner : old.contained) unuse(inner);
}

void objects::doubt(const object_id& id, object& about) {
  if (about.doubted || !about.holds.empty() || about.uses != 0) return;
  about.doubted = true;
  doubted_.push_back(id);
}

std::optional<std::pair<object_id, object>> objects::next_freed() {
  while (!doubted_.empty()) {
    auto at = all_.find(doubted_.back());
    doubted_.pop_back();
    at->second.doubted = false;
    if (!at->second.holds.empty() || at->second.uses != 0) continue;
    std::pair<object_id, object> freed(at->first, std::move(at->second));
    all_.erase(at);
    if (!chaos::planted(chaos::bug::lost_release))
      for (const object_id& inner : freed.second.made.contained) unuse(inner);
    return freed;
  }
  return std::nullopt;
}

std::size_t objects::held_count(const holder& who) const {
  auto mine = held_.find(who);
  return mine == held_.end() ? 0 : mine->second.size();
}

std::vector<object_id> objects::promised_by(const holder& who) const {
  std::vector<object_id> found;
  object_id first{.node = who.where.node, .boot = who.where.boot, .session = who.session};
  for (auto at = all_.lower_bound(first); at != all_.end(); ++at) {
    const object_id& id = at->first;
    if (id.node != first.node || id.boot != first.boot || id.session != first.session) break;
    if (at->second.what == object::state::pending && at->second.maker.is_null())
      found.push_back(id);
  }
  return found;
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
