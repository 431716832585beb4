// SPDX-License-Identifier: Apache-2.0
// The agent's loops, and what sessions say.
#include "node/agent.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "beamlet/base/panic.hpp"
#include "node/agent_limits.hpp"
#include "node/chaos.hpp"
#include "wire/encoding.hpp"
#include "wire/limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
std::string spill_folder_name(const agent_options& options) {
  object_id id{.node = options.node, .boot = options.boot};
  return spill_folder_prefix + id.to_string().substr(0, 24) + '-' + options.life;
}

spill_options spill_options_of(const agent_options& options, const outer_world& world) {
  auto is_dead = [&world](const std::string& name) {
    std::size_t life = std::string_view(spill_folder_prefix).size() + 25;
    return name.starts_with(spill_folder_prefix) && name.size() > life &&
           world.has_ended(name.substr(life));
  };
  return {.folder = options.spill_folder, .name = spill_folder_name(options), .is_dead = is_dead};
}
}  // namespace

agent::agent(ports::port& port, outer_world& world, agent_options options)
    : port_(port),
      world_(world),
      options_(std::move(options)),
      started_ns_(port.now_ns()),
      logger_(options_.log, options_.log_level),
      state_({.node = options_.node, .boot = options_.boot}, ledger_, names_, options_.limits),
      index_(options_.store.session_pinned_bytes / pin_slots),
      store_(options_.store, &index_),
      segments_(options_.fallback_folder),
      files_(
          port, *this, [this](const store::extent& where) { return segments_.bytes(where); },
          spill_options_of(options_, world)) {
  handle([this] {
    take_resources();
    step(cluster::tick{});
  });
}

void agent::take_resources() {
  auto all = options_.resources;
  all.emplace_back(names_.name(resource::cpu), options_.cpus);
  for (const auto& [name, units] : all) {
    auto id = names_.intern(name);
    auto amount = parse_amount(units, name);
    if (id.has_value() && amount.has_value()) {
      const quantity more[] = {{.resource = *id, .amount = *amount}};
      if (ledger_.grow(more)) continue;
    }
    logger_.write(log_level::error, error_layer::node, port_.now_ns(),
                  "resource '" + name + "' is left out");
  }
}

agent::~agent() { BEAMLET_ASSERT(!busy(), "stop() and turns come before the agent's end"); }

std::uint32_t agent::add_session(std::unique_ptr<session_link> link, std::uint64_t pool,
                                 const behind& peer) {
  std::uint32_t number = ++last_session_;
  handle([&] {
    member& m = members_[number];
    m.link = std::move(link);
    m.pool = pool;
    m.peer = peer;
    m.since_ns = port_.now_ns();
    m.due_ns = port_.now_ns() + hello_ns_max;
  });
  return number;
}

// -- the loops

void agent::step(cluster::event what) {
  events_.push_back(std::move(what));
  if (std::exchange(stepping_, true)) return;
  while (!events_.empty()) {
    cluster::actions out;
    port_.note(events_.front().index());
    state_.step(std::move(events_.front()), port_.now_ns(), out);
    events_.pop_front();
    // An answer that is known at once becomes the next event, behind these actions.
    for (cluster::action& a : out) {
      port_.note(16 + a.index());
      std::visit([&](auto& each) { carry_out(std::move(each)); }, a);
    }
  }
  stepping_ = false;
}

// Deadlines are counted from the store's idea of the time, which must not be that of the turn
// before: a turn may last for hours.
void agent::refresh_time() {
  if (!std::exchange(fresh_, true)) store_.advance(port_.now_ns());
}

void agent::advance() {
  if (!stopped_) handle([this] { advance_all(); });
}

void agent::advance_all() {
  fresh_ = false;
  refresh_time();
  const base::time_ns now = port_.now_ns();
  if (timer_ns_ <= now) {
    timer_ns_ = base::never_ns;
    step(cluster::tick{});
  }
  if (watch_ns_ <= now) watch_memory();
  // A worker process does not read while a call runs in it, which may take long.
  for (std::uint32_t late : segments_.take_late(now, now + unmap_ns_max))
    if (!state_.is_busy_worker(late))
      expel(late, node_error(errc::timeout, "a segment that is gone was not unmapped in time"));
  for (auto& [number, m] : members_)
    if (m.runs != 0 && now >= m.told_ran_ns + runs_wait_ns) tell_ran(number, m, 0);
  do {
    pump_store();
  } while (settle_members());
  fresh_ = false;
  closed_.clear();
}

