// SPDX-License-Identifier: Apache-2.0
// The life of a device task: it waits for its inputs, or for what makes them to be on a device;
// looks for a device; runs there; and once more elsewhere where that failed.
#include <algorithm>
#include <chrono>
#include <utility>

#include "beamlet/runtime/runtime.hpp"
#include "compute/backend.hpp"
#include "ports/threads.hpp"
#include "runtime/device_service.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

using compute::operand;

namespace {

constexpr std::size_t no_device = SIZE_MAX;

operand operand_of(const tensor& value) {
  operand made;
  made.type = value.type();
  made.shape = value.shape();
  made.strides = value.strides();
  if (value.elements() != 0)
    made.offset_bytes = static_cast<std::uint64_t>(value.data() - value.memory().data());
  return made;
}

}  // namespace

/// Tells the lane that nobody waits any more, where the coroutine ends first.
struct device_service::lane_job_guard {
  std::shared_ptr<lane_job> at;
  explicit lane_job_guard(std::shared_ptr<lane_job> job) noexcept : at(std::move(job)) {}
  lane_job_guard(const lane_job_guard&) = delete;
  lane_job_guard& operator=(const lane_job_guard&) = delete;
  ~lane_job_guard() { at->cancelled.store(true, std::memory_order_release); }
};

/// However a task ends, who waits for it to be on a device goes on.
class device_service::job_guard {
 public:
  job_guard(device_service& service, std::shared_ptr<device_job> job) noexcept
      : service_(service), job_(std::move(job)) {}
  job_guard(const job_guard&) = delete;
  job_guard& operator=(const job_guard&) = delete;
  ~job_guard() {
    service_.forget(*job_);
    {
      std::lock_guard hold(job_->lock);
      job_->at = nullptr;
    }
    job_->inputs.clear();
    job_->placed.set();
  }

 private:
  device_service& service_;
  std::shared_ptr<device_job> job_;
};

/// The same for one that may never get its share of `gpu`.
struct device_service::waiting_guard {
  device_service& service;
  std::shared_ptr<device_job> job;
  ~waiting_guard() {
    service.forget(*job);
    job->placed.set();
  }
};

void device_service::remember(const std::shared_ptr<device_job>& job,
                              std::span<const ref<tensor>> results, bool holds) {
  std::lock_guard hold(lock_);
  if (job->is_over) return;
  for (std::size_t i = 0; i < results.size(); ++i) {
    job->cells.push_back(ref_access::cell(results[i]));
    origins_[job->cells.back()] = {job, i};
  }
  if (holds) job->held.assign(results.begin(), results.end());
}

void device_service::forget(device_job& job) {
  std::vector<ref<tensor>> held;  // goes without the lock
  std::lock_guard hold(lock_);
  job.is_over = true;
  for (const void* cell : job.cells) origins_.erase(cell);
  job.cells.clear();
  held.swap(job.held);
}

// -- submission

std::shared_ptr<device_job> device_service::make_job(device_work what,
                                                     const device_task_options& options,
                                                     std::vector<ref<tensor>> inputs) {
  auto job = std::make_shared<device_job>(home_, std::move(what));
  job->options = options;
  job->name = options.name.empty() ? name_of(*job->what) : options.name;
  job->inputs = std::move(inputs);
  job->origins.resize(job->inputs.size());
  std::lock_guard hold(lock_);
  for (std::size_t i = 0; i < job->inputs.size(); ++i)
    if (auto origin = origins_.find(ref_access::cell(job->inputs[i])); origin != origins_.end())
      job->origins[i] = origin->second;
  return job;
}

namespace {
task_options options_of(const device_job& job) {
  task_options made;
  made.name = job.name;
  made.priority = job.options.priority;
  made.deadline = job.options.deadline;
  return made;
}
}  // namespace

/// What it needs is there, or on its way, when it takes its share of `gpu`: a task that has one
/// waits for nobody that wants one.
template <class T>
async<T> device_service::run_with_gpus(
    std::shared_ptr<device_job> job,
    async<T> (device_service::*work)(std::shared_ptr<device_job>)) {
  const std::uint64_t since = home_.port->now_ns();
  waiting_guard guard{*this, job};
  (void)co_await found_.when_set().as_result();  // how many there are is known then
  for (std::size_t i = 0; i < job->inputs.size(); ++i) {
    if (auto maker = job->origins[i].maker.lock())
      (void)co_await maker->placed.when_set().as_result();
    else (void)co_await job->inputs[i];
  }
  task_options made = options_of(*job);
  made.num_gpus = job->options.num_gpus;
  if (made.deadline.count() > 0)
    made.deadline = std::max(made.deadline - std::chrono::nanoseconds(home_.port->now_ns() - since),
                             std::chrono::nanoseconds(1));
  co_return co_await runtime_handle(&core_)
      .task([this, job, work] { return (this->*work)(job); })
      .options(made)
      .remote();
}

