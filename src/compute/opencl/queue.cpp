// SPDX-License-Identifier: Apache-2.0
#include "compute/opencl/queue.hpp"

#include <chrono>
#include <string>
#include <utility>

#include "compute/opencl/buffer.hpp"
#include "compute/opencl/program.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

cl_mem memory_of_opencl(const binding& part) noexcept {
  return static_cast<opencl_buffer*>(part.memory)->handle();
}

}  // namespace

opencl_queue::~opencl_queue() {
  const cl_event last = !recorded_.empty()    ? recorded_.back().get()
                        : !submitted_.empty() ? submitted_.back().events.back().get()
                                              : nullptr;
  errc why = errc::ok;
  if (last != nullptr && at_->check().has_value()) {
    at_->driver().clFlush(queue_.get());
    why = at_->wait(last, queue_end_ns_max).error().code();
  }
  for (submitted& one : submitted_)
    for (auto& event : one.events) at_->retire(std::move(event));
  for (auto& event : recorded_) at_->retire(std::move(event));
  if (why != errc::timeout && at_->check().has_value()) return;
  at_->abandon();
  (void)queue_.release();
}

result<void> opencl_queue::check_binding(const binding& part) const {
  if (part.memory != nullptr && part.bytes != 0 && part.offset <= part.memory->bytes() &&
      part.bytes <= part.memory->bytes() - part.offset)
    return {};
  return at_->refuse(errc::invalid_argument, "a binding that is not within its buffer");
}

result<void> opencl_queue::add_wait(const binding& part, std::vector<cl_event>& waits) {
  BEAMLET_TRY(cl_event unmap, static_cast<opencl_buffer*>(part.memory)->unfinished_unmap());
  if (unmap != nullptr) waits.push_back(unmap);
  return {};
}

result<void> opencl_queue::took(cl_int rc, const char* call, cl_event event) {
  BEAMLET_TRY_VOID(at_->check(rc, opencl_step::work, call));
  recorded_.push_back(at_->own(event));
  return {};
}

result<void> opencl_queue::launch(const kernel& what, const kernel_launch& how) {
  BEAMLET_TRY_VOID(at_->check());
  const kernel_source& source = what.source();
  if (how.bindings.size() != source.buffers || how.parameters.size() != source.parameter_bytes)
    return at_->refuse(errc::invalid_argument,
                       "kernel '" + std::string(source.name) + "' has other buffers or parameters");
  const auto kernel = static_cast<const opencl_kernel&>(what).handle();
  const auto set = at_->driver().clSetKernelArg;
  cl_uint argument = 0;
  if (!how.parameters.empty())
    BEAMLET_TRY_VOID(
        at_->check(set(kernel, argument++, how.parameters.size(), how.parameters.data()),
                   opencl_step::work, "clSetKernelArg"));
  std::vector<cl_event> waits;
  for (const binding& part : how.bindings) {
    BEAMLET_TRY_VOID(check_binding(part));
    if (part.offset != 0)
      return at_->refuse(errc::invalid_argument, "buffers are bound from their beginning");
    BEAMLET_TRY_VOID(add_wait(part, waits));
    const cl_mem memory = memory_of_opencl(part);
    BEAMLET_TRY_VOID(at_->check(set(kernel, argument++, sizeof(cl_mem), &memory), opencl_step::work,
                                "clSetKernelArg"));
  }
  const std::array<std::uint32_t, 3> group{what.constants().values[0], what.constants().values[1],
                                           1};
  std::size_t local[3], global[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t items = std::uint64_t{how.groups[i]} * group[i];
    if (items == 0 || how.groups[i] > at_->info.limits.groups_max[i] ||
        !std::in_range<std::size_t>(items))
      return at_->refuse(errc::invalid_argument,
                         "a launch of " + std::to_string(how.groups[i]) + " groups in a dimension");
    local[i] = group[i];
    global[i] = static_cast<std::size_t>(items);
  }
  cl_event event = nullptr;
  const cl_int rc = at_->driver().clEnqueueNDRangeKernel(
      queue_.get(), kernel, 3, nullptr, global, local, static_cast<cl_uint>(waits.size()),
      waits.empty() ? nullptr : waits.data(), &event);
  return took(rc, "clEnqueueNDRangeKernel", event);
}

result<void> opencl_queue::copy(const binding& from, const binding& to) {
  BEAMLET_TRY_VOID(at_->check());
  BEAMLET_TRY_VOID(check_binding(from));
  BEAMLET_TRY_VOID(check_binding(to));
  if (from.bytes != to.bytes)
    return at_->refuse(errc::invalid_argument, "a copy between parts of different sizes");
  std::vector<cl_event> waits;
  BEAMLET_TRY_VOID(add_wait(from, waits));
  BEAMLET_TRY_VOID(add_wait(to, waits));
  cl_event event = nullptr;
  const cl_int rc = at_->driver().clEnqueueCopyBuffer(
      queue_.get(), memory_of_opencl(from), memory_of_opencl(to),
      static_cast<std::size_t>(from.offset), static_cast<std::size_t>(to.offset),
      static_cast<std::size_t>(from.bytes), static_cast<cl_uint>(waits.size()),
      waits.empty() ? nullptr : waits.data(), &event);
  return took(rc, "clEnqueueCopyBuffer", event);
}

result<std::uint64_t> opencl_queue::submit() {
  BEAMLET_TRY_VOID(at_->check());
  if (!recorded_.empty()) {
    BEAMLET_TRY_VOID(at_->check(at_->driver().clFlush(queue_.get()), opencl_step::work, "clFlush"));
    submitted_.push_back({tickets_ + 1, std::exchange(recorded_, {})});
  }
  return ++tickets_;
}

result<void> opencl_queue::wait(std::uint64_t ticket, base::time_ns timeout_ns) {
  BEAMLET_TRY_VOID(at_->check());
  if (ticket == 0 || ticket > tickets_)
    return at_->refuse(errc::invalid_argument, "no such ticket: " + std::to_string(ticket));
  std::size_t count = 0;
  while (count < submitted_.size() && submitted_[count].ticket <= ticket) ++count;
  if (count == 0) return {};
  // In order: when the last has ended, all have.
  BEAMLET_TRY_VOID(at_->wait(submitted_[count - 1].events.back().get(), timeout_ns));
  for (; count != 0; --count) {
    submitted& done = submitted_.front();
    for (const auto& event : done.events) BEAMLET_TRY_VOID(at_->wait(event.get(), timeout_ns));
    spans_[done.ticket % spans_.size()] = {done.ticket, span_of(done.events)};
    for (auto& event : done.events) at_->retire(std::move(event));
    submitted_.pop_front();
  }
  return {};
}

device_span opencl_queue::span_of(const commands& events) const {
  cl_ulong begin = 0, end = 0;
  const auto ask = at_->driver().clGetEventProfilingInfo;
  if (ask(events.front().get(), CL_PROFILING_COMMAND_START, sizeof begin, &begin, nullptr) !=
          CL_SUCCESS ||
      ask(events.back().get(), CL_PROFILING_COMMAND_END, sizeof end, &end, nullptr) != CL_SUCCESS)
    return {};
  return {begin, end};
}

device_span opencl_queue::span_of(std::uint64_t ticket) const noexcept {
  const noted_span& noted = spans_[ticket % spans_.size()];
  return noted.ticket == ticket ? noted.span : device_span{};
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
