// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "compute/executor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Runs kernels whose results are known on a device, each several times, and compares: some drivers
/// give wrong numbers, or wrong numbers now and then. What is known comes from the cpu backend's
/// plain C++.
///
/// `may_go_on` is asked before each run; its error ends the test. What a device may still use when
/// it did not end a run is never freed.
///
/// REQUIRES: the executor has recorded nothing.
/// Blocks: about as long as the kernels take to compile; each run at most self_test_run_ns_max.
/// Errors: malformed (a wrong number: op, element and both numbers are in the message),
/// unsupported (the device runs none of the kernels), and those of executor.
result<void> self_test(executor& on, const std::function<result<void>()>& may_go_on = {});
inline constexpr base::time_ns self_test_run_ns_max = 10'000'000'000;

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