template <class T>
ref<T> device_service::start(const std::shared_ptr<device_job>& job,
                             async<T> (device_service::*work)(std::shared_ptr<device_job>)) {
  task_options made = options_of(*job);
  if (job->options.num_gpus > 0) made.name += " waits for gpu";
  return runtime_handle(&core_)
      .task([this, job, work] {
        return job->options.num_gpus > 0 ? run_with_gpus(job, work) : (this->*work)(job);
      })
      .options(made)
      .remote();
}

ref<tensor> device_service::submit(const std::shared_ptr<device_job>& job) {
  ref<tensor> made = start(job, &device_service::run_one);
  remember(job, {&made, 1}, false);  // its closure has the job
  return made;
}

std::vector<ref<tensor>> device_service::submit_all(const std::shared_ptr<device_job>& job) {
  const ref<std::vector<tensor>> all = start(job, &device_service::run);
  const auto one_of = [name = job->name, outputs = job->outputs](
                          std::size_t i, const std::vector<tensor>& made) -> result<tensor> {
    if (made.size() == outputs) return made[i];
    return error(
        errc::invalid_argument, error_layer::runtime,
        {name + " has " + std::to_string(made.size()) + " results, not " + std::to_string(outputs),
         "", "", ""});
  };
  std::vector<ref<tensor>> made;
  for (std::size_t i = 0; i < job->outputs; ++i)
    made.push_back(runtime_handle(&core_).task(one_of).options({.name = job->name}).remote(i, all));
  remember(job, made, true);
  return made;
}

// -- the task

async<tensor> device_service::run_one(std::shared_ptr<device_job> job) {
  auto made = co_await run(job);
  if (made.size() != 1)
    co_return error(errc::invalid_argument, error_layer::runtime,
                    {job->name + " has " + std::to_string(made.size()) +
                         " results: use remote_all(" + std::to_string(made.size()) + ", ...)",
                     "", "", ""});
  co_return std::move(made.front());
}

async<std::vector<tensor>> device_service::run(std::shared_ptr<device_job> job) {
  job_guard guard(*this, job);
  device_attempt how;
  if (compute::is_named(job->options.device) || compute::is_named(rules_.wanted))
    (void)co_await found_.when_set().as_result();
  co_await gather(job.get(), &how);
  auto outputs = outputs_of(*job->what, how.operands);
  if (!outputs.has_value()) co_return outputs.error();
  how.outputs = *std::move(outputs);
  for (const compute::tensor_type& type : how.outputs) how.results.push_back(operand::dense(type));
  how.cost = cost_of(*job->what, how.operands, how.results);
  how.key = key_of(*job->what, how.operands, how.results);
  for (;;) {
    auto device = choose(*job, how);
    if (!device.has_value() && found_.when_set() && !found_.when_set().ready()) {
      // Another device may be able to.
      (void)co_await found_.when_set().as_result();
      continue;
    }
    if (!device.has_value())
      co_return how.failure.code() != errc::ok ? how.failure : device.error();
    how.device = *device;
    co_await fetch(job.get(), &how, how.device);
    if (how.device == 0) co_return run_here(*job, how);
    auto made = co_await run_on_lane(job.get(), &how).as_result();
    if (made.has_value() || is_callers_error(made.error(), *job->what)) co_return made;
    note_failure(how, made.error());
    co_await fetch(job.get(), &how, no_device);
  }
}

/// Each input: its value, or the work on a device that makes it.
async<void> device_service::gather(device_job* job, device_attempt* how) {
  for (std::size_t i = 0; i < job->inputs.size(); ++i) {
    lane_input input;
    std::size_t made_on = no_device;
    if (auto maker = job->origins[i].maker.lock()) {
      (void)co_await maker->placed.when_set().as_result();
      std::lock_guard hold(maker->lock);
      if (maker->at != nullptr && maker->at->outputs.size() == maker->outputs) {
        input.maker = maker->at;
        input.index = job->origins[i].index;
        made_on = maker->device;
      }
    }
    if (input.maker == nullptr) input.value = co_await job->inputs[i];
    how->operands.push_back(input.maker != nullptr
                                ? operand::dense(input.maker->outputs[input.index])
                                : operand_of(input.value));
    how->inputs.push_back(std::move(input));
    how->made_on.push_back(made_on);
  }
}

