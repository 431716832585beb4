// SPDX-License-Identifier: Apache-2.0
#pragma once

// A device with a driver, and the thread that uses it. Jobs are recorded in the order in which they
// come, as long as the device has work, and waited for afterwards: one that needs what an earlier
// one makes is recorded behind it, and the program is not waited for in between.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "beamlet/runtime/ref.hpp"
#include "beamlet/runtime/tensor.hpp"
#include "compute/tuner.hpp"
#include "ports/threads.hpp"
#include "runtime/device_memory.hpp"
#include "runtime/device_work.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// A cell without a value that is sealed once, from any thread; coroutines await it.
class device_event {
 public:
  /// Null `ref` where there is no memory: then nobody can wait, and set() does nothing.
  explicit device_event(sched::scheduler& home);
  const ref<void>& when_set() const noexcept { return cell_; }
  void set() noexcept;

 private:
  ref<void> cell_;
  std::atomic<bool> is_set_{false};
};

struct lane_job;
/// An input: a tensor that the program has, or what an earlier job of the same lane makes.
struct lane_input {
  tensor value;
  std::shared_ptr<lane_job> maker;
  std::size_t index = 0;
};

/// One piece of work on one device. Written before it is submitted, then by the lane until `done`.
struct lane_job {
  lane_job(sched::scheduler& home, std::shared_ptr<const device_work> work)
      : what(std::move(work)), done(home) {}

  std::shared_ptr<const device_work> what;
  std::string name;
  std::vector<lane_input> inputs;
  std::vector<compute::tensor_type> outputs;
  std::uint64_t key = 0;  // of compute::tuner
  std::uint64_t timeout_ns = 0;
  std::atomic<bool> cancelled{false};
  device_event done;
  bool was_alone = false;  // the lane had nothing to do when it came
  // The outcome.
  result<std::vector<tensor>> made = errc::unknown;
  std::uint64_t busy_ns = 0;   // 0: not to be learned from, as kernels were compiled meanwhile
  std::uint64_t moved_ns = 0;  // besides: the lane brought inputs, recorded it, took results

  // The lane's own, until it is done.
  std::uint64_t ticket = 0, since_ns = 0;
  bool compiled = false;
  std::vector<operand_memory> reads;
  std::vector<device_memory::result_memory> writes;
};

/// What a lane tells.
struct lane_figures {
  bool is_open = false;
  std::uint64_t tasks = 0, failures = 0, busy_ns = 0;
  std::uint64_t kernels_compiled = 0, kernels_kept = 0, works_tuned = 0;
  std::uint64_t self_tests = 0, queued = 0;
  device_memory_figures memory;
};

class device_lane {
 public:
  using opener = std::function<result<std::unique_ptr<compute::device>>()>;
  struct surroundings {
    sched::scheduler* home = nullptr;
    opener open;
    std::function<memory_source&()> results;  ///< where results lie
    /// The device is not to be used any more. Called on the lane's thread.
    std::function<void(const error& why)> on_fault;
    std::string id;
    std::uint64_t tuning_ns = 0;  ///< for trying ways when there is nothing to do; 0: never
    std::string tuning_folder;    ///< for what it found; may be empty
  };
  static constexpr std::size_t in_flight_max = 16;
  /// So long nothing comes before it tries ways: work that comes in turns is not held up.
  static constexpr std::chrono::milliseconds idle_min{50};
  /// For a self-test, as when devices are looked for; the last kernel may pass it.
  static constexpr std::uint64_t self_test_ns_max = 90'000'000'000;

  /// Starts the thread, which opens the device.   Errors: those of ports::thread::start().
  static result<std::unique_ptr<device_lane>> make(surroundings around);
  /// Jobs that wait fail with errc::stopped; what runs is waited for.
  ~device_lane();
  device_lane(const device_lane&) = delete;
  device_lane& operator=(const device_lane&) = delete;

  // Thread: any.   Blocks: no.
  void submit(std::shared_ptr<lane_job> job);
  bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
  lane_figures figures() const;
  /// Bytes of this that it would have to copy.
  std::uint64_t missing_bytes(const tensor& input) const;
  /// Objects that it holds for later use are let go of, as soon as nothing uses them.
  void unpin();

 private:
  explicit device_lane(surroundings around) : around_(std::move(around)) {}
  void run();
  void serve();
  std::shared_ptr<lane_job> next_job();
  bool may_tune() const noexcept { return tuner_ != nullptr && tuner_->has_work(); }
  void tune();
  void begin(std::shared_ptr<lane_job> job);
  result<void> record(lane_job& job);
  result<std::vector<operand_memory>> bring_inputs(lane_job& job);
  void finish_oldest();
  result<std::vector<tensor>> collect(lane_job& job);
  result<void> wait_for(std::uint64_t ticket, std::uint64_t timeout_ns);
  void end(lane_job& job, result<std::vector<tensor>> outcome);
  void refuse(std::shared_ptr<lane_job> job, error why);
  void fail(std::shared_ptr<lane_job> job, error why);
  result<void> test_again(const error& after);
  void fail_all(const error& why, std::shared_ptr<lane_job> first = nullptr);
  void note_figures();
  void note_kernels(std::size_t first);

  const surroundings around_;
  mutable std::mutex lock_;
  std::condition_variable news_;
  std::deque<std::shared_ptr<lane_job>> waiting_;
  bool ending_ = false, unpins_ = false;
  lane_figures figures_;
  std::atomic<bool> open_{false};
  std::atomic<std::size_t> pending_{0};  // jobs that are not done

  // The thread's own, but for `memory_`, which has a lock of its own. What the device may use goes
  // after the executor, which waits for it.
  sched::context* here_ = nullptr;
  std::unique_ptr<compute::device> device_;
  struct used_memory {
    std::vector<operand_memory> reads;
    std::vector<device_memory::result_memory> writes;
  };
  std::vector<used_memory> abandoned_;
  std::unique_ptr<device_memory> memory_;
  std::deque<std::shared_ptr<lane_job>> in_flight_;
  std::unique_ptr<compute::executor> executor_;
  std::unique_ptr<compute::tuner> tuner_;
  std::uint64_t waited_ = 0, last_end_ns_ = 0;
  std::string fault_;
  ports::thread thread_;
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
