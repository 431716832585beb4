// SPDX-License-Identifier: Apache-2.0
// The OpenCL backend on a driver that does what no good one does.
#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <string>

#include "compute/opencl/buffer.hpp"
#include "compute/opencl/context.hpp"
#include "compute/opencl/opencl_device.hpp"
#include "compute/opencl/queue.hpp"

#if BEAMLET_OPENCL

namespace {
using namespace beamlet;
using namespace beamlet::compute;

// What the driver answers, and what it was asked.
struct {
  cl_int status, enqueued, made;
  void* mapped;
  unsigned calls, released;
} fake;
alignas(128) std::byte fake_memory[256];

template <class Handle>
Handle handed_out(cl_int* rc) {
  ++fake.calls;
  if (rc != nullptr) *rc = fake.made;
  return fake.made == CL_SUCCESS ? reinterpret_cast<Handle>(fake_memory) : nullptr;
}
cl_int enqueued(cl_event* event) {
  ++fake.calls;
  if (fake.enqueued == CL_SUCCESS) *event = reinterpret_cast<cl_event>(fake_memory);
  return fake.enqueued;
}
template <class Handle>
cl_int released(Handle) {
  ++fake.released;
  return CL_SUCCESS;
}
cl_int answer(void* to, std::size_t room, std::size_t* bytes, const void* from, std::size_t size) {
  if (bytes != nullptr) *bytes = size;
  if (to == nullptr) return CL_SUCCESS;
  if (room < size) return CL_INVALID_VALUE;
  std::memcpy(to, from, size);
  return CL_SUCCESS;
}

std::shared_ptr<opencl_driver> fake_driver() {
  fake = {CL_COMPLETE, CL_SUCCESS, CL_SUCCESS, fake_memory, 0, 0};
  auto made = std::make_shared<opencl_driver>();
  made->clCreateContext = [](const cl_context_properties*, cl_uint, const cl_device_id*,
                             void (*)(const char*, const void*, size_t, void*), void*,
                             cl_int* rc) { return handed_out<cl_context>(rc); };
  made->clCreateCommandQueue = [](cl_context, cl_device_id, cl_command_queue_properties,
                                  cl_int* rc) { return handed_out<cl_command_queue>(rc); };
  made->clCreateBuffer = [](cl_context, cl_mem_flags, size_t, void*, cl_int* rc) {
    return handed_out<cl_mem>(rc);
  };
  made->clEnqueueCopyBuffer = [](cl_command_queue, cl_mem, cl_mem, size_t, size_t, size_t, cl_uint,
                                 const cl_event*, cl_event* event) { return enqueued(event); };
  made->clEnqueueMapBuffer = [](cl_command_queue, cl_mem, cl_bool, cl_map_flags, size_t, size_t,
                                cl_uint, const cl_event*, cl_event* event, cl_int* rc) {
    *rc = enqueued(event);
    return fake.mapped;
  };
  made->clEnqueueUnmapMemObject = [](cl_command_queue, cl_mem, void*, cl_uint, const cl_event*,
                                     cl_event* event) { return enqueued(event); };
  made->clFlush = [](cl_command_queue) { return ++fake.calls, fake.enqueued; };
  made->clGetEventInfo = [](cl_event, cl_event_info, size_t room, void* to, size_t* bytes) {
    return answer(to, room, bytes, &fake.status, sizeof fake.status);
  };
  made->clGetEventProfilingInfo = [](cl_event, cl_profiling_info, size_t, void*, size_t*) {
    return cl_int{CL_PROFILING_INFO_NOT_AVAILABLE};
  };
  made->clReleaseContext = released<cl_context>;
  made->clReleaseCommandQueue = released<cl_command_queue>;
  made->clReleaseMemObject = released<cl_mem>;
  made->clReleaseEvent = [](cl_event) { return cl_int{CL_SUCCESS}; };
  return made;
}

struct fake_device {
  opencl_context at{fake_driver(), nullptr, info(), std::make_shared<blob_cache>()};
  fake_device() { REQUIRE(at.open().has_value()); }
  static device_info info() {
    device_info made;
    made.backend = "opencl";
    made.limits.buffer_bytes_max = 1 << 20;
    made.features.unified_memory = true;
    return made;
  }
  std::unique_ptr<opencl_buffer> buffer() {
    auto made = opencl_buffer::allocate(at, 64, memory_place::host);
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  std::unique_ptr<opencl_queue> queue() {
    auto made = at.make_queue();
    REQUIRE(made.has_value());
    return std::make_unique<opencl_queue>(at, std::move(*made));
  }
};

}  // namespace

TEST_CASE("opencl: work that never ends times out, and is left to its driver") {
  {
    fake_device device;
    auto from = device.buffer(), to = device.buffer();
    auto queue = device.queue();
    fake.status = CL_RUNNING;
    REQUIRE(queue->copy({from.get(), 0, 64}, {to.get(), 0, 64}).has_value());
    REQUIRE(queue->submit().value_or(0) == 1);
    CHECK(queue->wait(1, 0).error().code() == errc::timeout);
    CHECK(queue->wait(1, 2'000'000).error().code() == errc::timeout);
    queue.reset();  // after queue_end_ns_max
    CHECK(fake.released == 0);
    fake.status = CL_COMPLETE;
  }
  CHECK(fake.released == 2);  // the buffers; the queue's context goes with it
}

TEST_CASE("opencl: a map that timed out goes on with the next call") {
  fake_device device;
  auto buffer = device.buffer();
  fake.status = CL_SUBMITTED;
  CHECK(buffer->map(memory_access::read, 0).error().code() == errc::timeout);
  CHECK(buffer->map(memory_access::write, 0).error().code() == errc::busy);
  fake.status = CL_COMPLETE;
  const unsigned calls = fake.calls;
  CHECK(buffer->map(memory_access::read, 0).value_or(nullptr) == fake_memory);
  CHECK(fake.calls == calls);
  CHECK(buffer->unmap().has_value());
}

TEST_CASE("opencl: work that fails loses the device, with the driver's number") {
  for (cl_int code : {CL_OUT_OF_RESOURCES, CL_INVALID_COMMAND_QUEUE, -9999, -12345}) {
    {
      fake_device device;
      auto from = device.buffer(), to = device.buffer();
      auto queue = device.queue();
      REQUIRE(queue->copy({from.get(), 0, 64}, {to.get(), 0, 64}).has_value());
      REQUIRE(queue->submit().value_or(0) == 1);
      fake.status = code;
      const auto failed = queue->wait(1, 0);
      CHECK(failed.error().code() == errc::device_lost);
      CHECK(failed.error().system() == code);
      fake.status = CL_COMPLETE;
      const unsigned calls = fake.calls;
      auto check_lost = [&](const error& e) {
        CHECK(e.code() == errc::device_lost);
        CHECK(e.system() == code);
      };
      check_lost(queue->wait(1, 0).error());
      check_lost(queue->copy({from.get(), 0, 64}, {to.get(), 0, 64}).error());
      check_lost(queue->submit().error());
      check_lost(from->map(memory_access::read, 0).error());
      check_lost(opencl_buffer::allocate(device.at, 4, memory_place::host).error());
      check_lost(device.at.make_queue().error());
      CHECK(fake.calls == calls);
    }
    CHECK(fake.released == 2);  // the buffers
  }
}

TEST_CASE("opencl: memory that is not there costs no device") {
  fake_device device;
  auto from = device.buffer(), to = device.buffer();
  auto queue = device.queue();
  REQUIRE(queue->copy({from.get(), 0, 64}, {to.get(), 0, 64}).has_value());
  REQUIRE(queue->submit().value_or(0) == 1);
  fake.status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  CHECK(queue->wait(1, 0).error().code() == errc::no_memory);
  fake.status = CL_COMPLETE;
  for (cl_int code :
       {CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY, CL_MEM_OBJECT_ALLOCATION_FAILURE}) {
    fake.made = code;
    const auto made = opencl_buffer::allocate(device.at, 4, memory_place::device);
    CHECK(made.error().code() == errc::no_memory);
    CHECK(made.error().system() == code);
  }
  fake.made = CL_INVALID_BUFFER_SIZE;
  CHECK(opencl_buffer::allocate(device.at, 4, memory_place::device).error().code() ==
        errc::too_large);
  fake.made = CL_SUCCESS;
  CHECK(opencl_buffer::allocate(device.at, 4, memory_place::device).has_value());
  CHECK(queue->wait(1, 0).has_value());
  CHECK(queue->span_of(1).end_ns == 0);  // this driver notes no times
}

TEST_CASE("opencl: a driver that maps nowhere, or anywhere, is not believed") {
  fake_device device;
  auto buffer = device.buffer();
  for (void* address : {static_cast<void*>(nullptr), static_cast<void*>(fake_memory + 3)}) {
    fake.mapped = address;
    CHECK(buffer->map(memory_access::read, 0).error().code() == errc::unsupported);
  }
}

TEST_CASE("opencl: a device that answers no question is not used") {
  auto driver = fake_driver();
  driver->clGetDeviceInfo = [](cl_device_id, cl_device_info, size_t, void*, size_t*) {
    return cl_int{CL_INVALID_VALUE};
  };
  CHECK(describe_opencl(*driver, nullptr, nullptr).error().code() == errc::unsupported);
}

TEST_CASE("opencl: answers of wrong sizes are not believed") {
  auto driver = fake_driver();
  // 4 bytes to every question: true, "OpenCL 1.2" cut off, a list of half a size.
  driver->clGetDeviceInfo = [](cl_device_id, cl_device_info what, size_t room, void* to,
                               size_t* bytes) {
    const cl_uint yes = 1;
    if (what == CL_DEVICE_VERSION) return answer(to, room, bytes, "OpenCL 1.2 x", 12);
    return answer(to, room, bytes, &yes, sizeof yes);
  };
  driver->clGetPlatformInfo = [](cl_platform_id, cl_platform_info, size_t, void*, size_t* bytes) {
    if (bytes != nullptr) *bytes = ~std::size_t{0};
    return cl_int{CL_SUCCESS};
  };
  const auto made = describe_opencl(*driver, nullptr, nullptr);
  REQUIRE_MESSAGE(made.has_value(), made.error().describe());
  CHECK(made->limits.group_items_max == device_limits().group_items_max);
  CHECK(made->limits.buffer_bytes_max == 0);
  CHECK(made->features.subgroups == false);
}

TEST_CASE("opencl: errors are named, known or not") {
  CHECK(name_of_opencl(CL_INVALID_KERNEL_ARGS) == "CL_INVALID_KERNEL_ARGS (-52)");
  CHECK(name_of_opencl(-12345) == "OpenCL error (-12345)");
  CHECK(code_of_opencl(CL_SUCCESS, opencl_step::work) == errc::ok);
  CHECK(code_of_opencl(CL_OUT_OF_RESOURCES, opencl_step::work) == errc::device_lost);
  CHECK(code_of_opencl(CL_INVALID_WORK_GROUP_SIZE, opencl_step::work) == errc::unsupported);
  CHECK(code_of_opencl(CL_INVALID_VALUE, opencl_step::make) == errc::invalid_argument);
}

#endif