/// Waits for the values of those inputs that are not made on this device.
async<void> device_service::fetch(device_job* job, device_attempt* how, std::size_t kept_on) {
  for (std::size_t i = 0; i < how->inputs.size(); ++i) {
    lane_input& input = how->inputs[i];
    if (input.maker == nullptr || how->made_on[i] == kept_on) continue;
    input.value = co_await job->inputs[i];
    input.maker = nullptr;
    how->operands[i] = operand_of(input.value);
  }
}

async<std::vector<tensor>> device_service::run_on_lane(device_job* job, device_attempt* how) {
  const std::uint64_t since = home_.port->now_ns();
  lane_job_guard guard(std::make_shared<lane_job>(home_, job->what));
  lane_job& at = *guard.at;
  device_lane* on = lane(how->device);
  if (on == nullptr || !at.done.when_set()) co_return errc::no_memory;
  at.name = job->name;
  at.inputs = how->inputs;
  at.outputs = how->outputs;
  at.key = how->key;
  at.timeout_ns = static_cast<std::uint64_t>(base::saturated_ns(job->options.timeout));
  {
    std::lock_guard hold(job->lock);
    job->at = guard.at;
    job->device = how->device;
  }
  on->submit(guard.at);
  job->placed.set();
  (void)co_await at.done.when_set().as_result();
  {
    std::lock_guard hold(job->lock);
    job->at = nullptr;
  }
  if (!at.made.has_value()) co_return at.made;
  note_run(*job, *how, at.busy_ns);
  if (at.busy_ns == 0) co_return at.made;
  // One behind others also waited for those.
  const std::uint64_t all = home_.port->now_ns() - since, there = at.busy_ns + at.moved_ns;
  learn(*how, there, at.was_alone && all > there ? all - there : 0);
  co_return at.made;
}

// -- on the processor

std::unique_ptr<device_processor> device_service::borrow_processor() {
  {
    std::lock_guard hold(lock_);
    if (!processors_.empty()) {
      auto one = std::move(processors_.back());
      processors_.pop_back();
      return one;
    }
  }
  compute::backend_options options;
  options.threads = threads_;
  options.parallel = [this](std::size_t count, const std::function<void(std::size_t)>& piece) {
    share(count, piece);
  };
  const compute::backend* cpu = compute::find_backend("cpu");
  if (cpu == nullptr) return nullptr;
  auto found = cpu->devices(options);
  if (!found.has_value() || found->empty()) return nullptr;
  auto made = std::make_unique<device_processor>();
  made->device = std::move(found->front());
  if (!made->device->open().has_value()) return nullptr;
  auto runs = compute::executor::make(*made->device);
  if (!runs.has_value()) return nullptr;
  made->runs = *std::move(runs);
  return made;
}

void device_service::give_back(std::unique_ptr<device_processor> one) {
  if (one == nullptr) return;
  std::lock_guard hold(lock_);
  processors_.push_back(std::move(one));
}

result<std::vector<tensor>> device_service::run_here(const device_job& job,
                                                     const device_attempt& how) {
  auto processor = borrow_processor();
  if (processor == nullptr)
    return error(errc::unsupported, error_layer::runtime,
                 {"this build has no cpu backend", "", job.name, ""});
  const std::uint64_t began = home_.port->now_ns();
  auto made = run_on(*processor, job, how);
  const std::uint64_t ns = std::max<std::uint64_t>(home_.port->now_ns() - began, 1);
  give_back(std::move(processor));
  if (!made.has_value()) return made;
  note_run(job, how, ns);
  learn(how, ns, 0);
  return made;
}

