// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the clients of a test and the test say to each other past the agent: memory that all map.
// Whoever writes it may be killed at any instruction.

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "beamlet/base/id.hpp"

namespace kill9 {
using beamlet::object_id;

/// What a client is doing.
enum class phase : std::uint32_t { start, create, write, seal, get, let_go, count };

inline constexpr std::array<const char*, static_cast<std::size_t>(phase::count)> phase_names{
    "start", "create", "write", "seal", "get", "let go"};

/// An id that one process shows to the others: with a number that is odd while it changes, so that
/// one whose writer was killed meanwhile is no id.
class shown_id {
 public:
  void show(const object_id& id) {
    std::uint64_t turn = turn_.load(std::memory_order_relaxed) | 1;
    turn_.store(turn, std::memory_order_seq_cst);
    auto words = std::bit_cast<id_words>(id);
    for (std::size_t i = 0; i < words.size(); ++i) words_[i].store(words[i]);
    turn_.store(turn + 1, std::memory_order_seq_cst);
  }
  std::optional<object_id> look() const {
    std::uint64_t turn = turn_.load();
    id_words words{};
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = words_[i].load();
    if (turn == 0 || turn % 2 != 0 || turn_.load() != turn) return std::nullopt;
    return std::bit_cast<object_id>(words);
  }

 private:
  using id_words = std::array<std::uint64_t, sizeof(object_id) / sizeof(std::uint64_t)>;
  std::atomic<std::uint64_t> turn_{0};
  std::array<std::atomic<std::uint64_t>, std::tuple_size_v<id_words>> words_{};
};

struct board {
  static constexpr std::size_t seats_count = 4, steady_count = 16;

  /// One client after another has it.
  struct seat {
    std::atomic<phase> now{phase::start};
    std::atomic<std::uint64_t> rounds{0};
    shown_id latest;                    // what it has sealed last
    std::array<char, 400> complaint{};  // why it has ended by itself
  };
  std::array<seat, seats_count> seats;
  std::array<shown_id, steady_count> steady;  // objects of the test itself
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace kill9