base::time_ns agent::next_ns() const {
  if (stopped_) return base::never_ns;
  if (!closed_.empty()) return 0;
  base::time_ns next = std::min({timer_ns_, watch_ns_, store_.next_ns(), segments_.next_ns()});
  for (const auto& [number, m] : members_)
    next = std::min({next, m.due_ns, m.runs != 0 ? m.told_ran_ns + runs_wait_ns : base::never_ns});
  return next;
}

// -- what sessions say

void agent::on_message(std::uint32_t session, wire::to_agent message) {
  handle([&] { hear(session, std::move(message)); });
}

void agent::hear(std::uint32_t session, wire::to_agent message) {
  auto at = members_.find(session);
  if (at == members_.end() || at->second.link == nullptr || at->second.left) return;
  member& m = at->second;
  ++heard_;
  refresh_time();
  port_.note(64 + message.index());
  if (!m.open && !std::holds_alternative<wire::hello>(message))
    return expel(session, node_error(errc::malformed, "the first message was not hello"));
  std::visit([&](auto& each) { said(session, m, std::move(each)); }, message);
}

template <class Message>
void agent::said(std::uint32_t from, member&, Message&& message) {
  step(cluster::session_said{.session = from, .what = std::forward<Message>(message)});
}

error agent::check_hello(const member& m, const wire::hello& message) const {
  if (m.open) return node_error(errc::malformed, "hello was said twice");
  if (message.version != wire::format_version)
    return node_error(errc::unsupported,
                      "the program speaks version " + std::to_string(message.version) +
                          ", the agent of this box version " +
                          std::to_string(wire::format_version) + ": build both with one Beamlet");
  if (message.worker != (m.pool != 0))
    return node_error(errc::permission, "only a process that the agent started is a worker");
  auto wanted = pool_hashes_.find(m.pool);
  if (wanted != pool_hashes_.end() && wanted->second != message.functions_hash)
    return node_error(errc::unsupported,
                      "the program's file was replaced while it ran: its worker process has other "
                      "functions; restart the program");
  return {};
}

void agent::said(std::uint32_t from, member& m, wire::hello&& message) {
  if (draining_) return close_link(m);  // who comes now finds another agent, or starts it
  // Two builds of a program may have the same functions, and not do the same.
  if (message.functions_hash != 0) message.functions_hash ^= m.peer.program;
  if (error why = check_hello(m, message); why.code() != errc::ok)
    return expel(from, std::move(why));
  m.open = true;
  m.due_ns = base::never_ns;
  m.program = std::move(message.program);
  m.functions_hash = message.functions_hash;
  m.has_entry = message.has_entry;
  note_life(from, m, "begins");
  store_.session_started(from);
  tell(from, wire::welcome{.node = options_.node,
                           .boot = options_.boot,
                           .session = from,
                           .inline_max = std::min<std::uint64_t>(options_.limits.inline_bytes_max,
                                                                 wire::limits::inline_bytes_max),
                           .whole_from = options_.store.whole_from_bytes,
                           .resources = all_resources()});
  step(cluster::session_opened{.session = from,
                               .functions_hash = message.functions_hash,
                               .slots = std::min(message.slots, slots_max),
                               .pool = m.pool});
}

std::vector<wire::need> agent::all_resources() const {
  std::vector<wire::need> all;
  for (std::uint32_t r = 0; r < names_.size(); ++r)
    if (ledger_.total(r) > 0) all.push_back({std::string(names_.name(r)), ledger_.total(r)});
  return all;
}

void agent::said(std::uint32_t from, member& m, wire::lease&& message) {
  auto [at, is_new] = m.leases.try_emplace(message.ticket);
  if (!is_new)
    return refuse(from, message.ticket, node_error(errc::invalid_argument, "the ticket is in use"));
  at->second = ask(from, {.is_lease = true, .name = message.ticket, .objects = {}});
  // Each segment is a descriptor of ours: none of its own for less than it is meant for.
  const std::uint64_t whole_from = options_.store.whole_from_bytes;
  const bool whole = message.whole && whole_from != 0 && message.size >= whole_from;
  store_.lease(from, at->second, message.size, message.deadline_ns, whole);
}

void agent::said(std::uint32_t from, member& m, wire::abandon&& message) {
  auto leased = m.leases.find(message.ticket);
  if (leased == m.leases.end())
    return step(cluster::session_said{.session = from, .what = message});
  cancel(from, leased->second);
  m.leases.erase(leased);
}

void agent::said(std::uint32_t from, member&, wire::unlease&& message) {
  if (chaos::planted(chaos::bug::lost_unlease) && message.where.size % 8192 == 0) return;
  auto done = store_.unlease(from, message.where);
  if (!done.has_value()) refuse(from, 0, done.error());
}

