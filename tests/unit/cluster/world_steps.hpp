// SPDX-License-Identifier: Apache-2.0
#pragma once

// The members of world.

#include <beamlet/base/bytes.hpp>

#include <algorithm>
#include <string>

#include "world.hpp"

namespace cluster_world {
inline constexpr std::uint64_t hash_of_functions = 99;
inline constexpr std::int64_t gpus = 2 * beamlet::amount_per_unit;

inline wire::bytes bytes_of(std::uint64_t content) {
  wire::bytes out(8);
  beamlet::base::store_le(out.data(), content);
  return out;
}

inline world::world(std::uint64_t seed, cluster::limits bounds)
    : random_(seed), state_(self, ledger_, names_, bounds) {
  const beamlet::quantity all[] = {{beamlet::resource::cpu, 4 * beamlet::amount_per_unit},
                                   {beamlet::resource::gpu, gpus}};
  if (!ledger_.grow(all)) fail("the ledger");
  for (int i = 0; i < 3; ++i) open_program();
}

inline void world::step(cluster::event what) {
  cluster::actions out;
  state_.step(std::move(what), now_, out);
  for (const cluster::action& a : out) carry_out(a);
  if (std::string why = state_.check(); !why.empty()) fail(why);
}

inline void world::carry_out(const cluster::action& what) {
  fold(what.index());
  if (const auto* a = std::get_if<cluster::send>(&what)) {
    fold(a->session * 64 + a->what.index());
    auto to = clients_.find(a->session);
    if (to == clients_.end()) return fail("a message to a session that has ended");
    if (const auto* e = std::get_if<wire::execute>(&a->what)) {
      running_attempt& r = attempts_[e->what.task];
      if (r.open) fail("two attempts at a time");
      if (r.attempt != 0 && e->what.attempt <= r.attempt) fail("attempts do not count up");
      r = {a->session, e->what.attempt, true, e->what.results};
      fold(e->what.task.sequence * 16 + e->what.attempt);
    }
    to->second.from_agent.push_back(a->what);
  } else if (const auto* a2 = std::get_if<cluster::adopt>(&what)) {
    fold(a2->id.sequence);
    if (!stored_.emplace(a2->id, a2->where).second) fail("an object is adopted twice");
    // The agent's answer comes before anything else does.
    step(cluster::adopted{.id = a2->id, .why = {}});
  } else if (const auto* a3 = std::get_if<cluster::pin_set>(&what)) {
    for (const object_id& id : a3->objects) fold(id.sequence);
    pins_.emplace(a3->key, *a3);
  } else if (const auto* a4 = std::get_if<cluster::cancel_pins>(&what)) {
    pins_.erase(a4->key);
  } else if (const auto* a5 = std::get_if<cluster::drop>(&what)) {
    fold(a5->id.sequence);
    if (stored_.erase(a5->id) == 0) fail("what is not stored is dropped");
  } else if (const auto* a6 = std::get_if<cluster::need_worker>(&what)) {
    workers_wanted_.push_back(a6->pool);
  }
}

inline object_id world::mint(std::uint32_t number) {
  return {.node = self.node,
          .boot = self.boot,
          .session = number,
          .sequence = ++minted_,
          .guard = random_.next()};
}

inline void world::open_program() {
  const std::uint32_t number = next_session_++;
  clients_[number];
  step(cluster::session_opened{
      .session = number, .functions_hash = hash_of_functions, .slots = 2, .pool = 0});
}

inline void world::kill(std::uint32_t number) {
  const bool worker = clients_.at(number).worker;
  clients_.erase(number);
  for (auto& [task, r] : attempts_)
    if (r.session == number) r.open = false;
  ++deaths;
  step(cluster::session_ended{.session = number, .signal = 9, .how = {}});
  if (chance(50)) step(cluster::session_ended{.session = number, .signal = 9, .how = {}});
  step(cluster::session_gone{.session = number});
  if (!worker && !calm_) open_program();
}

inline object_id world::pick(const client& c) {
  if (c.refs.empty()) return {};
  auto at = c.refs.begin();
  std::advance(at, random_.below(static_cast<std::uint32_t>(c.refs.size())));
  return at->first;
}

inline std::vector<object_id> world::pick_some(client& c, unsigned most) {
  std::vector<object_id> some;
  for (unsigned n = random_.below(most + 1); n > 0 && !c.refs.empty(); --n) some.push_back(pick(c));
  return some;
}

// Contains only what was minted before it: a ring of values that contain each other is never freed.
inline wire::value world::value_of(client& c, const object_id& id, std::uint64_t content) {
  wire::value v;
  v.contained = pick_some(c, 2);
  std::erase_if(v.contained, [&](const object_id& i) { return i.sequence >= id.sequence; });
  if (chance(50)) {
    v.body = bytes_of(content);
  } else {
    places_[next_offset_] = content;
    v.body = wire::extent{.segment = 1, .offset = next_offset_, .size = 8};
    next_offset_ += 64;
  }
  return v;
}

inline void world::saw(client& c, const object_id& id) {
  client::part& p = c.refs[id];
  ++p.mentions;
  p.agent_knows = true;
}

inline void world::saw_value(const wire::object_here& object) {
  std::uint64_t content = 0;
  if (const auto* carried = std::get_if<wire::bytes>(&object.what.body))
    content = beamlet::base::load_le<std::uint64_t>(carried->data());
  else if (const auto* where = std::get_if<wire::extent>(&object.what.body))
    content = places_.at(where->offset);
  else return;
  if (!contents_[object.id].contains(content)) fail("a value that was never accepted is read");
}

inline void world::release(client& c, const object_id& id) {
  auto at = c.refs.find(id);
  c.to_agent.push_back(wire::release{.id = id, .mentions = at->second.mentions});
  c.refs.erase(at);
  if (chance(5)) c.to_agent.push_back(wire::release{.id = id, .mentions = 0});
}

inline void world::submit_one(std::uint32_t number, client& c) {
  wire::call call;
  call.task = mint(number);
  call.function = "f";
  call.options.needs = {{"cpu", beamlet::amount_per_unit / (1 + random_.below(2))}};
  call.options.retries = static_cast<std::int32_t>(random_.below(4)) - 1;
  call.options.retry_errors = chance(60);
  call.options.urgency = static_cast<std::uint8_t>(random_.below(3));
  if (chance(30)) call.options.where = wire::isolation::process;
  if (chance(20)) call.options.environment = {"A=" + std::to_string(random_.below(3))};
  if (chance(10)) call.options.calls_max = 2;
  if (chance(5)) call.options.deadline_ns = now_ + random_.below(200);
  std::vector<object_id> used = pick_some(c, 3);
  for (const object_id& id : used) {
    wire::argument a;
    const bool actor_or_ref = actors_.contains(id) || chance(20);
    if (chance(20)) a.contained = {id};
    else {
      a.object = id;
      a.by_ref = actor_or_ref;
    }
    call.arguments.push_back(std::move(a));
  }
  for (unsigned n = random_.below(3); n > 0; --n) call.results.push_back(mint(number));
  std::vector<object_id> actors;
  for (const auto& [id, p] : c.refs)
    if (actors_.contains(id)) actors.push_back(id);
  if (chance(15)) {
    call.kind = wire::call_kind::create_actor;
    call.actor = mint(number);
    call.options.restarts = static_cast<std::int32_t>(random_.below(3));
    actors_.insert(call.actor);
    c.refs[call.actor];
    ++actors_made;
  } else if (!actors.empty() && chance(50)) {
    call.kind = wire::call_kind::actor_call;
    call.actor = actors[random_.below(static_cast<std::uint32_t>(actors.size()))];
    call.caller = number;
    call.sequence = c.calls_to[call.actor]++;
  } else if (chance(15)) {  // an actor would keep it, and who waits for it would wait for ever
    call.options.needs.push_back({"gpu", gpus / (1 + random_.below(4))});
  }
  for (const object_id& id : call.results) c.refs[id];
  c.tasks.push_back(call.task);
  c.to_agent.push_back(wire::submit{call});
}

// At most what there is, but for a few; and now and then, for what runs already, a cpu.
inline void world::borrow_one(client& c) {
  if (chance(20)) {
    c.to_agent.push_back(wire::borrow{.needs = {{"cpu", 20'000}}, .at_once = true});
    if (chance(50)) c.to_agent.push_back(wire::repay{{{"cpu", random_.below(30'000)}}});
    return;
  }
  wire::borrow m{.ticket = next_ticket_++,
                 .needs = {{"gpu", gpus * (1 + random_.below(9)) / 8}},
                 .at_once = false};
  c.asked.insert(m.ticket);
  c.to_agent.push_back(std::move(m));
}

inline void world::repay(client& c, std::int64_t amount) {
  if (amount <= 0) return;
  c.gpu -= amount;
  c.owed = std::max<std::int64_t>(c.owed - amount, 0);
  c.to_agent.push_back(wire::repay{{{"gpu", amount}}});
}

inline void world::act(std::uint32_t number, client& c) {
  switch (random_.below(12)) {
    case 0:
    case 1: {
      const object_id id = mint(number);
      c.refs[id];
      c.promised.push_back(id);
      c.to_agent.push_back(wire::publish{id});
      break;
    }
    case 2:
    case 3:
      if (!c.promised.empty()) {
        const object_id id = c.promised.back();
        c.promised.pop_back();
        const std::uint64_t content = random_.next();
        contents_[id].insert(content);
        c.to_agent.push_back(wire::fulfil{id, value_of(c, id, content)});
      }
      break;
    case 4:
    case 5:
      if (!c.refs.empty()) release(c, pick(c));
      break;
    case 6: {
      wire::require m{.ticket = next_ticket_++, .objects = pick_some(c, 4)};
      std::erase_if(m.objects, [&](const object_id& id) { return actors_.contains(id); });
      if (chance(5)) m.deadline_ns = now_ + random_.below(100);
      c.asked.insert(m.ticket);
      c.to_agent.push_back(std::move(m));
      break;
    }
    case 7:
      if (chance(20) && !c.asked.empty()) {
        const std::uint64_t ticket = *c.asked.begin();
        c.asked.erase(ticket);
        c.abandoned.insert(ticket);
        c.to_agent.push_back(wire::abandon{ticket});
      } else if (chance(20) && !c.tasks.empty()) {
        c.to_agent.push_back(
            wire::cancel{.task = c.tasks.back(), .force = chance(50), .recursive = chance(50)});
      } else if (chance(10)) {
        if (object_id id = pick(c); actors_.contains(id))
          c.to_agent.push_back(wire::end_actor{.actor = id, .kill = chance(50)});
      }
      break;
    case 8:
      if (chance(30)) borrow_one(c);
      else repay(c, c.owed > 0 ? std::min(c.owed, c.gpu) : random_.below(c.gpu / 2 + 1));
      break;
    default: submit_one(number, c);
  }
}

inline void world::finish(client& c, std::size_t index) {
  wire::execute e = std::move(c.running[index]);
  c.running.erase(c.running.begin() + static_cast<std::ptrdiff_t>(index));
  wire::done m{.task = e.what.task, .attempt = e.what.attempt, .results = {}};
  const bool fails = chance(15);
  for (std::size_t i = 0; i < e.what.results.size(); ++i) {
    // The content tells the attempt.
    const std::uint64_t content = e.what.results[i].guard + e.what.attempt;
    wire::value v = value_of(c, e.what.results[i], content);
    if (fails) v = {.body = beamlet::error(errc::user_error), .contained = {}};
    m.results.push_back(std::move(v));
  }
  if (chance(10)) c.to_agent.push_back(m);  // once more: it must not count
  c.to_agent.push_back(std::move(m));
}

// What is said twice, or for an attempt that has ended, must not count.
inline void world::wait_or_go_on(client& c, const wire::call& running) {
  c.to_agent.push_back(
      wire::lend_cpu{.task = running.task, .attempt = running.attempt, .lent = chance(70)});
}

// What the agent must take from this message, decided before it does.
inline void world::note_done(std::uint32_t number, const wire::done& m) {
  running_attempt& r = attempts_[m.task];
  if (!r.open || r.session != number || r.attempt != m.attempt) return;
  r.open = false;
  for (std::size_t i = 0; i < m.results.size() && i < r.results.size(); ++i)
    if (!std::holds_alternative<beamlet::error>(m.results[i].body))
      contents_[r.results[i]].insert(r.results[i].guard + m.attempt);
}

inline void world::deliver_to_agent(std::uint32_t number, client& c) {
  if (c.to_agent.empty()) return;
  wire::to_agent m = std::move(c.to_agent.front());
  c.to_agent.pop_front();
  auto known = [&](const object_id& id) {
    if (auto at = c.refs.find(id); at != c.refs.end()) at->second.agent_knows = true;
  };
  if (const auto* p = std::get_if<wire::publish>(&m)) known(p->id);
  // Not the actor: the id of one that was refused names nothing.
  if (const auto* s = std::get_if<wire::submit>(&m))
    for (const object_id& id : s->what.results) known(id);
  if (const auto* d = std::get_if<wire::done>(&m)) note_done(number, *d);
  step(cluster::session_said{.session = number, .what = std::move(m)});
}

inline void world::deliver_to_client(client& c) {
  if (c.from_agent.empty()) return;
  wire::to_session m = std::move(c.from_agent.front());
  c.from_agent.pop_front();
  auto answered = [&](std::uint64_t ticket) {
    ++answers;
    if (c.asked.erase(ticket) + c.abandoned.erase(ticket) != 1) fail("an answer nobody asked for");
  };
  if (const auto* h = std::get_if<wire::here>(&m)) {
    cluster::for_each_mention(*h, [&](const object_id& id) { saw(c, id); });
    for (const wire::object_here& o : h->objects) saw_value(o);
    answered(h->ticket);
  } else if (const auto* s = std::get_if<wire::sealed>(&m)) {
    cluster::for_each_mention(*s, [&](const object_id& id) { saw(c, id); });
    if (s->has_value) saw_value({s->id, s->what});
    values_told += s->has_value;
  } else if (const auto* r = std::get_if<wire::refused>(&m)) {
    if (r->ticket != 0) answered(r->ticket);
    else if (r->why.code() != errc::not_found) fail("refused: " + r->why.describe());
  } else if (const auto* l = std::get_if<wire::lent>(&m)) {
    c.gpu += l->needs.at(0).amount;
    ++loans;
    answered(l->ticket);
  } else if (const auto* back = std::get_if<wire::recall>(&m)) {
    for (const wire::need& n : back->needs) {
      if (n.resource == "gpu") c.owed += n.amount;
      else c.to_agent.push_back(wire::repay{{n}});
    }
    if (chance(50)) repay(c, std::min(c.owed, c.gpu));  // else it uses them for a while
  } else if (auto* e = std::get_if<wire::execute>(&m)) {
    cluster::for_each_mention(*e, [&](const object_id& id) { saw(c, id); });
    for (const wire::object_here& o : e->objects) saw_value(o);
    ++executions;
    retries += e->what.attempt != 0;
    if (e->what.kind == wire::call_kind::actor_call && e->what.attempt == 0) {
      auto [last, first] = order_.try_emplace({e->what.actor, e->what.caller}, e->what.sequence);
      if (!first && e->what.sequence <= last->second) fail("calls of one caller out of order");
      last->second = e->what.sequence;
    }
    c.running.push_back(std::move(*e));
  }
}

inline void world::answer_store() {
  if (pins_.empty()) return;
  auto at = pins_.begin();
  std::advance(at, random_.below(static_cast<std::uint32_t>(pins_.size())));
  cluster::pin_set asked = std::move(at->second);
  pins_.erase(at);
  cluster::pinned answer;
  answer.key = asked.key;
  answer.session = asked.session;
  answer.objects = asked.objects;
  for (const object_id& id : asked.objects) {
    auto place = stored_.find(id);
    if (place != stored_.end()) {
      answer.places.push_back(place->second);
      continue;
    }
    answer.places.clear();
    answer.why = errc::object_lost;
    answer.lost = id;
    break;
  }
  step(std::move(answer));
}

inline void world::lose_one() {
  if (stored_.empty()) return;
  auto at = stored_.begin();
  std::advance(at, random_.below(static_cast<std::uint32_t>(stored_.size())));
  const object_id id = at->first;
  stored_.erase(at);
  ++losses;
  // A session that is told later finds out when it pins.
  step(cluster::object_lost{id});
}

// No live session's ref may be gone: neither one it holds nor one on its way to it.
inline void world::check_truth() {
  auto must = [&](const object_id& id) {
    if (!state_.exists(id)) fail("an object was freed that a session holds");
  };
  std::int64_t lent = 0;
  for (const auto& [number, c] : clients_) {
    lent += c.gpu;
    for (const wire::to_agent& m : c.to_agent)
      if (const auto* r = std::get_if<wire::repay>(&m);
          r != nullptr && r->needs[0].resource == "gpu")
        lent += r->needs[0].amount;
    for (const auto& [id, p] : c.refs)
      if (p.agent_knows) must(id);
    for (const wire::to_session& m : c.from_agent) {
      if (const auto* h = std::get_if<wire::here>(&m)) cluster::for_each_mention(*h, must);
      if (const auto* s = std::get_if<wire::sealed>(&m)) cluster::for_each_mention(*s, must);
      if (const auto* e = std::get_if<wire::execute>(&m)) cluster::for_each_mention(*e, must);
      if (const auto* l = std::get_if<wire::lent>(&m)) lent += l->needs.at(0).amount;
    }
  }
  if (lent > gpus) fail("more is lent than there is");
}

inline bool world::idle() const {
  for (const auto& [number, c] : clients_)
    if (!c.to_agent.empty() || !c.from_agent.empty() || !c.running.empty() || !c.promised.empty() ||
        c.gpu != 0)
      return false;
  return pins_.empty() && workers_wanted_.empty();
}

inline void world::run(unsigned steps) {
  for (unsigned i = 0; wrong.empty() && (i < steps || !calm_); ++i) {
    if (i >= steps) calm_ = true;
    now_ += random_.below(10);
    auto at = clients_.begin();
    std::advance(at, random_.below(static_cast<std::uint32_t>(clients_.size())));
    const std::uint32_t number = at->first;
    client& c = at->second;
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2: act(number, c); break;
      case 3:
        if (!c.running.empty()) {
          const auto which = random_.below(static_cast<std::uint32_t>(c.running.size()));
          if (chance(70)) finish(c, which);
          else wait_or_go_on(c, c.running[which].what);
        }
        break;
      case 4:
      case 5: answer_store(); break;
      case 6:
        if (!workers_wanted_.empty()) {
          const std::uint64_t pool = workers_wanted_.front();
          workers_wanted_.erase(workers_wanted_.begin());
          if (chance(10)) {
            step(cluster::worker_failed{.pool = pool, .why = errc::unsupported});
          } else {
            clients_[next_session_].worker = true;
            step(cluster::session_opened{.session = next_session_++,
                                         .functions_hash = hash_of_functions,
                                         .slots = 1,
                                         .pool = pool});
          }
        }
        break;
      case 7:
        if (chance(15)) kill(number);
        else if (chance(10)) lose_one();
        else if (chance(20)) step(cluster::tick{});
        break;
      case 8:
      case 9:
      case 10:
      case 11: deliver_to_agent(number, c); break;
      default: deliver_to_client(c);
    }
    check_truth();
  }
  if (wrong.empty()) quiesce();
}

// Everything that was promised is done; then each require must have been answered. Then all leave.
inline void world::quiesce() {
  for (unsigned round = 0; round < 100'000 && wrong.empty() && !idle(); ++round) {
    now_ += 1;
    if (!workers_wanted_.empty()) {
      step(cluster::worker_failed{.pool = workers_wanted_.front(), .why = errc::unsupported});
      workers_wanted_.erase(workers_wanted_.begin());
    }
    answer_store();
    std::vector<std::uint32_t> numbers;
    for (const auto& [number, c] : clients_) numbers.push_back(number);
    for (std::uint32_t number : numbers) {
      client& c = clients_.at(number);
      for (const object_id& id : std::exchange(c.promised, {}))
        c.to_agent.push_back(
            wire::fulfil{id, {.body = beamlet::error(errc::user_error), .contained = {}}});
      while (!c.running.empty()) finish(c, 0);
      repay(c, c.gpu);
      deliver_to_agent(number, c);
      deliver_to_client(c);
    }
    check_truth();
  }
  if (!wrong.empty()) return;
  if (!idle()) return fail("the work does not end");
  for (const auto& [number, c] : clients_)
    if (!c.asked.empty()) return fail("a require was never answered");
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, c] : clients_) numbers.push_back(number);
  for (std::uint32_t number : numbers) kill(number);
  while (!pins_.empty()) answer_store();
  const auto left = state_.count();
  if (left.objects != 0 || !stored_.empty())
    fail("left: " + std::to_string(left.objects) + " objects, " + std::to_string(stored_.size()) +
         " stored");
  if (left.waits + left.tasks + left.actors + left.names + left.lineage != 0)
    fail("calls are left");
  for (std::uint32_t r : {beamlet::resource::cpu, beamlet::resource::gpu})
    if (ledger_.available(r) != ledger_.total(r)) fail("resources are left taken");
}

}  // namespace cluster_world
