// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a probe does: it looks for the devices of one backend, proves each right and measures it. A
// driver may crash or hang on the way, so node/device_probe.hpp has a process of its own do this,
// which tells after each step what is known by then.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "beamlet/base/codec.hpp"
#include "compute/choice.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

struct probe_order {
  std::string backend;
  std::string cache_folder;         ///< backend_options::cache_folder
  std::uint32_t threads = 1;        ///< of the cpu backend
  std::vector<std::uint32_t> skip;  ///< devices that ended an earlier probe
  BEAMLET_FIELDS(backend, cache_folder, threads, skip);
};

struct probe_report {
  std::vector<device_record> devices;  ///< all that the backend shows
  std::uint32_t testing = 0;           ///< the one that comes next; all of them: done
  std::uint16_t code = 0;              ///< errc of why there is none
  std::string message;
  BEAMLET_FIELDS(devices, testing, code, message);

  bool is_done() const noexcept { return code != 0 || testing >= devices.size(); }
};

/// Calls `tell` when the devices are listed, and after each of them was tested.
///
/// Blocks: seconds, the drivers' time; for ever where one hangs.
void probe_backend(const probe_order& order, const std::function<void(const probe_report&)>& tell);

/// Of a device that was listed and not tested.
inline constexpr char not_tested[] = "it was not tested";

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
