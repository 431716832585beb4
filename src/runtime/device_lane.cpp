// SPDX-License-Identifier: Apache-2.0
#include "runtime/device_lane.hpp"

#include <algorithm>
#include <utility>

#include "beamlet/sched/core.hpp"
#include "compute/self_test.hpp"
#include "sched/timeline.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {

error lane_error(errc code, std::string what) {
  return error(code, error_layer::runtime, {std::move(what), "", "", ""});
}

/// After these the device is not to be used any more.
bool is_fault(const error& why) {
  return why.code() == errc::device_lost || why.code() == errc::timeout;
}

/// After these it may be that the device gives wrong results, too: it had said that it can do the
/// work, and there was memory for it.
bool is_doubt(const error& why, const device_work& what) {
  switch (why.code()) {
    case errc::no_memory:
    case errc::too_large:
    case errc::unsupported:
    case errc::object_lost: return false;
    default: return !is_callers_error(why, what);
  }
}

}  // namespace

device_event::device_event(sched::scheduler& home) {
  if (auto* x = plain_cell<void>::make(&home)) cell_ = ref_access::adopt<void>(x);
}

void device_event::set() noexcept {
  if (!cell_ || is_set_.exchange(true, std::memory_order_acq_rel)) return;
  auto* x = ref_access::cell(cell_);
  new (x->place()) sched::unit{};
  sched::seal(*x, sched::cell::value);
}

result<std::unique_ptr<device_lane>> device_lane::make(surroundings around) {
  std::unique_ptr<device_lane> made(new device_lane(std::move(around)));
  ports::thread_options options;
  const std::string name = "beamlet-" + made->around_.id;
  options.name = name.c_str();
  BEAMLET_TRY(made->thread_,
              ports::thread::start(
                  options, [](void* lane) { static_cast<device_lane*>(lane)->run(); }, made.get()));
  return made;
}

