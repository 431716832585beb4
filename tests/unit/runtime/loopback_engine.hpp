// SPDX-License-Identifier: Apache-2.0
#pragma once

// The other engine: a world beyond the process that lies in the process. Whatever may leave leaves
// as bytes and comes back as bytes: calls of registered functions and methods by wire name, their
// arguments, refs as ids, results and errors; and the value of every `put` and of every task that
// stays. It has no thread of its own: everything happens on the thread that submits or seals.

#include <beamlet/beamlet.hpp>
#include <beamlet/sched/engine.hpp>

#include <atomic>
#include <mutex>
#include <unordered_map>

namespace runtime_test {
using namespace beamlet;

class loopback_engine final : public sched::engine {
 public:
  loopback_engine() = default;
  loopback_engine(const loopback_engine&) = delete;
  loopback_engine& operator=(const loopback_engine&) = delete;

  object_id publish(sched::cell& x) override;
  sched::cell* adopt(sched::scheduler& home, const object_id& id, sched::cell_maker make) override;
  std::uintptr_t keep(sched::cell& x) override;
  void submit(sched::cell& x, sched::exported_call call) override;
  void cancel(sched::cell& x, bool force, bool recursive) override;
  result<sched::held_bytes> fetch(sched::cell&) override { return error(errc::unsupported); }
  void cancel_all() override {}
  void end() override {}
  void forget(sched::outside* record) override;

  struct {
    std::atomic<unsigned> published{0}, adopted{0}, kept{0}, left{0}, came_back{0}, failed{0},
        cancelled{0};
  } count;
  /// Published cells that are alive.
  std::size_t records();
  std::size_t calls_away();

 private:
  struct record;
  struct flight;
  struct arrival;

  result<sched::held_bytes> encode(const sched::cell& x);
  /// The outcome of a sealed cell, once more through bytes.
  void transfer(sched::cell& from, sched::cell& to);
  void land(flight& f);
  sched::cell* find_counted(const object_id& id);

  std::mutex lock_;
  std::uint64_t sequence_ = 0;
  std::unordered_map<object_id, record*, object_id_hash> records_;
  std::unordered_map<sched::cell*, sched::cell*>
      away_;  // what was cancelled here -> what runs for it
};

/// The engine of all runtimes that the tests start when they are compiled with
/// BEAMLET_TEST_LOOPBACK. Never destroyed: refs may outlive every runtime.
loopback_engine& common_loopback_engine();

}  // namespace runtime_test
