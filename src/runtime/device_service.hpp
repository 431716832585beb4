// SPDX-License-Identifier: Apache-2.0
#pragma once

// A runtime's devices: what there is, which of them runs a task, and what happens when one fails.
// Made by the first device task. Devices are searched for in the background; until they are known,
// and where nothing else is better, the processor works: on the worker that runs the task, with the
// help of others. Every other device has a lane (device_lane.hpp).

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "beamlet/runtime/device_task.hpp"
#include "beamlet/sched/async.hpp"
#include "compute/choice.hpp"
#include "node/device_probe.hpp"
#include "runtime/core.hpp"
#include "runtime/device_lane.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// Test only: a device in the place of those that there are, and how it is opened.
struct given_device {
  compute::device_record record;
  device_lane::opener open;
};

struct device_job;
/// The device task that makes what a ref stands for, and which of its results that is.
struct device_origin {
  std::weak_ptr<device_job> maker;
  std::size_t index = 0;
};

/// A device task: what its consumers and its own coroutine share.
struct device_job {
  device_job(sched::scheduler& home, device_work work)
      : what(std::make_shared<const device_work>(std::move(work))), placed(home) {}

  std::shared_ptr<const device_work> what;
  std::string name;
  device_task_options options;
  std::vector<ref<tensor>> inputs;
  std::vector<device_origin> origins;  // of inputs, where a device task makes them
  std::size_t outputs = 1;             // that are wanted; with another number of them it fails
  device_event placed;                 // it is in a lane's queue, or over
  // By which others find it; under the service's lock. One result's cell is the task's own; those
  // of several are held, so that nothing else gets their addresses.
  std::vector<const void*> cells;
  std::vector<ref<tensor>> held;

  std::mutex lock;
  std::shared_ptr<lane_job> at;  // while it is in a lane
  std::size_t device = 0;
  bool is_over = false;
};

/// What is known of a task while it looks for a device, and of the devices that it has tried.
struct device_attempt {
  std::vector<lane_input> inputs;
  std::vector<std::size_t> made_on;  // by input: the device where its maker works now
  std::vector<compute::operand> operands, results;
  std::vector<compute::tensor_type> outputs;
  compute::op_cost cost;
  std::uint64_t key = 0;
  std::vector<bool> excluded;  // by device
  std::size_t device = 0;
  error refusal;  // of a device that cannot do it
  error failure;  // of a device that did not do it
};

/// The processor as a device, for one task at a time.
struct device_processor {
  std::unique_ptr<compute::device> device;
  std::unique_ptr<compute::executor> runs;
};

class device_service final : public device_host {
 public:
  explicit device_service(runtime_core& core);
  ~device_service() override;
  static std::shared_ptr<device_service> of(runtime_core& core);

  // Thread: any.
  ref<tensor> submit(const std::shared_ptr<device_job>& job);
  std::vector<ref<tensor>> submit_all(const std::shared_ptr<device_job>& job);
  std::shared_ptr<device_job> make_job(device_work what, const device_task_options& options,
                                       std::vector<ref<tensor>> inputs);
  const ref<void>& when_found() const noexcept { return found_.when_set(); }
  devices_report report() const;
  result<device_kernel> add_kernel(kernel_options options);
  void on_pressure() override;

 private:
  class job_guard;
  struct waiting_guard;
  struct lane_job_guard;

  template <class T>
  ref<T> start(const std::shared_ptr<device_job>& job,
               async<T> (device_service::*work)(std::shared_ptr<device_job>));
  template <class T>
  async<T> run_with_gpus(std::shared_ptr<device_job> job,
                         async<T> (device_service::*work)(std::shared_ptr<device_job>));
  void remember(const std::shared_ptr<device_job>& job, std::span<const ref<tensor>> results,
                bool holds);
  void forget(device_job& job);
  async<tensor> run_one(std::shared_ptr<device_job> job);
  async<std::vector<tensor>> run(std::shared_ptr<device_job> job);
  async<void> gather(device_job* job, device_attempt* how);
  async<void> fetch(device_job* job, device_attempt* how, std::size_t kept_on);
  async<std::vector<tensor>> run_on_lane(device_job* job, device_attempt* how);
  result<std::vector<tensor>> run_here(const device_job& job, const device_attempt& how);
  result<std::vector<tensor>> run_on(device_processor& processor, const device_job& job,
                                     const device_attempt& how);

  void start_search();
  void search();
  void install(std::vector<compute::device_record> records, std::string note);
  result<std::size_t> choose(const device_job& job, device_attempt& how);
  compute::device_choice::transfers transfers_to(std::size_t device,
                                                 const device_attempt& how) const;
  std::size_t count_candidates(const device_job& job, device_attempt& how, bool may_open,
                               std::vector<bool>& can) const;
  bool names_broken_device(const device_job& job, const device_attempt& how) const;
  device_lane* lane(std::size_t device);
  result<std::unique_ptr<device_lane>> make_lane(std::size_t device);
  void note_fault(std::size_t device, const error& why);
  void note_run(const device_job& job, const device_attempt& how, std::uint64_t ns);
  void learn(const device_attempt& how, std::uint64_t ns, std::uint64_t round_trip_ns);
  void note_failure(device_attempt& how, error why);
  void share(std::size_t count, const std::function<void(std::size_t)>& piece);

  std::unique_ptr<device_processor> borrow_processor();
  void give_back(std::unique_ptr<device_processor> one);

  runtime_core& core_;
  sched::scheduler& home_;
  const compute::choice_rules rules_;
  const std::string cache_folder_;
  const unsigned threads_;
  device_event found_;
  node::search_stop search_stop_;
  ports::thread searcher_;

  mutable std::mutex lock_;
  std::optional<compute::device_choice> choice_;
  error choice_fault_;  // why there is none
  std::string note_;
  std::vector<std::unique_ptr<device_lane>> lanes_;  // by device; null: the processor, or not yet
  std::vector<device_lane::opener> openers_;
  std::vector<std::unique_ptr<device_processor>> processors_;
  lane_figures processor_figures_;
  std::uint64_t reruns_ = 0;
  std::map<std::pair<std::string, std::size_t>, std::pair<std::uint64_t, std::uint64_t>> work_;
  std::unordered_map<const void*, device_origin> origins_;  // by the cell of a ref
  std::vector<std::shared_ptr<kernel_state>> kernels_;
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
