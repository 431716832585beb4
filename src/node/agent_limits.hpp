// SPDX-License-Identifier: Apache-2.0
#pragma once

// The agent's numbers and errors.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "beamlet/base/error.hpp"
#include "beamlet/base/time.hpp"
#include "wire/limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// From the connection to `hello`: a program says it at once, but its box may be busy.
inline constexpr base::time_ns hello_ns_max = 30'000'000'000;
/// How long it is waited for the other half of an end: the signal after the connection's end, or
/// the connection's end after that of the process (which a fork of it may put off for ever).
inline constexpr base::time_ns ending_ns_max = 1'000'000'000;
/// To unmap a segment of which nothing is in use any more.
inline constexpr base::time_ns unmap_ns_max = 60'000'000'000;
/// Calls that one program runs at a time; no program has so many threads.
inline constexpr std::uint32_t slots_max = 1 << 16;

/// What worker processes ran is told to their program when it is so much, or when so much time has
/// passed since it was told some; it may ask for it before.
inline constexpr std::size_t runs_due = 256;
inline constexpr base::time_ns runs_wait_ns = 10'000'000;
/// Strict mode: objects of so many bytes have memory of their own, which is sealed.
inline constexpr std::uint64_t strict_from_bytes = std::uint64_t{1} << 20;
/// What the out-of-memory watch lets be in use, and how often it looks.
inline constexpr double memory_usage_threshold_default = 0.95;
inline constexpr base::time_ns memory_watch_ns_default = 250'000'000;

inline constexpr char spill_folder_prefix[] = "beamlet-";

inline error node_error(errc code, std::string message) {
  return error(code, error_layer::node,
               {.message = std::move(message), .type = {}, .function = {}, .cause = {}});
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