result<std::vector<tensor>> device_service::run_on(device_processor& processor,
                                                   const device_job& job,
                                                   const device_attempt& how) {
  std::vector<std::unique_ptr<compute::device_buffer>> held;
  std::vector<compute::device_buffer*> memory;
  const auto use = [&](std::span<const std::byte> bytes) -> result<void> {
    // Its kernels write to results only.
    auto* first = const_cast<std::byte*>(bytes.data());
    BEAMLET_TRY(auto one, processor.device->import({first, bytes.size()},
                                                   compute::memory_access::read_write));
    memory.push_back(one.get());
    held.push_back(std::move(one));
    return {};
  };
  for (const lane_input& one : how.inputs) BEAMLET_TRY_VOID(use(one.value.memory().bytes()));
  std::vector<buffer_builder> rooms;
  for (const compute::tensor_type& type : how.outputs) {
    BEAMLET_TRY(const std::size_t bytes, bytes_of_shape(type.type, type.shape));
    BEAMLET_TRY(auto room, buffer_builder::make(bytes, memory_of_results(core_)));
    BEAMLET_TRY_VOID(use(room.bytes()));
    rooms.push_back(std::move(room));
  }
  BEAMLET_TRY(const compute::plan plan,
              plan_for(*job.what, processor.device->info(), how.operands, how.results));
  BEAMLET_TRY_VOID(processor.runs->record(plan, memory));
  BEAMLET_TRY(const std::uint64_t ticket, processor.runs->submit());
  BEAMLET_TRY_VOID(processor.runs->wait(ticket, sched::forever));
  std::vector<tensor> made;
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    BEAMLET_TRY(tensor value, tensor::make(std::move(rooms[i]).freeze(), how.outputs[i].type,
                                           how.outputs[i].shape));
    made.push_back(std::move(value));
  }
  return made;
}

namespace {

/// Pieces of one piece of work, which whoever has time takes. Helpers may come when all is over.
struct shared_pieces {
  const std::function<void(std::size_t)>* piece;
  std::size_t count;
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint32_t> left;

  shared_pieces(const std::function<void(std::size_t)>& what, std::size_t n)
      : piece(&what), count(n), left(static_cast<std::uint32_t>(n)) {}

  void take() noexcept {
    for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      (*piece)(i);  // it lives, as its owner waits for this piece
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) ports::wake_all(left);
    }
  }
};

}  // namespace

void device_service::share(std::size_t count, const std::function<void(std::size_t)>& piece) {
  auto all = std::make_shared<shared_pieces>(piece, count);
  const std::size_t helpers = std::min<std::size_t>(count, threads_) - 1;
  const runtime_handle here(&core_);
  for (std::size_t i = 0; i < helpers; ++i) here.task([all] { all->take(); }).remote();
  all->take();
  // The rest is on other workers, at work.
  for (std::uint32_t left; (left = all->left.load(std::memory_order_acquire)) != 0;)
    ports::wait_on(all->left, left, ports::forever);
}

// -- the facade

namespace {
bool has_empty_ref(const std::vector<ref<tensor>>& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [](const ref<tensor>& one) { return !one; });
}
error empty_ref(const std::string& name) {
  return error(errc::invalid_ref, error_layer::runtime,
               {name + ": an input is an empty ref", "", "", ""});
}
}  // namespace

ref<tensor> submit_device_task(runtime_core& core, device_work what,
                               const device_task_options& options,
                               std::vector<ref<tensor>> inputs) {
  if (has_empty_ref(inputs)) return failed_ref<tensor>(empty_ref(name_of(what)));
  auto service = device_service::of(core);
  return service->submit(service->make_job(std::move(what), options, std::move(inputs)));
}

std::vector<ref<tensor>> submit_device_task(runtime_core& core, device_work what,
                                            const device_task_options& options,
                                            std::vector<ref<tensor>> inputs, std::size_t outputs) {
  const std::string name = options.name.empty() ? name_of(what) : options.name;
  if (has_empty_ref(inputs)) return std::vector(outputs, failed_ref<tensor>(empty_ref(name)));
  auto service = device_service::of(core);
  auto job = service->make_job(std::move(what), options, std::move(inputs));
  job->outputs = outputs;
  return service->submit_all(job);
}

ref<tensor> input_ref(runtime_core& core, tensor value) {
  return runtime_handle(&core).put(std::move(value));
}

}  // namespace detail

device_task_builder runtime_handle::device_task(compute::op what) const {
  return device_task_builder(*core_, std::move(what));
}

device_task_builder runtime_handle::device_task(kernel_call what) const {
  return device_task_builder(*core_, std::move(what));
}

result<device_kernel> runtime_handle::kernel(kernel_options options) const {
  return detail::device_service::of(*core_)->add_kernel(std::move(options));
}

result<devices_report> runtime_handle::devices(std::chrono::nanoseconds timeout) const {
  auto service = detail::device_service::of(*core_);
  BEAMLET_TRY_VOID(get(service->when_found(), timeout));
  return service->report();
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
