// SPDX-License-Identifier: Apache-2.0
#include "compute/opencl/context.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "compute/errors.hpp"
#include "ports/threads.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Short work is looked at all the time, longer work now and then: it ends up to an eighth of its
// time before that is seen. A driver's own waiting has no time limit, and its callbacks come on
// threads of its own, maybe after everything they would touch has gone.
constexpr base::time_ns look_always_ns = 50'000, nap_ns_max = 500'000;

base::time_ns opencl_now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<base::time_ns>(std::chrono::nanoseconds(now).count());
}

void nap(base::time_ns time) {
  std::atomic<std::uint32_t> never_changes{0};
  ports::wait_on(never_changes, 0, time);
}

}  // namespace

opencl_context::opencl_context(std::shared_ptr<const opencl_driver> driver, cl_device_id id,
                               device_info what, std::shared_ptr<const blob_cache> cache)
    : info(std::move(what)), driver_(std::move(driver)), id_(id), cache_(std::move(cache)) {}

opencl_context::~opencl_context() {
  if (!abandoned_ && lost_.has_value()) return;
  (void)transfers_.release();  // a driver waits for a queue's work when it goes, without a limit
  (void)context_.release();
}

result<void> opencl_context::open() {
  cl_int rc = CL_SUCCESS;
  cl_context made = driver_->clCreateContext(nullptr, 1, &id_, nullptr, nullptr, &rc);
  BEAMLET_TRY_VOID(check(rc, opencl_step::make, "clCreateContext"));
  context_ = own(made, driver_->clReleaseContext);
  BEAMLET_TRY(transfers_, make_queue());
  return {};
}

result<opencl_owned<cl_command_queue>> opencl_context::make_queue() {
  BEAMLET_TRY_VOID(check());
  cl_int rc = CL_SUCCESS;
  cl_command_queue made =
      driver_->clCreateCommandQueue(handle(), id_, CL_QUEUE_PROFILING_ENABLE, &rc);
  if (rc == CL_INVALID_QUEUE_PROPERTIES)
    made = driver_->clCreateCommandQueue(handle(), id_, 0, &rc);
  BEAMLET_TRY_VOID(check(rc, opencl_step::make, "clCreateCommandQueue"));
  return own(made, driver_->clReleaseCommandQueue);
}

result<void> opencl_context::check(cl_int code, opencl_step step, const char* call) {
  if (code == CL_SUCCESS) return {};
  return fail(code_of_opencl(code, step), code, call);
}

error opencl_context::fail(errc what, cl_int code, const char* call) {
  error made = compute_error(what, info.id() + ": " + call + ": " + name_of_opencl(code), code);
  if (what == errc::device_lost && lost_.has_value()) lost_ = made;
  return made;
}

error opencl_context::refuse(errc code, std::string why) const {
  return compute_error(code, info.id() + ": " + std::move(why));
}

result<bool> opencl_context::has_ended(cl_event command) {
  cl_int status = CL_QUEUED;
  BEAMLET_TRY_VOID(check(driver_->clGetEventInfo(command, CL_EVENT_COMMAND_EXECUTION_STATUS,
                                                 sizeof status, &status, nullptr),
                         opencl_step::work, "clGetEventInfo"));
  if (status >= 0) return status == CL_COMPLETE;
  // It failed after it was accepted: what it had written by then is not known.
  const errc what = code_of_opencl(status, opencl_step::work);
  return fail(what == errc::no_memory ? what : errc::device_lost, status, "work that it did");
}

result<void> opencl_context::wait(cl_event command, base::time_ns timeout_ns) {
  const base::time_ns begin = opencl_now_ns();
  for (;;) {
    BEAMLET_TRY(const bool ended, has_ended(command));
    if (ended) return {};
    const base::time_ns passed = opencl_now_ns() - begin;
    if (passed >= timeout_ns) return refuse(errc::timeout, "it has not ended in time");
    if (passed < look_always_ns) ports::yield();
    else nap(std::min({passed / 8, nap_ns_max, timeout_ns - passed}));
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