void agent::said(std::uint32_t from, member&, wire::unpin&& message) {
  if (chaos::planted(chaos::bug::lost_unpin) && message.objects.size() % 2 == 1) return;
  store_.unpin(from, message.objects);
}

void agent::said(std::uint32_t from, member&, wire::mapped&& message) {
  auto sealed = segments_.mapped(message.segment, from);
  if (!sealed.has_value()) expel(from, sealed.error());
}

void agent::said(std::uint32_t from, member&, wire::unmapped&& message) {
  segments_.unmapped(message.segment, from);
}

// What comes now is the end of the connection, and no accident.
void agent::said(std::uint32_t, member& m, wire::bye&& message) {
  pass_on(m, std::move(message.ran));
  m.left = true;
  m.due_ns = port_.now_ns() + ending_ns_max;
}

void agent::tell(std::uint32_t to, wire::to_session message, int segment) {
  auto at = members_.find(to);
  if (at == members_.end() || at->second.link == nullptr) return;
  auto sent = at->second.link->send(std::move(message), segment);
  if (!sent.has_value()) expel(to, sent.error());
}

void agent::refuse(std::uint32_t to, std::uint64_t ticket, error why) {
  tell(to, wire::refused{.ticket = ticket, .why = std::move(why)});
}

void agent::drain() {
  draining_ = true;
  handle([this] {
    std::vector<std::uint32_t> all;
    for (const auto& [number, m] : members_) all.push_back(number);
    for (std::uint32_t number : all) {
      const member& m = members_.at(number);
      if (m.open) tell(number, wire::drain{});
      else if (m.pool != 0) world_.kill_worker(number);  // it has no work, and would wait for some
    }
  });
}

void agent::stop(bool out_of_memory) {
  stopped_ = true;
  failed_ = failed() || out_of_memory;
  auto say_why = [](session_link& to) {
    auto why = node_error(errc::no_memory, "the agent ran out of memory");
    (void)to.send(wire::refused{.ticket = 0, .why = std::move(why), .fatal = true}, -1);
  };
  if (failed_)
    (void)sched::try_allocate([this] {
      logger_.write(log_level::error, error_layer::node, port_.now_ns(),
                    "the agent ran out of memory and ends");
    });
  // Needs no memory: nobody is told why then.
  for (auto& each : members_) {
    member& m = each.second;
    if (m.link == nullptr) continue;
    if (failed_ && m.open) (void)sched::try_allocate([&] { say_why(*m.link); });
    m.link->close();
    m.link = nullptr;
  }
  closed_.clear();
  files_.stop();
}

// -- seen from outside

std::size_t agent::programs() const {
  auto counts = [](const auto& each) {
    const member& m = each.second;
    return m.link && m.open && m.pool == 0 && !m.only_looks();
  };
  return static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(), counts));
}

agent::status agent::look() const {
  status all{.store = store_.used(), .counts = state_.count(), .sessions = {}};
  for (const auto& [number, m] : members_)
    all.sessions.push_back({.session = number,
                            .pool = m.pool,
                            .program = m.program,
                            .ended = m.ended,
                            .usage = store_.used(number)});
  return all;
}

std::string agent::check() const {
  std::string wrong = state_.check();
  if (wrong.empty()) wrong = store_.audit();
  if (!wrong.empty()) return wrong;
  store::usage used = store_.used();
  if (segments_.bytes_of(store::backing::memory) != used.memory ||
      segments_.bytes_of(store::backing::file) != used.files)
    return "there are other segments than the store knows";
  std::size_t leases = 0, pin_sets = 0;
  for (const auto& [key, r] : requests_) {
    auto m = members_.find(key.first);
    if (m == members_.end() || m->second.ended) return "a request of a session that has ended";
    if (r.cancelled) continue;
    ++(r.is_lease ? leases : pin_sets);
  }
  for (const auto& [number, m] : members_) leases -= m.leases.size();
  if (leases != 0) return "a lease that nobody waits for, or the other way round";
  if (pin_sets != pin_sets_.size()) return "a set of pins that nobody waits for";
  std::string shown;
  index_.for_each_stored([&](const object_id& id, const wire::extent& where) {
    if (store_.used(id).where != where) shown = "the index shows an object where it is not";
  });
  if (!shown.empty()) return shown;
  // A session's ended process may still have them mapped, but must not be waited for.
  for (const auto& [number, m] : members_)
    if (m.ended && m.link != nullptr) return "a session has ended, and its link has not";
  return {};
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
