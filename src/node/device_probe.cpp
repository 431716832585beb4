// SPDX-License-Identifier: Apache-2.0
#include "node/device_probe.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "compute/blob_cache.hpp"
#include "node/child.hpp"
#include "ports/dynamic_library.hpp"
#include "ports/files.hpp"
#include "ports/processes.hpp"
#include "ports/processor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// A search_stop's way to the probe that runs now.
class probe_watch {
 public:
  probe_watch(search_stop* stop, ports::process* probe) : stop_(stop) {
    if (stop_ == nullptr) return;
    std::lock_guard hold(stop_->lock_);
    stop_->probe_ = probe;
    if (stop_->stopped_) probe->kill();
  }
  probe_watch(const probe_watch&) = delete;
  probe_watch& operator=(const probe_watch&) = delete;
  ~probe_watch() {
    if (stop_ == nullptr) return;
    std::lock_guard hold(stop_->lock_);
    stop_->probe_ = nullptr;
  }
  static bool is_stopped(search_stop* stop) {
    if (stop == nullptr) return false;
    std::lock_guard hold(stop->lock_);
    return stop->stopped_;
  }

 private:
  search_stop* stop_;
};

void search_stop::stop() {
  std::lock_guard hold(lock_);
  stopped_ = true;
  if (probe_ != nullptr) probe_->kill();
}

