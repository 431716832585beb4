// SPDX-License-Identifier: Apache-2.0
// Actors' names, and the list of all actors. A name of an actor that is `away` is taken at its
// agent as well, where other programs and worker processes find it.

#include <algorithm>

#include "beamlet/sched/engine.hpp"
#include "sched/actor_extra.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

std::string full_name(std::string_view name_space, std::string_view name) {
  std::string full(name_space);
  full.push_back('\0');
  full.append(name);
  return full;
}

void list_actor(scheduler& home, actor_core& a) noexcept {
  std::lock_guard hold(home.actors_lock);
  a.following = home.actors;
  if (a.following != nullptr) a.following->previous = &a;
  home.actors = &a;
  a.listed = true;
}

/// Calls on their way to another process, so that it has the next one when it ends one: few where
/// the mailbox is small, as these are beside it, and none where it must be exact.
std::uint32_t calls_away_max(const actor_options& options, bool exact) {
  constexpr std::uint32_t pipelined_max = 32, share_of_mailbox = 64;
  if (exact) return options.concurrency;
  return options.concurrency + std::min(pipelined_max, options.capacity / share_of_mailbox);
}

result<void> take_options(scheduler& home, actor_core& a, const actor_options& options) {
  bool exact = options.policy == mailbox_policy::drop_oldest ||
               options.policy == mailbox_policy::keep_latest;
  a.capacity = options.policy == mailbox_policy::keep_latest ? 1 : options.capacity;
  a.policy = static_cast<std::uint8_t>(options.policy);
  a.concurrency = options.concurrency;
  a.away = options.away || options.isolated != nullptr;
  a.detour = exact || home.has_engine || a.away;
  if (a.away) a.concurrency = calls_away_max(options, exact);
  if (!exact && options.needs.empty() && options.groups.empty()) return {};
  actor_extra* extra = extra_of(a);
  if (extra == nullptr) return error(errc::no_memory, error_layer::sched);
  a.locked_box = exact;
  extra->constructor_came = a.away;  // it leaves at once
  if (a.away) return {};             // its process holds what it needs
  for (auto& [name, limit] : options.groups) {
    auto group = std::make_unique<concurrency_group>(name, limit);
    extra->groups.push_back(std::move(group));
  }
  if (options.needs.empty()) return {};
  BEAMLET_TRY_VOID(home.check_feasible(options.needs, false));
  auto taken = take_for_life(home, options.needs);
  if (!taken.has_value() && taken.error().code() != errc::busy) return taken;
  if (!taken.has_value())
    return error(errc::busy, error_layer::sched,
                 {"the resources that the actor asks for are held by others", "",
                  std::string(a.type->name), ""});
  extra->needs = options.needs;
  return {};
}

}  // namespace

result<void> open_actor(context& here, actor_core& a, const actor_options& options) {
  scheduler& home = here.home();
  BEAMLET_TRY_VOID(take_options(home, a, options));
  if (!options.name.empty()) {
    BEAMLET_TRY_VOID(name_actor(here, a, options.name_space, options.name));
    auto taken = a.away ? home.outside.load(std::memory_order_acquire)
                              ->name_actor(a, options.name_space, options.name)
                        : result<void>();
    if (!taken.has_value()) {
      release_name(a);
      return taken;
    }
  }
  list_actor(home, a);
  return {};
}

result<void> name_actor(context& here, actor_core& a, std::string_view name_space,
                        std::string_view name) {
  scheduler& home = here.home();
  actor_extra* extra = extra_of(a);
  if (extra == nullptr) return error(errc::no_memory, error_layer::sched);
  std::lock_guard hold(home.names_lock);
  auto [at, fresh] = home.actor_names.try_emplace(full_name(name_space, name), &a);
  if (!fresh)
    return error(errc::already_exists, error_layer::sched,
                 {"an actor named '" + std::string(name) + "' exists in namespace '" +
                      std::string(name_space) + "' (get_if_exists takes that one)",
                  "", "", ""});
  extra->name = name;
  extra->name_space = name_space;
  return {};
}

void release_name(actor_core& a) noexcept {
  actor_extra* extra = a.more.load(std::memory_order_acquire);
  if (extra == nullptr) return;
  scheduler& home = *a.home;
  std::lock_guard hold(home.names_lock);
  if (extra->name.empty()) return;
  auto at = home.actor_names.find(full_name(extra->name_space, extra->name));
  if (at != home.actor_names.end() && at->second == &a) home.actor_names.erase(at);
  extra->name.clear();
}

bool is_being_made(context& here, std::string_view name_space, std::string_view name) noexcept {
  scheduler& home = here.home();
  std::lock_guard hold(home.names_lock);
  auto at = home.actor_names.find(full_name(name_space, name));
  return at != home.actor_names.end() && !at->second->findable.load(std::memory_order_acquire);
}

void find_actor(context& here, std::string_view name_space, std::string_view name,
                void (*answer)(void* user, actor_core* found), void* user) noexcept {
  scheduler& home = here.home();
  actor_core* found = nullptr;
  {
    std::lock_guard hold(home.names_lock);
    auto at = home.actor_names.find(full_name(name_space, name));
    if (at != home.actor_names.end() && at->second->findable.load(std::memory_order_acquire) &&
        try_add_handle(*at->second))
      found = at->second;
  }
  answer(user, found);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
