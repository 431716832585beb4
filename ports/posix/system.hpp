// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a POSIX system spells in its own way: each (`linux`, ...) supplies these for `posix` and
// `uv`.

#include <beamlet/version.hpp>

#include <cstdint>

#include <pthread.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Threads made with `attributes` shall run on `cpu` only. 0 or an errno; pthread_create may refuse
/// later.
int bind_thread(pthread_attr_t& attributes, int cpu);

/// Names the calling thread, cut to what the system takes.
void name_thread(const char* name);

/// The kernel's number of the calling thread.
std::uint64_t thread_number();

/// Monotonic time that counts suspend; plain monotonic time where the system has no such clock.
std::uint64_t boot_clock_ns();

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
