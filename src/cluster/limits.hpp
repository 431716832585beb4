// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// Everything that a session can make grow at its agent. What would pass a limit is refused with an
/// error that names it (`limits::what`), and nothing else changes.
struct limits {
  /// Objects that one session publishes or gets as results, held at a time; 300 bytes each here.
  std::size_t holds_max = std::size_t{1} << 22;
  /// Refs inside one value or one inline argument.
  std::size_t contained_max = std::size_t{1} << 16;
  /// A larger value belongs into the store.
  std::size_t inline_bytes_max = std::size_t{64} << 10;
  /// Inline values that one message to a session carries, their refs included: a call's arguments
  /// together, or a part of a longer answer. The rest of the message must fit as well.
  std::size_t answer_bytes_max = std::size_t{8} << 20;
  /// `require`s that one session has not been answered yet, and objects in one of them.
  std::size_t requires_max = std::size_t{1} << 16;
  std::size_t require_objects_max = std::size_t{1} << 20;
  /// Calls that one session has submitted and that have not ended.
  std::size_t calls_max = std::size_t{1} << 20;
  /// Of one call. A longer list is data and belongs into an object.
  std::size_t arguments_max = 4096;
  std::size_t results_max = 4096;
  /// Calls of one caller to one actor that came before an earlier one, and callers of one actor.
  std::size_t early_calls_max = std::size_t{1} << 16;
  std::size_t callers_max = std::size_t{1} << 16;
  /// Calls that an actor's process is given beyond those that it runs at a time; the others wait
  /// here, so that no caller can fill its connection.
  std::size_t calls_ahead_max = 256;
  /// `borrow`s that one session has not been answered yet.
  std::size_t borrows_max = 64;
  /// Names that are taken, and what one may be long, its space too.
  std::size_t names_max = std::size_t{1} << 16;
  std::size_t name_bytes_max = 256;
  /// Worker processes, those that are starting included. For a call that another one submitted,
  /// those do not count in which all calls wait.
  std::size_t workers_max = 64;
  /// Different environments and limits of worker processes that were ever asked for.
  std::size_t pools_max = 4096;
  /// A worker process without a call ends after so long.
  std::uint64_t worker_idle_ns = 60'000'000'000u;
  /// What was ended because memory was short begins again after so long; doubled at each attempt.
  std::uint64_t memory_backoff_ns = 500'000'000u;
  std::uint64_t memory_backoff_ns_max = 60'000'000'000u;
  /// Calls kept so that what they made can be made again; the oldest are forgotten first.
  std::size_t lineage_bytes_max = std::size_t{64} << 20;
};

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
