// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a cell knows beyond the fast path: the options of one call, the coroutine it waits in, and
// later the id under which it is known outside. Made only when there is something to say.

#include <beamlet/base/error.hpp>
#include <beamlet/base/ledger.hpp>
#include <beamlet/sched/cell.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

struct coroutine_root;
struct concurrency_group;
struct outside;  // the engine's record of a published cell

/// Bytes that somebody else keeps: a pin in the store, a buffer of the engine.
struct held_bytes {
  const std::byte* data = nullptr;
  std::size_t size = 0;
  void (*drop)(void* keeper) = nullptr;
  void* keeper = nullptr;
};

/// Of a task that a worker process runs, and of an actor that lives in one.
struct isolated_options {
  std::vector<std::string> environment;  // NAME=VALUE
  std::uint64_t memory_max = 0, cpu_ms_max = 0;
  std::uint32_t calls_max = 0;
  std::int32_t retries = 0;   // by the agent: after a worker's death
  bool retry_errors = false;  // by the agent: also after the function's own errors
  // Of an actor only.
  std::int32_t restarts = 0, call_retries = 0;
  std::uint32_t concurrency = 1;
  bool detached = false;
};

enum class priority : std::uint8_t { high, normal, low };

struct cell_extra {
  std::string name;
  std::vector<quantity> needs;  // empty: one cpu, which a worker thread stands for
  priority urgency = priority::normal;
  bool blocking = false;
  std::unique_ptr<isolated_options> isolated;  // null: it runs in this process
  bool holds_needs = false;  // written by whoever admits, runs and gives back, one after the other
  bool came_in = false;      // the engine runs it for others, who count its cpu
  std::uint64_t start_ns = 0;                     // not before
  std::uint64_t deadline_ns = ~std::uint64_t{0};  // not started after
  std::int32_t retries_left = 0;                  // -1: without end
  std::uint64_t backoff_ns = 0, backoff_ns_max = 0;
  std::function<bool(const error&)> retry_on;
  bool (*duplicable)(cell&) = nullptr;  // retried arguments are copied; false: they cannot be
  std::uint32_t attempt = 0;
  concurrency_group* group = nullptr;          // of a call: the actor's
  std::atomic<coroutine_root*> root{nullptr};  // owned by the cell
  std::atomic<cell*> producer{
      nullptr};          // counted: for a cell that nothing runs here, what will seal it
  std::mutex open_lock;  // the first reader of bytes decodes, the others wait for it
  held_bytes held;       // state == bytes: the value, encoded
  std::atomic<outside*> away{nullptr};
  void (*forget_outside)(outside*) = nullptr;
};

void destroy_extra(cell_extra* extra) noexcept;

/// The cell's record, made on first use; null when there is no memory.
cell_extra* extra_of(cell& x) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
