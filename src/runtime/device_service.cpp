// SPDX-License-Identifier: Apache-2.0
#include "runtime/device_service.hpp"

#include <algorithm>
#include <utility>

#include "beamlet/runtime/runtime.hpp"
#include "beamlet/sched/core.hpp"
#include "compute/backend.hpp"
#include "ports/threads.hpp"
#include "sched/internal.hpp"
#include "sched/timeline.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

using compute::device_choice;
using compute::device_record;

namespace {

constexpr std::size_t kernels_max = 1024, work_max = 1024;
constexpr std::uint32_t search_thread = 1u << 16;  // its number on the timeline

std::uint64_t bytes_of(const compute::operand& one) { return one.elements() * one.type.bytes(); }

/// The device that was found, as this process sees it. One at a time in all runtimes of a process:
/// drivers are told of folders by the environment, and PoCL is not ready for two at its first use.
result<std::unique_ptr<compute::device>> open_device(const compute::device_info& wanted,
                                                     const std::string& cache_folder) {
  static std::mutex opening;
  std::lock_guard hold(opening);
  const compute::backend* from = compute::find_backend(wanted.backend);
  const auto gone = [&](const std::string& why) {
    return error(
        errc::device_lost, error_layer::runtime,
        {wanted.id() + " " + why + "; `beamlet devices --again` measures anew", "", "", ""});
  };
  if (from == nullptr) return gone("is of a backend that this program was built without");
  compute::backend_options options;
  options.cache_folder = cache_folder;
  BEAMLET_TRY(auto all, from->devices(options));
  for (auto& one : all) {
    if (one->info().index != wanted.index) continue;
    if (one->info().name != wanted.name || one->info().driver != wanted.driver)
      return gone("has become '" + one->info().name + "', " + one->info().driver);
    BEAMLET_TRY_VOID(one->open());
    return std::move(one);
  }
  return gone("is not there any more");
}

}  // namespace

device_service::device_service(runtime_core& core)
    : core_(core),
      home_(*core.home),
      rules_(compute::with_environment({core.options.device, core.options.allow_software_devices})),
      cache_folder_(core.options.device_cache_folder.empty() ? node::device_cache_folder()
                                                             : core.options.device_cache_folder),
      threads_(std::max(1u, core.home->workers_wanted)),
      found_(*core.home) {
  install({}, "");
  start_search();
}

device_service::~device_service() {
  search_stop_.stop();
  if (searcher_.joinable()) searcher_.join();
  std::vector<std::unique_ptr<device_lane>> ended;
  {
    std::lock_guard hold(lock_);
    ended = std::move(lanes_);
  }
}

std::shared_ptr<device_service> device_service::of(runtime_core& core) {
  std::lock_guard hold(core.devices_lock);
  if (core.devices == nullptr) core.devices = std::make_shared<device_service>(core);
  return std::static_pointer_cast<device_service>(core.devices);
}

// -- what there is

void device_service::start_search() {
  if (auto* given = static_cast<std::vector<given_device>*>(core_.options.given_devices)) {
    std::vector<device_record> records;
    openers_.resize(1);
    for (const given_device& one : *given) {
      records.push_back(one.record);
      openers_.push_back(one.open);
    }
    install(std::move(records), "");
    return found_.set();
  }
  if (home_.hosts_calls || core_.options.simulated_port != nullptr) {
    install({}, "worker processes use the processor only\n");
    return found_.set();
  }
  ports::thread_options options;
  options.name = "beamlet-search";
  auto started = ports::thread::start(
      options, [](void* service) { static_cast<device_service*>(service)->search(); }, this);
  if (started.has_value()) {
    searcher_ = *std::move(started);
    return;
  }
  install({}, "devices were not searched for: " + started.error().describe() + "\n");
  found_.set();
}

void device_service::search() {
  sched::context* here = sched::find_context(home_);
  const std::uint64_t since = here != nullptr ? sched::now_ns(*here) : 0;
  node::device_search how;
  if (core_.options.argv != nullptr && core_.options.argc > 0) how.program = core_.options.argv[0];
  how.cache_folder = cache_folder_;
  how.threads = threads_;
  how.stop = &search_stop_;
  auto found = node::find_devices(how);
  if (here != nullptr) {  // whose own records end with this thread
    const bool was_kept = found.has_value() && found->was_kept;
    sched::note_run(*here, ports::process_id(), search_thread, since, sched::now_ns(*here) - since,
                    was_kept ? "devices: what is known of them" : "devices: search");
  }
  if (found.has_value()) {
    std::string note;
    for (const node::backend_fault& one : found->absent)
      note += one.backend + ": none: " + one.reason + "\n";
    install(std::move(found->records), std::move(note));
  } else {
    install({}, "devices were not searched for: " + found.error().describe() + "\n");
  }
  found_.set();
}

