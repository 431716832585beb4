// SPDX-License-Identifier: Apache-2.0
#pragma once

// Actors that live in worker processes, and what their tests share.

#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/process_end.hpp"

namespace isolated_actors {

using namespace beamlet;
using namespace std::chrono_literals;

struct picky {
  explicit picky(int n) {
#if BEAMLET_HAS_EXCEPTIONS
    if (n < 0) throw std::runtime_error("the constructor refuses");
#endif
    if (n == 0 && !this_actor::was_restarted()) abort();
  }
  int one() { return 1; }
};
BEAMLET_REMOTE(beamlet::constructor<picky(int)>);
BEAMLET_REMOTE(&picky::one);

/// Removes a folder as it goes.
class leaver {
 public:
  explicit leaver(std::string folder) : folder_(std::move(folder)) {}
  leaver(const leaver&) = delete;
  leaver& operator=(const leaver&) = delete;
  ~leaver() { rmdir(folder_.c_str()); }
  int process() { return static_cast<int>(getpid()); }

 private:
  std::string folder_;
};
BEAMLET_REMOTE(beamlet::constructor<leaver(std::string)>);
BEAMLET_REMOTE(&leaver::process);

/// Of whose constructor nothing is said.
struct unknown {
  explicit unknown(int) {}
  int one() { return 1; }
};
BEAMLET_REMOTE(&unknown::one);

inline int process_number() { return static_cast<int>(getpid()); }
BEAMLET_REMOTE(process_number);

class counter {
 public:
  explicit counter(int from) : value_(from) {}
  counter(std::string text, int more) : value_(static_cast<int>(text.size()) + more) {}
  int add(int by) { return value_ += by; }
  int process() { return static_cast<int>(getpid()); }
  std::vector<int> history(std::size_t size) const { return std::vector<int>(size, value_); }
  int total(const std::vector<int>& all) {
    for (int each : all) value_ += each;
    return value_;
  }
  result<int> refuse(int n) {
    if (n < 0) return error(errc::invalid_argument, error_layer::user, {"too small", "", "", ""});
    return n;
  }
  int crash(int number) {
    if (number == SIGABRT) std::abort();
    kill(getpid(), number);
    for (;;) pause();
  }
  int crash_unless_restarted() {
    if (!this_actor::was_restarted()) abort();
    return value_;
  }
  int forever_unless_restarted() {
    while (!this_actor::was_restarted()) pause();
    return value_;
  }
  bool restarted() { return this_actor::was_restarted(); }
  async<int> add_slowly(int by) {
    co_await sleep_for(1ms);
    co_return value_ += by;
  }
  int add_of(ref<int> by) { return value_ += *this_task::runtime().get(by); }
  int leave() {
    (void)this_actor::exit();
    return value_;
  }
  int forever() {
    for (;;) pause();
  }

 private:
  int value_;
};
BEAMLET_REMOTE(beamlet::constructor<counter(int)>);
BEAMLET_REMOTE((beamlet::constructor<counter(std::string, int)>));
BEAMLET_REMOTE(&counter::add);
BEAMLET_REMOTE(&counter::process);
BEAMLET_REMOTE(&counter::history);
BEAMLET_REMOTE(&counter::total);
BEAMLET_REMOTE(&counter::refuse);
BEAMLET_REMOTE(&counter::crash);
BEAMLET_REMOTE(&counter::crash_unless_restarted);
BEAMLET_REMOTE(&counter::forever_unless_restarted);
BEAMLET_REMOTE(&counter::restarted);
BEAMLET_REMOTE(&counter::add_slowly);
BEAMLET_REMOTE(&counter::add_of);
BEAMLET_REMOTE(&counter::leave);
BEAMLET_REMOTE(&counter::forever);

/// Calls that wait for each other.
class gate {
 public:
  int meet(int count) {
    ++here_;
    while (here_.load() < count) std::this_thread::yield();
    return here_.load();
  }
  std::string variable(std::string name) {
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? value : "";
  }

 private:
  std::atomic<int> here_{0};
};
BEAMLET_REMOTE(beamlet::constructor<gate()>);
BEAMLET_REMOTE(&gate::meet);
BEAMLET_REMOTE(&gate::variable);

/// In any process; the last of so many calls.
inline int add_through(actor_handle<counter> to, int count) {
  ref<int> last;
  for (int i = 0; i < count; ++i) last = to.call(&counter::add, 1);
  auto value = this_task::runtime().get(last);
  return value.has_value() ? *value : -1;
}
BEAMLET_REMOTE(add_through);

class forwarder {
 public:
  explicit forwarder(actor_handle<counter> to) : to_(std::move(to)) {}
  int add(int by) {
    auto value = this_task::runtime().get(to_.call(&counter::add, by));
    return value.has_value() ? *value : -1;
  }
  int error_code() {
    auto value = this_task::runtime().get(to_.call(&counter::add, 1));
    return value.has_value() ? 0 : static_cast<int>(value.error().code());
  }
  int crash_unless_restarted() {
    auto value = this_task::runtime().get(to_.call(&counter::crash_unless_restarted));
    return value.has_value() ? *value : -1;
  }
  actor_handle<counter> target() { return to_; }

 private:
  actor_handle<counter> to_;
};
BEAMLET_REMOTE(beamlet::constructor<forwarder(actor_handle<counter>)>);
BEAMLET_REMOTE(&forwarder::add);
BEAMLET_REMOTE(&forwarder::error_code);
BEAMLET_REMOTE(&forwarder::crash_unless_restarted);
BEAMLET_REMOTE(&forwarder::target);

class maker {
 public:
  int make() {
    auto rt = this_task::runtime();
    made_ = rt.actor<counter>().options({.isolation = isolation::process}).remote(1);
    auto value = rt.get(made_.call(&counter::process));
    return value.has_value() ? *value : -1;
  }
  int process() { return static_cast<int>(getpid()); }

 private:
  actor_handle<counter> made_;
};
BEAMLET_REMOTE(beamlet::constructor<maker()>);
BEAMLET_REMOTE(&maker::make);
BEAMLET_REMOTE(&maker::process);

inline runtime start(unsigned processes_max = 4) {
  auto rt = runtime::start({.workers = 2, .worker_processes_max = processes_max});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}
inline const actor_options apart{.isolation = isolation::process};

template <class T>
T value_of(result<T> r) {
  if (!r.has_value()) FAIL(r.error().describe());
  return *std::move(r);
}

}  // namespace isolated_actors
