// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "beamlet/runtime/runtime.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

struct runtime_core {
  std::string name_space;
  std::uint32_t fork_generation = 0;
  std::unique_ptr<sched::scheduler> home;
};

/// Error: forked. In a child process the runtime's threads do not exist.
result<void> check_fork(sched::scheduler& home) noexcept;

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
