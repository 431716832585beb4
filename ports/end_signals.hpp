// SPDX-License-Identifier: Apache-2.0
#pragma once

// The signals that ask a process to end, SIGTERM and SIGINT, for a program of ours that has nothing
// else to do than to wait for one. No disposition is touched.

#include <beamlet/config.hpp>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// From now on they wait for wait_for_end_signal(), those that were sent before too.
///
/// REQUIRES: the program is ours. Before any other thread starts: they inherit it.
void hold_end_signals();

/// Waits until one comes, or was sent since hold_end_signals().   Blocks: yes.
void wait_for_end_signal();

/// Sends one to this process.   Thread: any.   Blocks: no.
void send_end_signal();

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