/// The processor is device 0, whatever else there is.
void device_service::install(std::vector<device_record> records, std::string note) {
  auto cpu = std::find_if(records.begin(), records.end(),
                          [](const device_record& r) { return r.info.backend == "cpu"; });
  if (cpu != records.end()) {
    std::rotate(records.begin(), cpu, cpu + 1);
  } else {
    auto mine = borrow_processor();
    device_record record;
    if (mine != nullptr) record.info = mine->device->info();
    give_back(std::move(mine));
    records.insert(records.begin(), std::move(record));
  }
  const bool is_first = !choice_.has_value() && choice_fault_.code() == errc::ok;
  std::vector<std::size_t> wanted;
  std::int64_t gpus = 0;
  {
    std::lock_guard hold(lock_);
    note_ = std::move(note);
    lanes_.resize(records.size());
    openers_.resize(records.size());
    for (std::size_t i = 1; i < records.size(); ++i)
      if (openers_[i] == nullptr)
        openers_[i] = [info = records[i].info, this] { return open_device(info, cache_folder_); };
    // Before devices are known, a name that is none's yet is no error.
    auto made =
        device_choice::make(std::move(records), is_first ? compute::choice_rules{} : rules_);
    if (made.has_value()) choice_ = *std::move(made);
    else choice_fault_ = made.error(), choice_.reset();
    if (choice_.has_value() && !is_first)
      for (std::size_t i = 1; i < lanes_.size(); ++i)
        if (choice_->may_choose(i, "")) wanted.push_back(i);
    for (const std::size_t i : wanted)
      gpus += choice_->devices()[i].info.kind != compute::device_kind::cpu;
  }
  for (const std::size_t i : wanted) (void)lane(i);
  if (gpus == 0 || is_first) return;
  {
    std::lock_guard hold(home_.ledger_lock);
    const quantity more[] = {{resource::gpu, gpus * amount_per_unit}};
    if (!home_.shares.load(std::memory_order_relaxed) || sched::is_own(home_, resource::gpu))
      (void)home_.resources.grow(more);  // else the box's are all that there are
  }
  home_.admit_waiting();
}

result<std::unique_ptr<device_lane>> device_service::make_lane(std::size_t device) {
  device_lane::surroundings around;
  around.home = &home_;
  around.open = openers_[device];
  around.results = [this]() -> memory_source& { return memory_of_results(core_); };
  around.on_fault = [this, device](const error& why) { note_fault(device, why); };
  around.id = choice_->devices()[device].info.id();
  around.tuning_ns = static_cast<std::uint64_t>(base::saturated_ns(core_.options.device_tuning));
  // Devices that a test gives are not known to a user's folder.
  around.tuning_folder =
      core_.options.given_devices != nullptr ? core_.options.device_cache_folder : cache_folder_;
  return device_lane::make(std::move(around));
}

/// Null: it could not be started, and is not used any more.
device_lane* device_service::lane(std::size_t device) {
  std::lock_guard hold(lock_);
  if (lanes_[device] != nullptr) return lanes_[device].get();
  auto made = make_lane(device);
  if (made.has_value()) lanes_[device] = *std::move(made);
  else choice_->quarantine(device, made.error().describe());
  return lanes_[device].get();
}

void device_service::note_fault(std::size_t device, const error& why) {
  std::string id;
  {
    std::lock_guard hold(lock_);
    if (!choice_.has_value()) return;
    choice_->quarantine(device, why.describe());
    id = choice_->devices()[device].info.id();
  }
  if (home_.log.enabled(log_level::warning))
    home_.log.write(log_level::warning, error_layer::runtime, home_.port->now_ns(),
                    id + " is not used any more: " + why.describe());
}

// -- which one

device_choice::transfers device_service::transfers_to(std::size_t device,
                                                      const device_attempt& how) const {
  device_choice::transfers made;
  for (std::size_t k = 0; k < how.inputs.size(); ++k) {
    const lane_input& in = how.inputs[k];
    if (in.maker != nullptr && how.made_on[k] == device) made.is_behind_input = true;
    else if (in.maker != nullptr) made.in_bytes += bytes_of(how.operands[k]);
    else if (device != 0 && lanes_[device] != nullptr)
      made.in_bytes += lanes_[device]->missing_bytes(in.value);
  }
  if (device != 0)
    for (const compute::operand& out : how.results) made.out_bytes += bytes_of(out);
  return made;
}

bool device_service::names_broken_device(const device_job& job, const device_attempt& how) const {
  const auto devices = choice_->devices();
  const std::string& wanted =
      compute::is_named(job.options.device) ? job.options.device : rules_.wanted;
  for (std::size_t i = 1; i < devices.size(); ++i)
    if (compute::has_name(devices[i].info, wanted) &&
        (how.excluded[i] || !devices[i].fault.empty()))
      return plan_for(*job.what, devices[0].info, how.operands, how.results).has_value();
  return false;
}

