// SPDX-License-Identifier: Apache-2.0
#pragma once

// An agent with little memory, a session of this process that reads all the while, and clients.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/agent_thread.hpp"
#include "ports/processes.hpp"
#include "ports/shared_memory.hpp"
#include "tests/kill9/board.hpp"
#include "tests/kill9/client.hpp"
#include "tests/kill9/objects.hpp"
#include "tests/unit/ports/running.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace kill9 {

class box {
 public:
  explicit box(std::uint64_t seed);
  ~box() { stop_reading_ = true; }  // after a failure

  /// Runs `what` on the agent's thread and waits for it.
  void on_agent(const std::function<void(node::agent&)>& what);
  void start(std::size_t seat, conduct what = conduct::loads);
  ports::process& client(std::size_t seat) { return *clients_.at(seat); }
  board::seat& seat(std::size_t seat) { return board_->seats.at(seat); }
  /// Whether it still runs, or a failure of the test with what it complains of.
  void expect_running(std::size_t seat);
  /// Kills it if it runs, and waits for its end.
  void end(std::size_t seat);
  /// A few rounds of making, sealing, reading and dropping objects in this process, all of which
  /// must succeed.
  void work(int rounds);
  /// The session that reads has read all of its objects once more.
  void expect_steady();

  /// Everybody leaves: then nothing is left in the agent, and after its end nothing of it on disk.
  void expect_nothing_left();
  std::uint64_t reads() const { return reads_; }
  std::uint64_t reads_of_clients() const { return reads_of_clients_; }

 private:
  void make_steady();
  void read_all_the_while();
  void stop_reading();

  std::mt19937_64 random_;
  scratch_folder folder_;
  std::string spill_folder_ = folder_.path() + "/spill";
  ports::shared_memory memory_;
  ports::mapped_memory map_;
  board* board_ = nullptr;
  std::unique_ptr<node::agent_thread> agent_;
  std::unique_ptr<worker> reader_, maker_;
  std::array<std::optional<ports::process>, board::seats_count> clients_;
  std::vector<object_id> steady_;
  std::atomic<bool> stop_reading_{false};
  std::atomic<std::uint64_t> reads_{0}, reads_of_clients_{0};
  std::string misread_;  // after the reading thread's end
  std::optional<running> reading_;
};

/// Descriptors and mappings of segments that this process has.
struct holdings {
  std::size_t descriptors = 0, segments = 0;
  static holdings count();
  friend bool operator==(const holdings&, const holdings&) = default;
};

}  // namespace kill9