namespace {

constexpr base::time_ns order_wait_ns = 10'000'000'000;
// Each probe that ends early costs one device; what goes on after so many is not worth it.
constexpr int probes_per_backend_max = 8;

// Where loaders look for drivers, and what tells loaders and drivers what to do.
constexpr const char* driver_folders[] = {"/etc/OpenCL/vendors", "/usr/share/vulkan/icd.d",
                                          "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d",
                                          "/usr/share/vulkan/implicit_layer.d"};
constexpr const char* driver_variables[] = {
    "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES",      "VK_ICD_FILENAMES", "VK_DRIVER_FILES",
    "VK_LAYER_PATH",   "VK_INSTANCE_LAYERS",     "POCL_DEVICES",     "POCL_MAX_PTHREAD_COUNT",
    "LP_NUM_THREADS",  "LP_NATIVE_VECTOR_WIDTH", "RUSTICL_ENABLE",   "CUDA_VISIBLE_DEVICES"};

// A driver that became another one in the same file is found out when it is opened: its version is
// in the record.
compute::blob_key key_of_drivers(const device_search& how) {
  compute::blob_key made;
  made.add("devices").add(ports::processor_name()).add(how.threads);
  for (const compute::backend& one : compute::backends()) made.add(one.name);
  made.add(ports::dynamic_library::can_open() ? 1 : 0);
  for (const char* name : driver_variables) {
    const char* value = std::getenv(name);
    made.add(value != nullptr ? value : "");
  }
  for (const char* folder : driver_folders) made.add(ports::file_stamp(folder));
  return made;
}

// None where there is no folder to be had: then everything is found out anew. A user's folder of
// caches, its parent, is made too.
compute::blob_cache open_cache(const std::string& folder) {
  if (folder.empty()) return {};
  auto opened = compute::blob_cache::open(folder);
  if (!opened.has_value() && opened.error() == errc::not_found) {
    (void)compute::blob_cache::open(folder.substr(0, folder.rfind('/')));
    opened = compute::blob_cache::open(folder);
  }
  return opened.has_value() ? *std::move(opened) : compute::blob_cache();
}

std::string how_it_ended(const error& why, child_process& child, base::time_ns limit_ns) {
  if (why.code() == errc::timeout)
    return "its driver did not answer within " + std::to_string(limit_ns / 1'000'000'000) + " s";
  return "its driver ended the probe, which " + ports::describe(child.process.wait());
}

// One process's probe: reads what it tells until it is done, or has ended. What is known by then is
// in `report`; a reason means that the device under test, or the listing, brought it down.
result<std::optional<std::string>> probe_once(const device_search& how,
                                              const compute::probe_order& order,
                                              compute::probe_report& report) {
  ports::spawn_options options;
  options.detached = true;  // what drivers print is nobody's
  BEAMLET_TRY(auto child, spawn_child(child_role::probe, how.program, std::move(options)));
  const auto receive = [&](base::time_ns limit_ns) {
    probe_watch watch(how.stop, &child.process);
    return receive_frame(child.socket, limit_ns);
  };
  BEAMLET_TRY_VOID(send_whole(child.socket, order));
  for (bool listed = false;; listed = true) {
    const base::time_ns limit_ns = listed ? how.test_ns_max : how.list_ns_max;
    auto bytes = receive(limit_ns);
    if (probe_watch::is_stopped(how.stop)) return errc::cancelled;
    if (!bytes.has_value()) return std::optional(how_it_ended(bytes.error(), child, limit_ns));
    auto told = decode_from<compute::probe_report>(*bytes);
    if (!told.has_value()) return std::optional<std::string>("its probe told nonsense");
    // What an earlier probe found out about a device that this one skips.
    for (std::uint32_t i : order.skip)
      if (i < told->devices.size() && i < report.devices.size())
        told->devices[i].fault = report.devices[i].fault;
    report = *std::move(told);
    if (report.is_done()) return std::optional<std::string>();
  }
}

// False: something went wrong that may go well the next time.
result<bool> probe_backend_apart(const device_search& how, const std::string& backend,
                                 found_devices& to) {
  compute::probe_order order{backend, how.cache_folder, how.threads, {}};
  compute::probe_report report;
  std::string reason;
  bool all_well = true;
  for (int tried = 0; tried < probes_per_backend_max; ++tried) {
    BEAMLET_TRY(auto fault, probe_once(how, order, report));
    if (!fault) break;
    all_well = false;
    if (report.testing >= report.devices.size()) {
      reason = *fault;
      break;
    }
    report.devices[report.testing].fault = *fault;
    order.skip.push_back(report.testing);
  }
  if (report.code != 0) reason = report.message;
  if (report.devices.empty())
    to.absent.push_back({backend, reason.empty() ? "its driver shows no device" : reason});
  for (auto& record : report.devices) {
    all_well &= record.fault.empty();
    to.records.push_back(std::move(record));
  }
  return all_well;
}

}  // namespace

std::string device_cache_folder() {
  const char* caches = std::getenv("XDG_CACHE_HOME");
  if (caches != nullptr && *caches != '\0') return std::string(caches) + "/beamlet";
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.cache/beamlet" : std::string();
}

result<found_devices> find_devices(const device_search& how) {
  const compute::blob_cache cache = open_cache(how.cache_folder);
  const compute::blob_key key = key_of_drivers(how);
  if (!how.measures_again)
    if (auto bytes = cache.find(key); bytes.has_value())
      if (auto kept = decode_from<found_devices>(*bytes); kept.has_value()) {
        kept->was_kept = true;
        return kept;
      }
  found_devices made;
  bool all_well = true;
  for (const compute::backend& one : compute::backends()) {
    BEAMLET_TRY(const bool well, probe_backend_apart(how, one.name, made));
    all_well &= well;
  }
  compute::mark_twins(made.records);
  if (auto bytes = encode_to(made); all_well && bytes.has_value()) cache.store(key, *bytes);
  return made;
}

int run_probe_child() {
  ports::end_with_parent();
  auto socket = child_socket();
  if (!socket.has_value()) return 1;
  auto bytes = receive_frame(*socket, order_wait_ns);
  if (!bytes.has_value()) return 1;
  auto order = decode_from<compute::probe_order>(*bytes);
  if (!order.has_value()) return 1;
  bool told_all = true;
  compute::probe_backend(*order, [&](const compute::probe_report& report) {
    told_all &= send_whole(*socket, report).has_value();
  });
  return told_all ? 0 : 1;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
