// SPDX-License-Identifier: Apache-2.0
#pragma once

// Work for devices as tasks: `rt.device_task(ops::matmul{}).remote(a, b)` gives a `ref<tensor>`.
// Where it runs is chosen when its inputs are there: on the device that is expected to be done
// first, the processor among them. Tasks of one device run in order without waiting for the
// program in between, and what one leaves on the device the next one finds there.

#include <beamlet/base/result.hpp>
#include <beamlet/compute/device.hpp>
#include <beamlet/compute/ops.hpp>
#include <beamlet/runtime/device_kernel.hpp>
#include <beamlet/runtime/options.hpp>
#include <beamlet/runtime/plain_cell.hpp>
#include <beamlet/runtime/ref.hpp>
#include <beamlet/runtime/tensor.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// `.options({...})` of a device task.
struct device_task_options {
  std::string name = {};  ///< in errors, stats and the timeline; empty: the op's or kernel's
  /// Where it may run: a backend ("opencl"), a device ("opencl:1"), a part of a device's name. Such
  /// a task waits until the devices are known. Empty: whatever `runtime_options::device` allows.
  /// Where a device that is named fails when it is used, the processor does the work.
  std::string device = {};
  /// Shares of this program's resource `gpu`, a half say. There is one per device that may be
  /// chosen and is no processor, once the devices are known, and it stays when the device is lost;
  /// more than there are: errc::infeasible. Where a box's resources have a `gpu`, those are meant.
  /// The task takes them when its inputs are made, or on their way. 0: it is queued on its device
  /// without.
  double num_gpus = 0;
  beamlet::priority priority = beamlet::priority::normal;
  std::chrono::nanoseconds deadline = {};  ///< not started after, counted from now; zero: none
  /// How long a device may work on it before it is taken for hung, and not used any more.
  std::chrono::nanoseconds timeout = std::chrono::seconds(60);
};

/// How one device does, since the runtime's start. Figures only grow, but for `resident_bytes`.
struct device_status {
  compute::device_info info;
  /// Empty: it may be chosen. Else why not: not wanted, a software device, or what it did wrong.
  std::string reason_against;
  bool is_open = false;              ///< its driver is in use; the processor's always is
  std::uint64_t tasks = 0;           ///< that it finished
  std::uint64_t failures = 0;        ///< that it did not, and another device did
  std::uint64_t queued = 0;          ///< in its queue now, or at work; of the processor: 0
  std::uint64_t busy_ns = 0;         ///< time for the finished ones
  std::uint64_t resident_bytes = 0;  ///< of objects that it holds now, imported or copied
  std::uint64_t imported_bytes = 0;  ///< of inputs and results, so far, that were used in place
  std::uint64_t copied_bytes = 0;    ///< of inputs and results, so far, that were copied
  /// Kernels that the driver compiled for this runtime, and those that an earlier run had compiled.
  std::uint64_t kernels_compiled = 0, kernels_kept = 0;
  /// Kinds of work for which the best way was found by trying, now or in an earlier run.
  std::uint64_t works_tuned = 0;
  /// Tests with known answers after work that it should have been able to do and did not. One that
  /// does not pass is not used any more; what it had not given back by then is done elsewhere.
  std::uint64_t self_tests = 0;
};

/// What one device did of the tasks of one name.
struct device_work_status {
  std::string name, device;  ///< the tasks' name, the device's id
  std::uint64_t tasks = 0, busy_ns = 0;
};

/// All devices at one moment; a value that stays as it is.
struct devices_report {
  std::vector<device_status> devices;    ///< the processor, `cpu:0`, first; empty: see explanation
  std::vector<device_work_status> work;  ///< by name, then device; of the first 1024 such pairs
  std::uint64_t reruns = 0;  ///< tasks that began on one device and were finished by another
  std::string explanation;   ///< in words: what was found, measured, and chosen last, and why
};

namespace detail {
struct runtime_core;

using device_work = std::variant<compute::op, kernel_call>;

/// One entry per output, or the one ref of a task with one output.
ref<tensor> submit_device_task(runtime_core& core, device_work what,
                               const device_task_options& options, std::vector<ref<tensor>> inputs);
std::vector<ref<tensor>> submit_device_task(runtime_core& core, device_work what,
                                            const device_task_options& options,
                                            std::vector<ref<tensor>> inputs, std::size_t outputs);
ref<tensor> input_ref(runtime_core& core, tensor value);
}  // namespace detail

/// One piece of work for a device being put together. Cheap; nothing happens before `remote`.
class device_task_builder {
 public:
  device_task_builder(detail::runtime_core& core, detail::device_work what)
      : core_(&core), what_(std::move(what)) {}

  device_task_builder&& options(device_task_options o) && {
    options_ = std::move(o);
    return std::move(*this);
  }

  /// Submits it and returns at once. Inputs: `tensor` or `ref<tensor>`, which is waited for.
  ///
  /// Thread: any.   Blocks: no; the first call of a process may set environment variables that
  /// drivers read, and starts the search for devices, meanwhile the processor works.
  /// Cost: a task's, and some microseconds to plan.
  /// Errors, in the ref: invalid_argument (types and shapes that do not fit, a kernel that does not
  /// compile: with the compiler's words), unsupported (no device can), not_found (no device has the
  /// name that is wanted), too_large, no_memory, those of a task. What goes wrong on one device is
  /// done again on another, from inputs that are kept until then.
  template <class... A>
  ref<tensor> remote(A&&... inputs) && {
    return detail::submit_device_task(*core_, std::move(what_), options_,
                                      {as_input(std::forward<A>(inputs))...});
  }
  /// The same, of as many inputs as there are: for ops that take any number, as concat.
  ref<tensor> remote(std::vector<ref<tensor>> inputs) && {
    return detail::submit_device_task(*core_, std::move(what_), options_, std::move(inputs));
  }
  /// The same for work with `outputs` results, as nms: a ref for each, in their order. If the work
  /// has another number of them, all refs fail with invalid_argument. They are ready together.
  template <class... A>
  std::vector<ref<tensor>> remote_all(std::size_t outputs, A&&... inputs) && {
    return detail::submit_device_task(*core_, std::move(what_), options_,
                                      {as_input(std::forward<A>(inputs))...}, outputs);
  }

 private:
  template <class A>
  ref<tensor> as_input(A&& given) const {
    using type = std::remove_cvref_t<A>;
    static_assert(std::is_same_v<type, tensor> || std::is_same_v<type, ref<tensor>>,
                  "an input of a device task is a tensor or a ref<tensor>");
    if constexpr (std::is_same_v<type, tensor>)
      return detail::input_ref(*core_, std::forward<A>(given));
    else return std::forward<A>(given);
  }

  detail::runtime_core* core_;
  detail::device_work what_;
  device_task_options options_;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
