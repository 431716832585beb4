// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/registry.hpp"

#include <unordered_map>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {
// Filled before main by the static objects of BEAMLET_REMOTE; trivially initialised, so that no
// order matters.
constinit registration* first_registration = nullptr;
}  // namespace

registration::registration(const registration_facts& facts) noexcept
    : registration_facts(facts), next(first_registration) {
  first_registration = this;
}

registration::~registration() {
  registration** link = &first_registration;
  while (*link != this) link = &(*link)->next;
  *link = next;
}

std::string wire_name(const registration& r) {
  std::string name = sched::readable_value(r.spelled);
  // g++ writes the arguments of a template, clang does not; the signature tells its functions
  // apart.
  if (std::size_t at = name.find('<'); at != name.npos && name.back() == '>') name.resize(at);
  if (r.signature != nullptr) r.signature(name);
  return name;
}

const registration* first_registered() noexcept { return first_registration; }

const registration* find_registration(const void* key) noexcept {
  for (registration* r = first_registration; r != nullptr; r = r->next)
    if (r->key == key) return r;
  return nullptr;
}

result<const registration*> find_registered(std::string_view name) {
  for (registration* r = first_registration; r != nullptr; r = r->next)
    if (r->entry != nullptr && wire_name(*r) == name) return r;
  std::string text(name);
  return error(errc::not_registered, error_layer::runtime,
               {"this program has no function '" + text +
                    "'; register it with BEAMLET_REMOTE, and if it lies in a static archive, link "
                    "that object file itself or the whole archive (--whole-archive)",
                "", text, ""});
}

result<void> check_registry() {
  std::unordered_map<std::string, const void*> seen;
  for (registration* r = first_registration; r != nullptr; r = r->next) {
    if (r->signature == nullptr) continue;  // no peer ever calls it
    std::string name = wire_name(*r);
    auto [at, fresh] = seen.try_emplace(name, r->key);
    if (fresh || at->second == r->key) continue;
    return error(errc::already_exists, error_layer::runtime,
                 {"two functions are registered as '" + name +
                      "': peers could not tell them apart; rename one or put it into a namespace",
                  "", name, ""});
  }
  return {};
}

}  // namespace detail

namespace sched {

std::string registered_name(const void* key) {
  const detail::registration* r = detail::find_registration(key);
  return r != nullptr ? readable_value(r->spelled) : std::string();
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
