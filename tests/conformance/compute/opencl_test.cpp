// SPDX-License-Identifier: Apache-2.0
// What is the OpenCL backend's own: the compiler's words, and its cache.
#include <doctest/doctest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "compute/opencl/opencl_device.hpp"
#include "tests/conformance/compute/backend_kernels.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace {
using namespace conformance;

kernel_source of_text(const kernel_code& code, std::uint32_t parameter_bytes = 0) {
  return {.name = "own", .buffers = 1, .parameter_bytes = parameter_bytes, .code = &code};
}

// The blobs in a cache folder, which also holds the driver's own folder.
std::vector<std::filesystem::path> blobs_in(const std::string& folder) {
  std::vector<std::filesystem::path> made;
  for (const auto& each : std::filesystem::directory_iterator(folder))
    if (each.is_regular_file()) made.push_back(each.path());
  return made;
}

ino_t number_of(const std::filesystem::path& file) {
  struct stat status {};
  REQUIRE(stat(file.c_str(), &status) == 0);
  return status.st_ino;
}

device_list devices_with_cache(const std::string& folder) {
  backend_options options;
  options.cache_folder = folder;
  device_list made;
  for (const backend& one : backends()) {
    if (std::string(one.name) != "opencl") continue;
    auto found = one.devices(options);
    if (!found.has_value()) continue;
    made = std::move(*found);
    for (auto& each : made) REQUIRE(each->open().has_value());
  }
  return made;
}

void check_scale(device& on) {
  auto x = put(on, floats_from(10)), y = put(on, std::vector<float>(10));
  const worker work(on);
  auto scale = work.compile(scale_kernel, 1);
  const scale_parameters p{10, 2, 0};
  work.launch(*scale, {all_of(*x), all_of(*y)}, bytes_of(p), {10, 1, 1});
  work.finish();
  CHECK(get<float>(*y)[9] == 18);
}

}  // namespace

TEST_CASE("a kernel that does not compile fails with the compiler's words") {
  for (const auto& on : opencl_backend::devices()) {
    kernel_code code;
    code.opencl = "__kernel void own(__global int* y) { y[0] = undeclared_name; }";
    auto made = on->compile(of_text(code), {{1, 1}});
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code() == errc::invalid_argument);
    CHECK_MESSAGE(made.error().message().find("undeclared_name") != std::string::npos,
                  made.error().message());
  }
}

TEST_CASE("the first error of a long log is told") {
  for (const auto& on : opencl_backend::devices()) {
    std::string text = "__kernel void own(__global int* y) {\n";
    for (int i = 0; i < 200; ++i) text += "  y[0] = unknown_" + std::to_string(i) + ";\n";
    text += "}\n";
    kernel_code code;
    code.opencl = text;
    auto made = on->compile(of_text(code), {{1, 1}});
    REQUIRE_FALSE(made.has_value());
    CHECK_MESSAGE(made.error().message().find("unknown_0") != std::string::npos,
                  made.error().message());
  }
}

TEST_CASE("a kernel of another name or other arguments is refused") {
  for (const auto& on : opencl_backend::devices()) {
    for (const char* text : {"__kernel void other(__global int* y) { y[0] = 1; }",
                             "__kernel void own(__global int* y, int more) { y[0] = more; }"}) {
      kernel_code code;
      code.opencl = text;
      auto made = on->compile(of_text(code), {{1, 1}});
      REQUIRE_FALSE(made.has_value());
      CHECK(made.error().code() == errc::invalid_argument);
      CHECK(made.error().message().find("own") != std::string::npos);
    }
  }
}

TEST_CASE("a kernel without parameters takes its buffers alone") {
  for (const auto& on : opencl_backend::devices()) {
    kernel_code code;
    code.opencl = "__kernel void own(__global int* y) { y[get_global_id(0)] = CONSTANT_0; }";
    const kernel_source source = of_text(code);
    const worker work(*on);
    auto own = work.compile(source, 4);
    auto y = put(*on, std::vector<std::uint32_t>(8));
    work.launch(*own, {all_of(*y)}, {}, {2, 1, 1});
    work.finish();
    CHECK(get<std::uint32_t>(*y) == std::vector<std::uint32_t>(8, 4));
  }
}

