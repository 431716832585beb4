// SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernels of backend_test.cpp in every language, and what its cases do all the time.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "compute/backend.hpp"
#include "tests/conformance/compute/devices.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {
namespace embedded {
#define BEAMLET_KERNEL(name, file, options) extern const kernel_code name;
#include "tests/conformance/compute/kernels/kernels.def"
}  // namespace embedded
}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

namespace conformance {
using namespace beamlet;
using namespace beamlet::compute;

inline constexpr base::time_ns long_ns = 300'000'000'000;

#define ON_EVERY_BACKEND(name) \
  TEST_CASE_TEMPLATE(name, Backend, cpu_backend, opencl_backend, vulkan_backend)

/// `body` of every device of a backend that opened.
template <class Backend, class Body>
inline void on_each_device(Body body) {
  for (const auto& on : Backend::devices()) {
    CAPTURE(on->info().id());
    CAPTURE(on->info().name);
    CAPTURE(on->info().driver);
    body(*on);
  }
}

// -- kernels

struct scale_parameters {
  std::uint32_t count;
  float a, b;
};
inline void scale_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& p = call.parameters_as<scale_parameters>();
  const std::uint64_t group = call.constants->values[0];
  for (std::uint64_t i = first * group; i < std::min<std::uint64_t>(p.count, last * group); ++i)
    call.buffer<float>(1)[i] = p.a * call.buffer<const float>(0)[i] + p.b;
}
inline constexpr kernel_source scale_kernel{.name = "scale",
                                            .buffers = 2,
                                            .parameter_bytes = sizeof(scale_parameters),
                                            .cpu = scale_on_cpu,
                                            .code = &embedded::test_scale};

struct where_parameters {
  std::uint32_t groups_x, groups_y;
};
inline void where_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& p = call.parameters_as<where_parameters>();
  const std::uint64_t x = call.constants->values[0], y = call.constants->values[1];
  for (std::uint64_t g = first; g < last; ++g) {
    const std::uint64_t gx = g % p.groups_x, gy = g / p.groups_x % p.groups_y,
                        gz = g / p.groups_x / p.groups_y;
    for (std::uint64_t ly = 0; ly < y; ++ly) {
      for (std::uint64_t lx = 0; lx < x; ++lx) {
        const std::uint64_t at = (gz * p.groups_y * y + gy * y + ly) * p.groups_x * x + gx * x + lx;
        const std::uint64_t place[] = {lx, ly, gx, gy, gz};
        std::copy_n(place, 5, call.buffer<std::uint32_t>(0) + 5 * at);
      }
    }
  }
}
inline constexpr kernel_source where_kernel{.name = "where",
                                            .buffers = 1,
                                            .parameter_bytes = sizeof(where_parameters),
                                            .cpu = where_on_cpu,
                                            .code = &embedded::test_where};

inline void sums_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t g = first; g < last; ++g) {
    float sum = 0;
    for (std::uint64_t i = 0; i < 64; ++i) sum += call.buffer<const float>(0)[64 * g + i];
    call.buffer<float>(1)[g] = sum;
  }
}
inline constexpr kernel_source sums_kernel{.name = "sums",
                                           .buffers = 2,
                                           .parameter_bytes = 4,
                                           .cpu = sums_on_cpu,
                                           .code = &embedded::test_sums};

inline void constants_on_cpu(const cpu_call& call, std::uint64_t, std::uint64_t) {
  std::copy_n(call.constants->values.begin(), 12, call.buffer<std::uint32_t>(0));
}
inline constexpr kernel_source constants_kernel{.name = "constants",
                                                .buffers = 1,
                                                .parameter_bytes = 4,
                                                .constants = 12,
                                                .cpu = constants_on_cpu,
                                                .code = &embedded::test_constants};

inline std::uint32_t steps_from(std::uint32_t x, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  return x;
}
inline void steps_on_cpu(const cpu_call& call, std::uint64_t, std::uint64_t) {
  call.buffer<std::uint32_t>(0)[0] = steps_from(1, call.parameters_as<std::uint32_t>());
}
inline constexpr kernel_source steps_kernel{.name = "steps",
                                            .buffers = 1,
                                            .parameter_bytes = 4,
                                            .cpu = steps_on_cpu,
                                            .code = &embedded::test_steps};

