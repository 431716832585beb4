// SPDX-License-Identifier: Apache-2.0
#pragma once

// Threads of its own for the cpu backend, where there is no runtime whose workers could do it: in a
// probe, in a bench.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "beamlet/base/result.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Runs the pieces of one piece of work at a time, on its threads and the caller's.
class thread_team {
 public:
  /// With `threads` - 1 threads.   Errors: those of ports::thread::start().
  static result<std::unique_ptr<thread_team>> make(std::uint32_t threads);
  /// Waits for its threads, which do nothing then.
  ~thread_team();
  thread_team(const thread_team&) = delete;
  thread_team& operator=(const thread_team&) = delete;

  std::uint32_t threads() const noexcept { return threads_; }

  /// backend_options::parallel.   Thread: one at a time.   Blocks: until all pieces have run.
  void run(std::size_t count, const std::function<void(std::size_t)>& piece);

 private:
  explicit thread_team(std::uint32_t threads) noexcept : threads_(threads) {}
  void work();
  void take_pieces(const std::function<void(std::size_t)>& piece, std::size_t count);

  std::uint32_t threads_;
  std::vector<ports::thread> helpers_;
  std::atomic<std::uint32_t> round_{0};  // goes up when there is work, or the end
  std::atomic<std::uint32_t> busy_{0};   // helpers that have not finished the round
  std::atomic<bool> ending_{false};
  std::atomic<std::size_t> next_{0};  // piece
  const std::function<void(std::size_t)>* piece_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
