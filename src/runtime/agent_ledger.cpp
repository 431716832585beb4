// SPDX-License-Identifier: Apache-2.0
// The program's resources where an agent has them: names on the wire, numbers in the ledger here.

#include "runtime/agent_engine.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

std::vector<wire::need> agent_engine::named(std::span<const quantity> needs) const {
  std::vector<wire::need> all;
  std::lock_guard hold(home_->ledger_lock);
  for (const quantity& q : needs)
    all.push_back({std::string(home_->names.name(q.resource)), q.amount});
  return all;
}

std::vector<quantity> agent_engine::numbered(const std::vector<wire::need>& needs) {
  std::vector<quantity> all;
  std::lock_guard hold(home_->ledger_lock);
  for (const wire::need& need : needs)
    if (auto id = home_->names.intern(need.resource); id.has_value())
      all.push_back({*id, need.amount});
  return all;
}

/// Before anything runs that the agent sent, and before the program goes on.
void agent_engine::on_welcome() {
  const std::vector<quantity> all = numbered(session_->resources());
  std::vector<quantity> own;
  {
    std::lock_guard hold(home_->ledger_lock);
    for (const quantity& q : all)
      if (holds_ && q.resource != resource::cpu)
        own.push_back({q.resource, home_->resources.total(q.resource)});
  }
  if (!own.empty()) session_->borrow_at_once(named(own));
  sched::share_ledger(*home_, all, holds_);
}

void agent_engine::borrow(std::span<const quantity> idle, std::span<const quantity> wanted) {
  const bool whole = sched::try_allocate([&] {
    if (!idle.empty()) session_->repay(named(idle));
    if (wanted.empty()) return;
    session_->borrow(named(wanted),
                     [this, all = std::vector(wanted.begin(), wanted.end())](const error& why) {
                       telling inside;
                       if (why.code() == errc::ok) return sched::lent(*home_, all);
                       sched::not_lent(*home_, why);
                     });
  });
  if (whole) return;
  // What was to be repaid is not.
  session_->give_up();
  if (!wanted.empty()) sched::not_lent(*home_, error(errc::no_memory, error_layer::runtime));
}

result<void> agent_engine::borrow_now(std::span<const quantity> wanted) {
  constexpr base::time_ns loan_wait_ns = 1'000'000'000;
  if (!may_wait_here()) return error(errc::busy, error_layer::runtime);
  return session_->await_loan(named(wanted), loan_wait_ns);
}

void agent_engine::on_recall(const std::vector<wire::need>& needs) {
  telling inside;
  sched::recall(*home_, numbered(needs));
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
