// SPDX-License-Identifier: Apache-2.0
#include "compute/probe.hpp"

#include <algorithm>

#include "compute/cpu/thread_team.hpp"
#include "compute/self_test.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

result<device_profile> test_device(device& one) {
  BEAMLET_TRY_VOID(one.open());
  BEAMLET_TRY(auto on, executor::make(one));
  BEAMLET_TRY_VOID(self_test(*on));
  return measure_profile(*on);
}

void tell_error(probe_report& report, const error& why,
                const std::function<void(const probe_report&)>& tell) {
  report.code = static_cast<std::uint16_t>(why.code());
  report.message = std::string(why.message());
  tell(report);
}

}  // namespace

void probe_backend(const probe_order& order, const std::function<void(const probe_report&)>& tell) {
  probe_report report;
  const backend* from = find_backend(order.backend);
  if (from == nullptr) return tell_error(report, error(errc::not_found), tell);
  auto team = thread_team::make(std::max(1u, order.threads));
  if (!team.has_value()) return tell_error(report, team.error(), tell);
  backend_options options;
  options.cache_folder = order.cache_folder;
  options.threads = (*team)->threads();
  options.parallel = [&team](std::size_t count, const std::function<void(std::size_t)>& piece) {
    (*team)->run(count, piece);
  };
  auto devices = from->devices(options);
  if (!devices.has_value()) return tell_error(report, devices.error(), tell);
  for (const auto& one : *devices) {
    device_record& record = report.devices.emplace_back();
    record.info = one->info();
    record.fault = not_tested;
  }
  const auto is_skipped = [&order](std::uint32_t i) {
    return std::find(order.skip.begin(), order.skip.end(), i) != order.skip.end();
  };
  for (std::uint32_t i = 0; i < report.devices.size(); ++i) {
    report.testing = i;
    if (is_skipped(i)) continue;
    tell(report);
    auto profile = test_device(*(*devices)[i]);
    device_record& record = report.devices[i];
    record.info = (*devices)[i]->info();  // a device may know more of itself once it is open
    if (profile.has_value()) record.profile = *profile;
    record.fault = profile.has_value() ? std::string() : std::string(profile.error().message());
  }
  report.testing = static_cast<std::uint32_t>(report.devices.size());
  tell(report);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
