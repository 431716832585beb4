// SPDX-License-Identifier: Apache-2.0
// What programs have of the ledger for what runs in themselves. They borrow when they need it, keep
// what becomes idle until others ask for it, and repay all when they end.
#include <algorithm>
#include <utility>

#include "cluster/chaos.hpp"
#include "cluster/errors.hpp"
#include "cluster/node_state.hpp"
#include "cluster/tell.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

// Names are not interned: a stranger's inventions would fill the table.
error node_state::find_needs(const std::vector<wire::need>& named,
                             std::vector<quantity>& needs) const {
  for (const wire::need& need : named) {
    auto id = resource_names_.find(need.resource);
    if (!id.has_value())
      return cluster_error(errc::infeasible, "this box has no '" + need.resource + "'");
    if (need.amount < 0) return cluster_error(errc::invalid_argument, "a need is negative");
    needs.push_back({.resource = *id, .amount = need.amount});
  }
  return {};
}

std::vector<wire::need> node_state::named(std::span<const quantity> needs) const {
  std::vector<wire::need> all;
  for (const quantity& q : needs)
    all.push_back({std::string(resource_names_.name(q.resource)), q.amount});
  return all;
}

void node_state::said(std::uint32_t from, wire::borrow&& m) {
  session& s = sessions_.at(from);
  borrow_request b{.session = from, .ticket = m.ticket, .needs = {}};
  error why = find_needs(m.needs, b.needs);
  if (m.at_once) return lend_at_once(s, b.needs);
  if (why.code() == errc::ok && !ledger_.feasible(b.needs))
    why = cluster_error(errc::infeasible, "more is to be borrowed than this box has");
  if (why.code() == errc::ok && s.borrows >= limits_.borrows_max)
    why = limit_error(errc::queue_full, "borrows_max", limits_.borrows_max);
  if (why.code() != errc::ok) return refuse(from, m.ticket, std::move(why));
  ++s.borrows;
  borrowers_.emplace(++last_key_, std::move(b));
  may_start_ = true;
}

// What runs already runs on, so there is nobody to wait.
void node_state::lend_at_once(session& s, std::span<const quantity> needs) {
  for (quantity q : needs) {
    q.amount = std::clamp<std::int64_t>(ledger_.available(q.resource), 0, q.amount);
    if (q.amount > 0 && ledger_.take({&q, 1})) s.borrowed[q.resource].amount += q.amount;
  }
}

bool node_state::serve_borrower(std::uint64_t order) {
  auto at = borrowers_.find(order);
  borrow_request& b = at->second;
  if (!ledger_.take(b.needs)) return false;
  session& s = sessions_.at(b.session);
  for (const quantity& q : b.needs) s.borrowed[q.resource].amount += q.amount;
  --s.borrows;
  if (sessions_.contains(s.program)) shares_[s.program].served = ++last_key_;
  tell(b.session, wire::lent{.ticket = b.ticket, .needs = named(b.needs)});
  borrowers_.erase(at);
  return true;
}

void node_state::said(std::uint32_t from, wire::repay&& m) {
  session& s = sessions_.at(from);
  std::vector<quantity> needs;
  (void)find_needs(m.needs, needs);  // what is unknown was not borrowed
  for (quantity q : needs) {
    auto at = s.borrowed.find(q.resource);
    if (at == s.borrowed.end()) continue;
    session::loan& has = at->second;
    q.amount = std::min(q.amount, has.amount);
    has.amount -= q.amount;
    has.recalled = std::min(std::max<std::int64_t>(has.recalled - q.amount, 0), has.amount);
    ledger_.give({&q, 1});
    if (has.amount == 0) s.borrowed.erase(at);
    may_start_ = true;
  }
}

// What the first of each queue needs and is not there may lie idle with a program.
void node_state::recall_missing() {
  const bool lent = std::any_of(sessions_.begin(), sessions_.end(),
                                [](const auto& each) { return !each.second.borrowed.empty(); });
  if (!lent) return;
  std::map<std::uint32_t, std::int64_t> wanted;
  for (const auto& [kind, queue] : queues_)
    for (const auto& [resource, amount] : kind.needs) wanted[resource] += amount;
  wanted[resource::cpu] += static_cast<std::int64_t>(hungry_.size()) * amount_per_unit;
  for (const auto& [order, b] : borrowers_)
    for (const quantity& q : b.needs) wanted[q.resource] += q.amount;
  std::map<std::uint32_t, std::vector<quantity>> by_session;
  for (const auto& [resource, amount] : wanted)
    recall(resource, amount - ledger_.available(resource), by_session);
  for (const auto& [number, needs] : by_session) tell(number, wire::recall{named(needs)});
}

void node_state::recall(std::uint32_t resource, std::int64_t missing,
                        std::map<std::uint32_t, std::vector<quantity>>& by_session) {
  for (const auto& [number, s] : sessions_)
    if (auto has = s.borrowed.find(resource); has != s.borrowed.end())
      missing -= has->second.recalled;
  for (auto& [number, s] : sessions_) {
    auto has = s.borrowed.find(resource);
    if (has == s.borrowed.end() || missing <= 0) continue;
    session::loan& l = has->second;
    const std::int64_t part = std::min(missing, l.amount - l.recalled);
    if (part <= 0) continue;
    l.recalled += part;
    missing -= part;
    by_session[number].push_back({resource, part});
  }
}

// Of a session that has ended.
void node_state::end_loans(std::uint32_t number, const session& s) {
  std::erase_if(borrowers_, [&](const auto& each) { return each.second.session == number; });
  if (chaos::planted(chaos::bug::lost_loan)) return;
  for (const auto& [resource, l] : s.borrowed) {
    const quantity q{resource, l.amount};
    ledger_.give({&q, 1});
  }
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