std::size_t device_service::count_candidates(const device_job& job, device_attempt& how,
                                             bool may_open, std::vector<bool>& can) const {
  const auto devices = choice_->devices();
  std::size_t count = 0;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (how.excluded[i] || !choice_->may_choose(i, job.options.device)) continue;
    if (i != 0 && !may_open && (lanes_[i] == nullptr || !lanes_[i]->is_open())) continue;
    auto planned = plan_for(*job.what, devices[i].info, how.operands, how.results);
    can[i] = planned.has_value();
    count += can[i];
    if (!can[i] && how.refusal.code() == errc::ok) how.refusal = planned.error();
  }
  return count;
}

result<std::size_t> device_service::choose(const device_job& job, device_attempt& how) {
  std::lock_guard hold(lock_);
  if (!choice_.has_value()) return choice_fault_;
  const auto devices = choice_->devices();
  how.excluded.resize(devices.size());
  std::vector<bool> can(devices.size());
  std::vector<device_choice::transfers> transfers(devices.size());
  const bool is_named = compute::is_named(job.options.device) || compute::is_named(rules_.wanted);
  // A device that is not open yet would be waited for; meanwhile others can do it.
  std::size_t candidates = count_candidates(job, how, is_named, can);
  if (candidates == 0) candidates = count_candidates(job, how, true, can);
  for (std::size_t i = 0; i < devices.size(); ++i)
    if (can[i]) transfers[i] = transfers_to(i, how);
  // Who names a device gets that one, or is told; unless it fails when it is used.
  if (candidates == 0 && names_broken_device(job, how)) return std::size_t{0};
  if (candidates == 0 && how.refusal.code() != errc::ok) return std::exchange(how.refusal, {});
  return choice_->choose(how.key, how.cost, transfers, can, job.options.device);
}

void device_service::note_run(const device_job& job, const device_attempt& how, std::uint64_t ns) {
  std::lock_guard hold(lock_);
  if (const std::pair key(job.name, how.device); work_.size() < work_max || work_.contains(key)) {
    auto& [tasks, busy_ns] = work_[key];
    ++tasks;
    busy_ns += ns;
  }
  if (how.device == 0) {
    ++processor_figures_.tasks;
    processor_figures_.busy_ns += ns;
  }
}

/// How long it took there; and the way there and back, or 0 where that says nothing.
void device_service::learn(const device_attempt& how, std::uint64_t ns,
                           std::uint64_t round_trip_ns) {
  std::lock_guard hold(lock_);
  if (!choice_.has_value() || how.device >= choice_->devices().size()) return;
  choice_->learn(how.key, how.device, static_cast<double>(ns));
  if (round_trip_ns != 0) choice_->learn_round_trip(how.device, static_cast<double>(round_trip_ns));
}

void device_service::note_failure(device_attempt& how, error why) {
  std::lock_guard hold(lock_);
  how.excluded[how.device] = true;
  how.failure = std::move(why);
  ++reruns_;
}

// -- the rest

result<device_kernel> device_service::add_kernel(kernel_options options) {
  BEAMLET_TRY(auto made, make_kernel(std::move(options)));
  std::lock_guard hold(lock_);
  if (kernels_.size() >= kernels_max)
    return error(
        errc::exhausted, error_layer::runtime,
        {"a runtime keeps at most " + std::to_string(kernels_max) + " kernels", "", "", ""});
  kernels_.push_back(made);
  return device_kernel(made);
}

void device_service::on_pressure() {
  std::lock_guard hold(lock_);
  for (auto& one : lanes_)
    if (one != nullptr) one->unpin();
}

devices_report device_service::report() const {
  devices_report made;
  std::lock_guard hold(lock_);
  made.reruns = reruns_;
  if (!choice_.has_value()) {
    made.explanation = choice_fault_.describe() + "\n" + note_;
    return made;
  }
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    device_status one;
    one.info = choice_->devices()[i].info;
    one.reason_against = choice_->reason_against(i);
    lane_figures is = i == 0 ? processor_figures_ : lane_figures{};
    is.is_open = i == 0;
    if (lanes_[i] != nullptr) is = lanes_[i]->figures();
    one.is_open = is.is_open;
    one.tasks = is.tasks;
    one.failures = is.failures;
    one.busy_ns = is.busy_ns;
    one.resident_bytes = is.memory.resident_bytes;
    one.imported_bytes = is.memory.imported_bytes;
    one.copied_bytes = is.memory.copied_bytes;
    one.kernels_compiled = is.kernels_compiled;
    one.kernels_kept = is.kernels_kept;
    one.works_tuned = is.works_tuned;
    one.self_tests = is.self_tests;
    one.queued = is.queued;
    made.devices.push_back(std::move(one));
  }
  for (const auto& [key, done] : work_)
    if (key.second < made.devices.size())
      made.work.push_back({key.first, made.devices[key.second].info.id(), done.first, done.second});
  made.explanation = choice_->explain() + note_;
  return made;
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
