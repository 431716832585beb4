// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "beamlet/base/limits.hpp"

/// What a message may hold. Both sides keep to the same numbers: `encode` refuses what `decode`
/// would. Nothing limits depth, because no table can hold itself: the types end it at four levels.
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire::limits {

/// One encoded message. The agent holds one of each session in memory before it is decoded.
inline constexpr std::size_t message_bytes_max = std::size_t{16} << 20;

/// The most of it that one value takes. More belongs into the store; what an agent really allows
/// is `welcome::inline_max`.
inline constexpr std::size_t inline_bytes_max = std::size_t{1} << 20;

/// Ids of one list: a command that names more is sent in parts. 2 MiB.
inline constexpr std::size_t ids_max = std::size_t{1} << 16;

/// Arguments, and results, of one call.
inline constexpr std::size_t arguments_max = 4096;

/// A function's wire name spells out its types, which templates make long.
inline constexpr std::size_t function_bytes_max = std::size_t{16} << 10;

/// Names of tasks, actors, programs.
inline constexpr std::size_t name_bytes_max = 4096;

/// What a `status` lists; and of each object the pins, of each session the program's name. All at
/// their most still fit into a message.
inline constexpr std::size_t status_sessions_max = 4096;
inline constexpr std::size_t status_objects_max = 4096;
inline constexpr std::size_t status_pins_max = 64;
inline constexpr std::size_t status_name_bytes_max = 256;

/// Runs, and names of functions, of one trace; traces of one message. A name is as long as that of
/// a status.
inline constexpr std::size_t trace_runs_max = 4096;
inline constexpr std::size_t traces_max = 512;

/// Environment of a worker process; Linux takes 128 KiB for one string.
inline constexpr std::size_t environment_max = 1024;
inline constexpr std::size_t environment_bytes_max = std::size_t{32} << 10;

}  // namespace wire::limits
}  // namespace BEAMLET_ABI
}  // namespace beamlet
