// SPDX-License-Identifier: Apache-2.0
#pragma once

// Devices, found out about in a process of its own for each backend: a driver that crashes or hangs
// while it is asked ends that process, and costs only its device.

#include <mutex>
#include <string>
#include <vector>

#include "compute/choice.hpp"
#include "compute/probe.hpp"
#include "ports/processes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// For who wants a search to end early.   Thread: any.
class search_stop {
 public:
  /// The search returns errc::cancelled soon: its probe is killed, and no other is started.
  void stop();

 private:
  friend class probe_watch;
  std::mutex lock_;
  bool stopped_ = false;
  ports::process* probe_ = nullptr;
};

struct device_search {
  std::string program = {};  ///< argv[0] of the probes
  /// Of the drivers (compute::backend_options), and for what is found out; empty: nothing is kept.
  std::string cache_folder = {};
  bool measures_again = false;  ///< does not look for what an earlier search found out
  std::uint32_t threads = 1;
  base::time_ns list_ns_max = 15'000'000'000;  ///< for a backend to list its devices
  base::time_ns test_ns_max = 90'000'000'000;  ///< for one device, whose driver compiles kernels
  search_stop* stop = nullptr;
};

struct backend_fault {
  std::string backend, reason;
  BEAMLET_FIELDS(backend, reason);
};

struct found_devices {
  std::vector<compute::device_record> records;  ///< in the order of compute::backends()
  std::vector<backend_fault> absent;            ///< backends without a device, and why
  bool was_kept =
      false;  ///< read from the one file that an earlier search left; no driver was used
  BEAMLET_FIELDS(records, absent);
};

/// $XDG_CACHE_HOME/beamlet, else $HOME/.cache/beamlet, else none: empty.
std::string device_cache_folder();

/// Searches all backends, or reads what an earlier search on this machine found out: with the same
/// drivers, as far as their files and the environment tell. Twins are marked.
///
/// Thread: any.   Blocks: until all is known: seconds, or a millisecond where it was kept.
/// Errors: unsupported (main does not begin with run_child: there is no process to be had, and the
/// drivers were not touched), exhausted, cancelled (`stop`).
result<found_devices> find_devices(const device_search& how);

/// What main becomes in such a process. Weak, because it brings drivers and kernels: a program that
/// never calls find_devices is linked without them, and has none.
[[gnu::weak]] int run_probe_child();

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
