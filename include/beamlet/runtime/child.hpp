// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/version.hpp>

#include <optional>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// The first line of `main`: the program may be a worker process that a runtime has started, or the
/// agent of a box.
///
///     if (auto code = beamlet::run_child(argc, argv)) return *code;
///
/// There it does that work, for as long as it is wanted, and returns the exit code; else it returns
/// nothing at once. A program without this line has no worker processes, and starts no box:
/// `isolation = process` is errc::unsupported.
///
/// Thread: main's, before any other.   Blocks: in such a process until its end.
std::optional<int> run_child(int argc, char** argv);

}  // namespace BEAMLET_ABI
}  // namespace beamlet