inline kernel_source words_kernel(std::uint32_t words, const kernel_code& code) {
  return {.name = "words",
          .buffers = 1,
          .parameter_bytes = 4 * words,
          .cpu =
              [](const cpu_call& call, std::uint64_t first, std::uint64_t last) {
                // One item a group, and as many groups as words.
                for (std::uint64_t i = first; i < last; ++i)
                  call.buffer<std::uint32_t>(0)[i] =
                      reinterpret_cast<const std::uint32_t*>(call.parameters)[i];
              },
          .code = &code};
}

// -- buffers and launches

template <class T>
std::span<const std::byte> bytes_of(const T& values) {
  return std::as_bytes(std::span(&values, 1));
}

/// Memory of a device with these values in it.
template <class T>
std::unique_ptr<device_buffer> put(device& on, const std::vector<T>& values) {
  auto made = on.allocate(values.size() * sizeof(T), memory_place::host);
  REQUIRE_MESSAGE(made.has_value(), made.error().describe());
  auto at = (*made)->map(memory_access::write, long_ns);
  REQUIRE_MESSAGE(at.has_value(), at.error().describe());
  // As malloc has it on oclgrind, which looks for mistakes and not for speed.
  const bool is_simulator = on.info().name.find("Oclgrind") != std::string::npos;
  CHECK(reinterpret_cast<std::uintptr_t>(*at) % (is_simulator ? 16 : 64) == 0);
  std::memcpy(*at, values.data(), values.size() * sizeof(T));
  REQUIRE((*made)->unmap().has_value());
  return std::move(*made);
}

template <class T>
std::vector<T> get(device_buffer& from) {
  std::vector<T> values(static_cast<std::size_t>(from.bytes() / sizeof(T)));
  auto at = from.map(memory_access::read, long_ns);
  REQUIRE_MESSAGE(at.has_value(), at.error().describe());
  std::memcpy(values.data(), *at, values.size() * sizeof(T));
  REQUIRE(from.unmap().has_value());
  return values;
}

inline binding all_of(device_buffer& memory) { return {&memory, 0, memory.bytes()}; }

/// A queue of a device, and kernels for it.
struct worker {
  explicit worker(device& on) : at(&on) {
    auto made = on.make_queue();
    REQUIRE_MESSAGE(made.has_value(), made.error().describe());
    queue = std::move(*made);
  }

  std::unique_ptr<kernel> compile(const kernel_source& source, std::uint32_t x = 1,
                                  std::uint32_t y = 1) const {
    kernel_constants constants;
    constants.values[0] = x;
    constants.values[1] = y;
    auto made = at->compile(source, constants);
    REQUIRE_MESSAGE(made.has_value(), made.error().describe());
    return std::move(*made);
  }
  void launch(const kernel& what, const std::vector<binding>& bindings,
              std::span<const std::byte> parameters,
              std::array<std::uint32_t, 3> groups = {1, 1, 1}) const {
    auto done =
        queue->launch(what, {.bindings = bindings, .parameters = parameters, .groups = groups});
    REQUIRE_MESSAGE(done.has_value(), done.error().describe());
  }
  std::uint64_t submit() const {
    auto ticket = queue->submit();
    REQUIRE_MESSAGE(ticket.has_value(), ticket.error().describe());
    return *ticket;
  }
  void finish() const {
    auto done = queue->wait(submit(), long_ns);
    REQUIRE_MESSAGE(done.has_value(), done.error().describe());
  }

  device* at;
  std::unique_ptr<device_queue> queue;
};

inline std::vector<float> floats_from(std::size_t count, float first = 0) {
  std::vector<float> made(count);
  for (std::size_t i = 0; i < count; ++i) made[i] = first + static_cast<float>(i);
  return made;
}

}  // namespace conformance
