// SPDX-License-Identifier: Apache-2.0
#include "ports/sim/sim_port.hpp"

#include <beamlet/base/panic.hpp>

#include <algorithm>
#include <initializer_list>

#include "ports/port_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {
// What happened, in the trace: a choice of 1 and a note of 1 must not look alike.
enum sim_event : unsigned {
  sim_turned,
  sim_woken,
  sim_stalled,
  sim_seeded,
  sim_chose,
  sim_noted,
  sim_file_done
};
constexpr std::uint64_t sim_start_ns = 1'000'000'000;  // 0 stays a past time
}  // namespace

sim_port::sim_port(std::uint64_t seed)
    : random_(seed), now_ns_(sim_start_ns), trace_(0xcbf29ce484222325), disk_(~seed) {}

void sim_port::turn(std::uint64_t until_ns) {
  BEAMLET_ASSERT(!closed_, "turn() after close()");
  if (file_request* first = first_due()) until_ns = std::min(until_ns, first->of_port.due_ns);
  stalled_ = !awake_ && until_ns == UINT64_MAX;
  if (!awake_ && !stalled_ && until_ns > now_ns_) now_ns_ = until_ns;
  fold(awake_ ? sim_woken : stalled_ ? sim_stalled : sim_turned, now_ns_);
  awake_ = false;
  finish_due_requests();
}

void sim_port::wake() {
  BEAMLET_ASSERT(!closed_, "wake() after close()");
  awake_ = true;
}

void sim_port::drive(void (*)(void*), void*) {
  BEAMLET_ASSERT(false, "drive() needs an external port");
}

void sim_port::set_deadline(std::uint64_t) {
  BEAMLET_ASSERT(false, "set_deadline() needs an external port");
}

std::uint64_t sim_port::random_seed() {
  std::uint64_t seed = next_random();
  fold(sim_seeded, seed);
  return seed;
}

unsigned sim_port::choose(unsigned count) {
  BEAMLET_ASSERT(count != 0, "choose() among nothing");
  if (count == 1) return 0;
  // The high half scaled to [0, count): no division, and the bias is below 2^-32 * count.
  auto chosen = static_cast<unsigned>((next_random() >> 32) * count >> 32);
  fold(sim_chose, chosen);
  return chosen;
}

void sim_port::note(std::uint64_t event) { fold(sim_noted, event); }

result<std::unique_ptr<watch>> sim_port::watch_descriptor(int, void (*)(void*, unsigned), void*) {
  return port_error(errc::unsupported, "a simulated world has no descriptors");
}

void sim_port::start(file_request& request) {
  BEAMLET_ASSERT(!closed_, "start() after close()");
  BEAMLET_ASSERT(request.of_port.request == nullptr, "the request is in flight");
  request.why = {};
  request.opened = -1;
  request.count = 0;
  request.of_port.request = &request;
  request.of_port.due_ns = now_ns_ + disk_.latency_ns();
  request.of_port.insert_before(in_flight_);
}

void sim_port::cancel(file_request& request) {
  if (request.of_port.request == nullptr || disk_.has_begun()) return;
  request.why = error(errc::cancelled, error_layer::ports);
  request.of_port.due_ns = now_ns_;
}

// Of those due at one time the one that was started first.
file_request* sim_port::first_due() {
  file_request* first = nullptr;
  for (auto* each = in_flight_.next; each != &in_flight_; each = each->next) {
    file_request* request = static_cast<file_request::in_flight*>(each)->request;
    if (first == nullptr || request->of_port.due_ns < first->of_port.due_ns) first = request;
  }
  return first;
}

// What is started by a `done` waits for a later turn, due or not.
void sim_port::finish_due_requests() {
  file_request::link due;
  for (file_request* each = first_due(); each != nullptr && each->of_port.due_ns <= now_ns_;
       each = first_due()) {
    each->of_port.remove();
    each->of_port.insert_before(due);
  }
  while (due.linked()) {
    file_request& request = *static_cast<file_request::in_flight*>(due.next)->request;
    request.of_port.remove();
    request.of_port.request = nullptr;
    if (request.why.code() == errc::ok) disk_.perform(request);
    fold(sim_file_done, request.count << 16 | static_cast<std::uint64_t>(request.why.code()));
    if (request.done != nullptr) request.done(request);
  }
}

void sim_port::cut_power() {
  for (auto* each = in_flight_.next; each != &in_flight_; each = each->next) {
    file_request& request = *static_cast<file_request::in_flight*>(each)->request;
    if (request.why.code() != errc::ok) continue;
    if (disk_.has_begun()) disk_.perform(request);
    request.opened = -1;
    request.why = port_error(errc::io, "the power was cut");
    request.of_port.due_ns = now_ns_;
  }
  disk_.cut_power();
}

void sim_port::close() {
  if (closed_) return;
  closed_ = true;
  for (auto* each = in_flight_.next; each != &in_flight_; each = each->next) {
    file_request& request = *static_cast<file_request::in_flight*>(each)->request;
    cancel(request);
    request.of_port.due_ns = now_ns_;
  }
  finish_due_requests();
}

std::uint64_t sim_port::next_random() {  // splitmix64
  random_ += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = (random_ ^ (random_ >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

// FNV-1a by words, with a shift so that high bits reach low ones.
void sim_port::fold(std::uint64_t kind, std::uint64_t value) {
  for (std::uint64_t word : {kind, value}) {
    trace_ = (trace_ ^ word) * 0x100000001b3;
    trace_ ^= trace_ >> 29;
  }
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