device_lane::~device_lane() {
  {
    std::lock_guard hold(lock_);
    ending_ = true;
  }
  news_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void device_lane::submit(std::shared_ptr<lane_job> job) {
  {
    std::lock_guard hold(lock_);
    job->was_alone = pending_.fetch_add(1, std::memory_order_relaxed) == 0 && is_open();
    waiting_.push_back(std::move(job));
  }
  news_.notify_all();
}

void device_lane::unpin() {
  {
    std::lock_guard hold(lock_);
    unpins_ = true;
  }
  news_.notify_all();
}

lane_figures device_lane::figures() const {
  std::lock_guard hold(lock_);
  lane_figures made = figures_;
  made.queued = pending_.load(std::memory_order_relaxed);
  return made;
}

std::uint64_t device_lane::missing_bytes(const tensor& input) const {
  return is_open() ? memory_->missing_bytes(input) : input.memory().size();
}

// -- the lane's thread

void device_lane::run() {
  here_ = sched::find_context(*around_.home);  // its place among the threads that wake tasks
  auto opened = here_ != nullptr
                    ? around_.open()
                    : result<std::unique_ptr<compute::device>>(lane_error(errc::no_memory, ""));
  if (opened.has_value()) {
    device_ = *std::move(opened);
    auto made = compute::executor::make(*device_);
    if (made.has_value()) executor_ = *std::move(made);
    else fail_all(made.error());
  } else {
    fail_all(opened.error());
  }
  if (executor_ != nullptr) {
    memory_ = std::make_unique<device_memory>(*executor_, around_.results());
    if (around_.tuning_ns != 0)
      tuner_ =
          std::make_unique<compute::tuner>(*executor_, around_.tuning_folder, around_.tuning_ns,
                                           [this] { return sched::now_ns(*here_); });
    open_.store(true, std::memory_order_release);
  }
  serve();
  open_.store(false, std::memory_order_release);
  in_flight_.clear();
}

void device_lane::serve() {
  for (;;) {
    if (auto job = next_job()) begin(std::move(job));
    else if (!in_flight_.empty()) finish_oldest();
    else if (may_tune()) tune();
    else break;  // it ends
    note_figures();
  }
}

/// Null: there is none now, and something in flight, or ways to try; or it ends.
std::shared_ptr<lane_job> device_lane::next_job() {
  std::unique_lock hold(lock_);
  for (;;) {
    if (std::exchange(unpins_, false) && memory_ != nullptr) {
      hold.unlock();
      memory_->let_go(executor_->finished());
      note_figures();
      hold.lock();
    }
    if (ending_) {
      auto left = std::exchange(waiting_, {});
      hold.unlock();
      for (auto& job : left) end(*job, lane_error(errc::stopped, "the runtime ends"));
      tuner_.reset();
      return nullptr;
    }
    if (!waiting_.empty() && in_flight_.size() < in_flight_max) {
      auto job = std::move(waiting_.front());
      waiting_.pop_front();
      return job;
    }
    if (!in_flight_.empty()) return nullptr;
    if (!may_tune()) news_.wait(hold);
    else if (news_.wait_for(hold, idle_min) == std::cv_status::timeout) return nullptr;
  }
}

void device_lane::begin(std::shared_ptr<lane_job> job) {
  if (job->cancelled.load(std::memory_order_acquire))
    return end(*job, lane_error(errc::cancelled, "cancelled before the device began"));
  if (!fault_.empty())
    return end(*job,
               lane_error(errc::device_lost, around_.id + " is not used any more: " + fault_));
  const std::uint64_t began = sched::now_ns(*here_);
  const std::size_t kernels = executor_->kernel_count();
  auto recorded = record(*job);
  if (recorded.has_value()) {
    auto ticket = executor_->submit();
    if (ticket.has_value()) job->ticket = *ticket;
    else recorded = ticket.error();
  }
  job->compiled = executor_->kernel_count() != kernels;
  if (job->compiled) note_kernels(kernels);
  if (!recorded.has_value()) return refuse(std::move(job), recorded.error());
  job->since_ns = sched::now_ns(*here_);
  job->moved_ns = job->since_ns - began;
  for (auto& one : job->reads) one.in->last_ticket = job->ticket;
  for (auto& one : job->writes) one.made.in->last_ticket = job->ticket;
  in_flight_.push_back(std::move(job));
}

/// A part of it may have been recorded, and needs its memory until it has run.
void device_lane::refuse(std::shared_ptr<lane_job> job, error why) {
  if (!is_fault(why)) {
    auto ticket = executor_->submit();
    auto waited = ticket.has_value() ? wait_for(*ticket, job->timeout_ns) : ticket.error();
    if (!waited.has_value()) why = waited.error();
  }
  fail(std::move(job), std::move(why));
}

void device_lane::fail(std::shared_ptr<lane_job> job, error why) {
  if (!is_fault(why) && is_doubt(why, *job->what))
    if (auto tested = test_again(why); !tested.has_value()) why = tested.error();
  if (is_fault(why)) return fail_all(why, std::move(job));
  end(*job, why);
  memory_->evict(waited_);
}

/// Errors: device_lost, with both reasons: it failed, and now it does not pass the self-test.
result<void> device_lane::test_again(const error& after) {
  const std::uint64_t began = sched::now_ns(*here_);
  const std::size_t kernels = executor_->kernel_count();
  auto tested = compute::self_test(*executor_, [&]() -> result<void> {
    std::lock_guard hold(lock_);
    if (ending_) return lane_error(errc::stopped, "the runtime ends");
    if (sched::now_ns(*here_) - began > self_test_ns_max)
      return lane_error(errc::timeout, "the self-test takes too long");
    return {};
  });
  if (here_->timeline != nullptr)
    here_->timeline->add({began, sched::now_ns(*here_) - began,
                          sched::named_function(*here_, around_.id + " is tested again")});
  note_kernels(kernels);
  for (auto& one : in_flight_) one->compiled = true;  // how long they took is not known any more
  {
    std::lock_guard hold(lock_);
    ++figures_.self_tests;
  }
  // Without memory, or time, it says nothing of the device.
  if (tested.has_value() || tested.error() == errc::no_memory || tested.error() == errc::stopped)
    return {};
  return lane_error(errc::device_lost, around_.id + " failed (" + after.describe() +
                                           ") and did not pass a self-test after that: " +
                                           std::string(tested.error().message()));
}

result<std::vector<operand_memory>> device_lane::bring_inputs(lane_job& job) {
  std::vector<operand_memory> made;
  const bool from_first = begins_at_first(*job.what);
  for (lane_input& one : job.inputs) {
    if (one.maker != nullptr) {
      lane_job& maker = *one.maker;
      if (one.index < maker.writes.size()) {  // it is still at work
        made.push_back(maker.writes[one.index].made);
        continue;
      }
      if (!maker.made.has_value())
        return lane_error(errc::object_lost, "what it needs could not be made");
      one.value = (*maker.made)[one.index];
      one.maker = nullptr;
    }
    BEAMLET_TRY(auto brought, memory_->bring(one.value, from_first, job.timeout_ns));
    made.push_back(std::move(brought));
  }
  return made;
}

result<void> device_lane::record(lane_job& job) {
  BEAMLET_TRY(job.reads, bring_inputs(job));
  std::vector<compute::operand> in, out;
  std::vector<compute::device_buffer*> memory;
  for (const operand_memory& one : job.reads) {
    in.push_back(one.what);
    memory.push_back(one.in->memory.get());
  }
  for (const compute::tensor_type& type : job.outputs) {
    BEAMLET_TRY(auto room, memory_->make_room(type));
    out.push_back(room.made.what);
    memory.push_back(room.made.in->memory.get());
    job.writes.push_back(std::move(room));
  }
  const std::uint32_t way = tuner_ != nullptr ? tuner_->way_of(job.key) : 0;
  BEAMLET_TRY(auto plan, plan_for(*job.what, device_->info(), in, out, way));
  BEAMLET_TRY_VOID(executor_->record(plan, memory));
  if (const auto* op = std::get_if<compute::op>(job.what.get()); op != nullptr && tuner_ != nullptr)
    tuner_->note(job.key, *op, in, out, plan.ways);
  for (auto& one : job.writes) BEAMLET_TRY_VOID(memory_->record_copy_back(one.made));
  return {};
}

void device_lane::tune() {
  const std::uint64_t began = sched::now_ns(*here_);
  const std::size_t kernels = executor_->kernel_count();
  auto tried = tuner_->step();
  if (here_->timeline != nullptr)
    here_->timeline->add({began, sched::now_ns(*here_) - began,
                          sched::named_function(*here_, around_.id + " tries ways")});
  note_kernels(kernels);
  if (!tried.has_value()) fail_all(tried.error());
}

result<void> device_lane::wait_for(std::uint64_t ticket, std::uint64_t timeout_ns) {
  if (ticket <= waited_) return {};
  BEAMLET_TRY_VOID(executor_->wait(ticket, timeout_ns));
  waited_ = ticket;
  return {};
}

void device_lane::finish_oldest() {
  auto job = std::move(in_flight_.front());
  in_flight_.pop_front();
  auto outcome = collect(*job);
  if (!outcome.has_value()) return fail(std::move(job), outcome.error());
  end(*job, std::move(outcome));
  memory_->evict(waited_);
}

result<std::vector<tensor>> device_lane::collect(lane_job& job) {
  BEAMLET_TRY_VOID(wait_for(job.ticket, job.timeout_ns));
  for (const lane_input& one : job.inputs)
    if (one.maker != nullptr && !one.maker->made.has_value())
      return lane_error(errc::object_lost, "what it worked on could not be made");
  const std::uint64_t now = sched::now_ns(*here_);
  const std::uint64_t began = std::max(job.since_ns, last_end_ns_);
  last_end_ns_ = now;
  if (!job.compiled) job.busy_ns = std::max<std::uint64_t>(now - began, 1);
  if (here_->timeline != nullptr)
    here_->timeline->add(
        {began, now - began, sched::named_function(*here_, around_.id + " " + job.name)});
  std::vector<tensor> made;
  for (std::size_t i = 0; i < job.outputs.size(); ++i) {
    // Not while something later reads it there.
    BEAMLET_TRY_VOID(wait_for(job.writes[i].made.in->last_ticket, job.timeout_ns));
    const std::uint64_t since = sched::now_ns(*here_);
    BEAMLET_TRY(tensor value,
                memory_->take(std::move(job.writes[i]), job.outputs[i], job.timeout_ns));
    job.moved_ns += sched::now_ns(*here_) - since;
    made.push_back(std::move(value));
  }
  return made;
}

void device_lane::end(lane_job& job, result<std::vector<tensor>> outcome) {
  const bool is_made = outcome.has_value();
  job.made = std::move(outcome);
  job.reads.clear();
  job.writes.clear();
  for (lane_input& one : job.inputs) one.maker = nullptr;
  {
    std::lock_guard hold(lock_);
    ++(is_made ? figures_.tasks : figures_.failures);
    figures_.busy_ns += job.busy_ns;
  }
  note_figures();  // who has a result finds its work in the figures
  pending_.fetch_sub(1, std::memory_order_relaxed);
  job.done.set();
}

void device_lane::fail_all(const error& why, std::shared_ptr<lane_job> first) {
  fault_ = why.describe();
  tuner_.reset();
  around_.on_fault(why);
  auto failed = std::exchange(in_flight_, {});
  if (first != nullptr) failed.push_front(std::move(first));
  for (auto& job : failed) {
    abandoned_.push_back({std::move(job->reads), std::move(job->writes)});
    end(*job, why);
  }
}

/// Kernels that were made just now, the last of them this moment.
void device_lane::note_kernels(std::size_t first) {
  std::uint64_t end = sched::now_ns(*here_), compiled = 0, kept = 0;
  for (std::size_t i = executor_->kernel_count(); i-- > first;) {
    const auto& [made, took_ns] = executor_->kernel_at(i);
    if (made->origin() == compute::kernel_origin::built_in) continue;
    const bool was_kept = made->origin() == compute::kernel_origin::kept;
    ++(was_kept ? kept : compiled);
    const std::string what = around_.id + (was_kept ? " loads " : " compiles ");
    if (here_->timeline != nullptr)
      here_->timeline->add(
          {end - took_ns, took_ns,
           sched::named_function(*here_, what + std::string(made->source().name))});
    end -= took_ns;
  }
  std::lock_guard hold(lock_);
  figures_.kernels_compiled += compiled;
  figures_.kernels_kept += kept;
}

void device_lane::note_figures() {
  std::lock_guard hold(lock_);
  figures_.is_open = is_open();
  if (memory_ != nullptr) figures_.memory = memory_->figures();
  if (tuner_ != nullptr) figures_.works_tuned = tuner_->known();
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