TEST_CASE("groups, launches and tickets that cannot be are refused") {
  for (const auto& on : opencl_backend::devices()) {
    const worker work(*on);
    CHECK(on->compile(scale_kernel, {{0, 1}}).error().code() == errc::invalid_argument);
    CHECK(on->compile(scale_kernel, {{1u << 30, 1}}).error().code() == errc::unsupported);
    auto scale = work.compile(scale_kernel);
    auto x = put(*on, floats_from(4)), y = put(*on, floats_from(4));
    const scale_parameters p{4, 1, 1};
    const binding good[] = {all_of(*x), all_of(*y)}, past[] = {all_of(*x), {y.get(), 0, 17}},
                  offset[] = {all_of(*x), {y.get(), 4, 4}};
    auto launch = [&](std::span<const binding> bindings, std::span<const std::byte> parameters,
                      std::uint32_t groups) {
      return work.queue
          ->launch(*scale,
                   {.bindings = bindings, .parameters = parameters, .groups = {groups, 1, 1}})
          .error()
          .code();
    };
    CHECK(launch(good, bytes_of(p), 4) == errc::ok);
    CHECK(launch(std::span(good).first(1), bytes_of(p), 4) == errc::invalid_argument);
    CHECK(launch(good, bytes_of(p).first(8), 4) == errc::invalid_argument);
    CHECK(launch(past, bytes_of(p), 4) == errc::invalid_argument);
    CHECK(launch(offset, bytes_of(p), 4) == errc::invalid_argument);
    CHECK(launch(good, bytes_of(p), 0) == errc::invalid_argument);
    CHECK(work.queue->copy({x.get(), 0, 8}, {y.get(), 0, 4}).error().code() ==
          errc::invalid_argument);
    CHECK(work.queue->wait(0, 0).error().code() == errc::invalid_argument);
    CHECK(work.queue->wait(9, 0).error().code() == errc::invalid_argument);
    work.finish();
  }
}

TEST_CASE("a program is kept in the cache folder, and taken from there") {
  scratch_folder scratch;
  const std::string folder = scratch.path() + "/cache";
  if (devices_with_cache(folder).empty()) return;
  check_scale(*devices_with_cache(folder).front());
  const auto blobs = blobs_in(folder);
  REQUIRE(blobs.size() == 1);
  const ino_t kept = number_of(blobs[0]);
  check_scale(*devices_with_cache(folder).front());
  CHECK(blobs_in(folder).size() == 1);
  CHECK(number_of(blobs[0]) == kept);
}

TEST_CASE("a damaged program in the cache folder is compiled anew") {
  scratch_folder scratch;
  const std::string folder = scratch.path() + "/cache";
  if (devices_with_cache(folder).empty()) return;
  auto devices = devices_with_cache(folder);
  check_scale(*devices.front());
  const auto file = blobs_in(folder).at(0);
  const auto size = std::filesystem::file_size(file);
  for (std::uintmax_t at : {std::uintmax_t{0}, std::uintmax_t{100}, size / 2, size - 1}) {
    {
      std::fstream damage(file, std::ios::in | std::ios::out | std::ios::binary);
      damage.seekg(static_cast<std::streamoff>(at));
      const int byte = damage.get();
      damage.seekp(static_cast<std::streamoff>(at));
      damage.put(static_cast<char>(byte ^ 0x5a));
    }
    check_scale(*devices.front());
    CHECK(blobs_in(folder).size() == 1);
  }
  std::filesystem::resize_file(file, size / 2);
  check_scale(*devices.front());
  CHECK(std::filesystem::file_size(file) == size);
}

TEST_CASE("a cache folder that cannot be written to costs the cache only") {
  for (const char* folder : {"/proc/beamlet", "/proc/self/fdinfo", "/dev/null"}) {
    auto devices = devices_with_cache(folder);
    if (!devices.empty()) check_scale(*devices.front());
  }
}

#if BEAMLET_OPENCL

TEST_CASE("opencl: without a loader its drivers are opened themselves") {
  auto found = opencl_devices_of({{}, known_opencl_libraries().drivers}, {});
  if (!found.has_value()) {
    MESSAGE("SKIPPED: no OpenCL driver under a name that is known: " << found.error().message());
    return;
  }
  REQUIRE(!found->empty());
  for (const auto& one : *found) {
    CAPTURE(one->info().name);
    REQUIRE(one->open().has_value());
    check_scale(*one);
  }
}

TEST_CASE("opencl: a loader that shows nothing is as if there were none") {
  static constexpr const char* nothing[] = {"libbeamlet_no_such_loader.so"};
  auto found = opencl_devices_of({nothing, nothing}, {});
  REQUIRE(!found.has_value());
  CHECK(found.error().code() == errc::not_found);
  CHECK(found.error().message().find("libbeamlet_no_such_loader.so") != std::string::npos);
}

TEST_CASE("opencl: a library that is neither loader nor driver is named with the reason") {
  static constexpr const char* wrong[] = {"libc.so.6"};
  auto found = opencl_devices_of({wrong, {}}, {});
  REQUIRE(!found.has_value());
  CHECK(found.error().code() == errc::unsupported);
  CHECK(found.error().message().find("libc.so.6: it is no driver of OpenCL 1.2") !=
        std::string::npos);
}

#endif
