// SPDX-License-Identifier: Apache-2.0
// Sessions that say anything about anything: small numbers for ids, so that they meet. Whatever
// comes, the counts must stay right; when all sessions have ended, nothing but rings is left held.

#include <beamlet/base/panic.hpp>

#include <algorithm>
#include <string>
#include <utility>

#include "cluster/node_state.hpp"
#include "fuzz.hpp"

namespace {
using namespace beamlet;

class choices {
 public:
  choices(const std::uint8_t* data, std::size_t size) : at_(data), left_(size) {}
  bool done() const { return left_ == 0; }
  unsigned below(unsigned bound) {
    if (left_ == 0) return 0;
    --left_;
    return *at_++ % bound;
  }
  object_id id() {
    const unsigned n = below(48);
    return {.node = 7, .boot = 3, .session = 1 + n % 3, .sequence = n / 3, .guard = 1};
  }
  std::vector<object_id> ids() {
    std::vector<object_id> all(below(4));
    for (object_id& one : all) one = id();
    return all;
  }
  wire::value value() {
    wire::value v;
    switch (below(3)) {
      case 0: v.body = error(errc::user_error); break;
      case 1: v.body = wire::bytes(below(4)); break;
      default: v.body = wire::extent{.segment = 1, .offset = 64, .size = 8};
    }
    v.contained = ids();
    return v;
  }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

wire::call any_call(choices& in) {
  wire::call c;
  c.kind = static_cast<wire::call_kind>(in.below(3));
  c.task = in.id();
  if (c.kind != wire::call_kind::task) c.actor = in.id();
  c.caller = in.below(2);
  c.sequence = in.below(6);
  c.results = in.ids();
  c.parent = in.id();
  for (unsigned n = in.below(3); n > 0; --n) {
    wire::argument& a = c.arguments.emplace_back();
    if (in.below(2) == 0) a.object = in.id();
    a.by_ref = in.below(2) == 0;
    a.contained = in.ids();
  }
  c.options.retries = static_cast<std::int32_t>(in.below(4)) - 1;
  c.options.restarts = static_cast<std::int32_t>(in.below(3)) - 1;
  c.options.retry_errors = in.below(2) == 0;
  c.options.detached = in.below(4) == 0;
  if (in.below(3) == 0) c.options.where = wire::isolation::process;
  if (in.below(2) == 0) c.options.needs = {{"cpu", std::int64_t{in.below(5)} * 5000 - 5000}};
  if (in.below(4) == 0) c.options.deadline_ns = in.below(200);
  c.options.calls_max = in.below(3);
  return c;
}

wire::to_agent any_message(choices& in) {
  switch (in.below(16)) {
    case 0: return wire::publish{in.id()};
    case 1: return wire::fulfil{in.id(), in.value()};
    case 2: return wire::hold{in.id()};
    case 3: return wire::release{in.id(), in.below(4)};
    case 4: return wire::require{in.below(4), in.ids(), 0, in.below(2) ? ~0ull : in.below(200)};
    case 5: return wire::abandon{in.below(4)};
    case 6: return wire::cancel{in.id(), in.below(2) == 0, in.below(2) == 0};
    case 7: return wire::end_actor{in.id(), in.below(2) == 0};
    case 8: return wire::name_actor{1, "", in.below(2) ? "a" : "b", in.id(), in.below(2) == 0};
    case 9:
    case 10: {
      wire::done m{in.id(), in.below(3), {}};
      for (unsigned n = in.below(4); n > 0; --n) m.results.push_back(in.value());
      return m;
    }
    case 11: return wire::lend_cpu{in.id(), in.below(3), in.below(2) == 0};
    case 12: return wire::borrow{1, {{"cpu", std::int64_t{in.below(4)} * 5000}}, in.below(2) == 0};
    case 13: return wire::repay{{{"cpu", std::int64_t{in.below(4)} * 5000}}};
    default: return wire::submit{any_call(in)};
  }
}

cluster::event any_event(choices& in) {
  const std::uint32_t session = 1 + in.below(3);
  switch (in.below(16)) {
    case 0: return cluster::session_opened{session, 1, in.below(3), in.below(4)};
    case 1: return cluster::session_ended{session, 9, "", in.below(2) == 0};
    case 2: return cluster::session_gone{session};
    case 3: return cluster::worker_failed{in.below(4), errc::unsupported};
    case 4: return cluster::adopted{in.id(), in.below(4) == 0 ? errc::malformed : errc::ok};
    case 5: return cluster::object_lost{in.id()};
    case 6: return cluster::tick{};
    case 8: return cluster::memory_short{};
    case 7: {
      // Mostly what the store says to a pin that was not asked for, or not any more.
      cluster::pinned p;
      p.key = in.below(60);
      p.session = session;
      p.why = in.below(2) == 0 ? errc::object_lost : errc::no_memory;
      p.lost = in.id();
      return p;
    }
    default: return cluster::session_said{session, any_message(in)};
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  choices in(data, size);
  ledger resources;
  const quantity cpus[] = {{resource::cpu, amount_per_unit}};
  BEAMLET_ASSERT(resources.grow(cpus), "a ledger of one cpu");
  resource_names names;
  cluster::limits few;
  few.early_calls_max = 3;
  few.workers_max = 2;
  few.lineage_bytes_max = 2000;
  cluster::node_state state({.node = 7, .boot = 3}, resources, names, few);
  std::uint64_t now = 0;
  auto step = [&](cluster::event what) {
    cluster::actions out;
    state.step(std::move(what), ++now, out);
    const std::string wrong = state.check();
    BEAMLET_ASSERT(wrong.empty(), "the counts are right");
  };
  for (std::uint32_t s = 1; s <= 3; ++s) step(cluster::session_opened{s, 1, 1, 0});
  while (!in.done()) step(any_event(in));
  for (std::uint32_t s = 1; s <= 3; ++s) step(cluster::session_gone{s});
  BEAMLET_ASSERT(state.count().sessions == 0, "all sessions have ended");
  return 0;
}

std::vector<fuzz::input> fuzz::seeds() {
  return {{8, 0, 8, 0, 3, 8, 0, 8, 1, 3, 1, 0}, fuzz::input(200, 11)};
}
