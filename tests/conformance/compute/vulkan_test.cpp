// SPDX-License-Identifier: Apache-2.0
// What is Vulkan's own. Cases say so where there is no driver, and pass.
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "compute/embedded.hpp"
#include "compute/vulkan/queue.hpp"
#include "compute/vulkan/spirv.hpp"
#include "compute/vulkan/vulkan_device.hpp"
#include "tests/conformance/compute/op_suite.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

#if BEAMLET_VULKAN
namespace {
using namespace conformance;

vulkan_device& own(const std::unique_ptr<device>& one) { return static_cast<vulkan_device&>(*one); }

/// Devices that no other case sees, to be broken.
device_list fresh_devices() { return devices_of("vulkan"); }

op_case sum_of_two(std::int64_t count) {
  op_case made{"sum of " + std::to_string(count), ops::elementwise{{{ops::function::add}}}, {}, 1};
  for (std::uint32_t i = 0; i < 2; ++i) {
    made.inputs.emplace_back(dtypes::f32, dimensions{count});
    fill_between(made.inputs.back(), -1, 1, i + 1);
  }
  return made;
}

void adds_right(device& on, std::int64_t count = 1000) {
  auto runs = executor::make(on);
  REQUIRE(runs.has_value());
  const op_case one = sum_of_two(count);
  std::vector<host_tensor> out{host_tensor(dtypes::f32, {count})};
  REQUIRE(run_op(**runs, one, out));
  for (std::int64_t i = 0; i < count; ++i)
    REQUIRE(out[0].at(i) == doctest::Approx(one.inputs[0].at(i) + one.inputs[1].at(i)));
}

/// The same kernel over and over: x = x + y, elements side by side.
class adder {
 public:
  adder(device& on, std::int64_t count) : on_(&on), count_(count) {
    const op_case one = sum_of_two(count);
    const operand flat = operand::dense(dtypes::f32, {count});
    const operand in[] = {flat, flat}, out[] = {flat};
    auto planned = plan_for(one.what, on.info(), in, out);
    REQUIRE(planned.has_value());
    REQUIRE(planned->launches.size() == 1);
    how_ = planned->launches[0];
    auto compiled = on.compile(*how_.what, how_.constants);
    REQUIRE_MESSAGE(compiled.has_value(), compiled.error().describe());
    what_ = std::move(*compiled);
  }

  result<void> launch(device_queue& queue, device_buffer& x, device_buffer& y) {
    return launch(queue, {&x, 0, bytes()}, {&y, 0, bytes()});
  }
  result<void> launch(device_queue& queue, const binding& x, const binding& y) {
    const binding all[] = {x, y, x, x};  // x is input, unread third input, and output
    return queue.launch(*what_,
                        {.bindings = all,
                         .parameters = std::span(how_.parameters).first(how_.parameter_bytes),
                         .groups = how_.groups});
  }
  std::unique_ptr<device_buffer> full_of(float value) {
    std::vector<std::byte> data(bytes());
    for (std::size_t i = 0; i < data.size(); i += 4) std::memcpy(&data[i], &value, 4);
    return upload(*on_, data);
  }
  bool is_full_of(device_buffer& which, float value) {
    auto at = which.map(memory_access::read, op_timeout_ns);
    REQUIRE(at.has_value());
    bool same = true;
    for (std::size_t i = 0; i < bytes(); i += 4) same &= std::memcmp(*at + i, &value, 4) == 0;
    REQUIRE(which.unmap().has_value());
    return same;
  }
  std::size_t bytes() const { return static_cast<std::size_t>(count_) * 4; }
  const kernel& what() const { return *what_; }

 private:
  device* on_;
  std::int64_t count_;
  planned_launch how_;
  std::unique_ptr<kernel> what_;
};

std::unique_ptr<device_queue> queue_of(device& on) {
  auto made = on.make_queue();
  REQUIRE(made.has_value());
  return std::move(*made);
}

TEST_CASE("vulkan: without a loader its drivers are opened themselves") {
  vulkan_libraries only_drivers = known_vulkan_libraries();
  only_drivers.loaders = {};
  auto found = vulkan_devices_of(only_drivers, {});
  if (!found.has_value() || found->empty()) {
    MESSAGE("SKIPPED: no Vulkan driver under a name that is known");
    return;
  }
  for (const auto& one : *found) {
    CAPTURE(one->info().name);
    REQUIRE(one->open().has_value());
    adds_right(*one);
  }
}

TEST_CASE("vulkan: a loader that shows nothing is as if there were none") {
  static constexpr const char* nothing[] = {"libbeamlet_no_such_loader.so"};
  auto found = vulkan_devices_of({nothing, nothing}, {});
  REQUIRE(!found.has_value());
  CHECK(found.error().code() == errc::not_found);
  CHECK(std::string(found.error().message()).find("libbeamlet_no_such_loader.so") !=
        std::string::npos);
}

TEST_CASE("vulkan: a library that is neither loader nor driver is named with the reason") {
  static constexpr const char* wrong[] = {"libc.so.6"};
  auto found = vulkan_devices_of({wrong, {}}, {});
  REQUIRE(!found.has_value());
  CHECK(found.error().code() == errc::not_found);
  CHECK(std::string(found.error().message()).find("neither") != std::string::npos);
}

TEST_CASE("vulkan: what a device says of itself is complete") {
  for (const auto& one : vulkan_backend::devices()) {
    const device_info& info = one->info();
    CAPTURE(info.name);
    CHECK(info.backend == "vulkan");
    CHECK(!info.name.empty());
    CHECK(!info.driver.empty());
    CHECK(info.limits.group_items_max >= 128);
    CHECK(info.limits.local_bytes >= 16384);
    CHECK(info.limits.parameter_bytes >= 128);
    CHECK(info.limits.buffers_max >= 4);
    CHECK(info.limits.memory_bytes > 0);
    CHECK(info.limits.buffer_bytes_max > 0);
    CHECK(info.limits.binding_bytes_max >= std::uint64_t{1} << 27);
    CHECK(info.limits.binding_alignment > 0);
    if (info.name.find("llvmpipe") != std::string::npos) {
      CHECK(info.kind == device_kind::software);
      CHECK(info.features.unified_memory);
    }
  }
}

TEST_CASE("vulkan: a broken kernel is an error before the driver sees it") {
  const auto whole = embedded::elementwise_f32.spirv;
  for (const auto& on : vulkan_backend::devices()) {
    kernel_constants constants;
    constants.values = {64, 1, 1, 255, 255, 255, 255};
    kernel_source source{.name = "broken", .buffers = 4, .parameter_bytes = 116, .constants = 7};
    const auto compile = [&](std::vector<std::uint32_t> words) {
      const kernel_code code{{}, {}, {}, words};
      source.code = &code;
      auto made = on->compile(source, constants);
      return made.has_value() ? errc::ok : made.error().code();
    };
    const std::vector<std::uint32_t> words(whole.begin(), whole.end());
    CHECK(compile(words) == errc::ok);
    CHECK(compile({}) == errc::unsupported);
    CHECK(compile({words[0]}) == errc::invalid_argument);
    std::vector<std::uint32_t> swapped = words;
    swapped[0] = 0x03022307;
    CHECK(compile(swapped) == errc::invalid_argument);
    for (std::size_t cut = 5; cut < words.size(); cut += 1 + words.size() / 50) {
      // Some cuts fall between two instructions; those before the entry point miss it.
      auto read = read_spirv(std::span(words).first(cut));
      if (!read.has_value()) CHECK(read.error().code() == errc::invalid_argument);
    }
    std::vector<std::uint32_t> looped = words;
    looped[5] = 0;  // an instruction of no length
    CHECK(compile(looped) == errc::invalid_argument);
    std::vector<std::uint32_t> foreign = words;
    foreign[6] = 6;  // the capability Kernel: OpenCL's SPIR-V
    CHECK(compile(foreign) == errc::unsupported);
    source.buffers = 2;
    CHECK(compile(words) == errc::invalid_argument);
    source.buffers = 4;
    constants.values[0] = 1 << 20;
    CHECK(compile(words) == errc::unsupported);
    constants.values[0] = 64;
    source.parameter_bytes = 1 << 20;
    CHECK(compile(words) == errc::unsupported);
  }
}

TEST_CASE("vulkan: a kernel's inputs are known to be only read") {
  auto facts = read_spirv(embedded::elementwise_f32.spirv);
  REQUIRE(facts.has_value());
  CHECK(facts->bindings == 4);
  CHECK(facts->read_only == 0b0111);
}

TEST_CASE("vulkan: thousands of small buffers are few allocations of the driver's") {
  for (const auto& on : fresh_devices()) {
    const std::size_t before = own(on).memory().allocation_count();
    std::vector<std::unique_ptr<device_buffer>> held;
    for (int i = 0; i < 5000; ++i) {
      auto made = on->allocate(static_cast<std::uint64_t>(1 + i % 700),
                               i % 2 == 0 ? memory_place::host : memory_place::device);
      REQUIRE(made.has_value());
      held.push_back(std::move(*made));
    }
    CHECK(own(on).memory().allocation_count() - before <= 16);
    // Each keeps what is its own, also where others went and came back.
    for (std::size_t i = 0; i < held.size(); i += 3) held[i].reset();
    for (std::size_t i = 0; i < held.size(); i += 3) {
      auto made = on->allocate(900, memory_place::host);
      REQUIRE(made.has_value());
      held[i] = std::move(*made);
    }
    for (std::size_t i = 0; i < held.size(); ++i) {
      if (!held[i]->is_mappable()) continue;
      auto at = held[i]->map(memory_access::write, op_timeout_ns);
      REQUIRE(at.has_value());
      REQUIRE(reinterpret_cast<std::uintptr_t>(*at) % 64 == 0);
      std::memset(*at, static_cast<int>(i % 251), held[i]->bytes());
      REQUIRE(held[i]->unmap().has_value());
    }
    bool kept = true;
    for (std::size_t i = 0; i < held.size(); ++i) {
      if (!held[i]->is_mappable()) continue;
      auto at = held[i]->map(memory_access::read, op_timeout_ns);
      REQUIRE(at.has_value());
      for (std::size_t k = 0; k < held[i]->bytes(); ++k)
        kept &= (*at)[k] == static_cast<std::byte>(i % 251);
      REQUIRE(held[i]->unmap().has_value());
    }
    CHECK(kept);
    held.clear();
    CHECK(own(on).memory().allocation_count() <= 2);
  }
}

TEST_CASE("vulkan: parts of a block are given back whole") {
  vulkan_block block;
  block.bytes = 1024;
  block.free.push_back({0, 1024});
  const std::uint64_t a = block.take(256), b = block.take(256), c = block.take(512);
  CHECK(block.take(64) == block.bytes);
  block.give(a, 256);
  block.give(c, 512);
  CHECK(block.free.size() == 2);
  block.give(b, 256);
  CHECK(block.is_empty());
  CHECK(block.take(2048) == block.bytes);
}

TEST_CASE("vulkan: what is too large to allocate or to see is refused") {
  for (const auto& on : vulkan_backend::devices()) {
    const device_limits& limits = on->info().limits;
    auto too_large = on->allocate(limits.buffer_bytes_max + 1, memory_place::device);
    REQUIRE(!too_large.has_value());
    CHECK(too_large.error().code() == errc::too_large);
    if (limits.binding_bytes_max >= std::uint64_t{1} << 30) continue;
    auto big = on->allocate(limits.binding_bytes_max + 4096, memory_place::device);
    REQUIRE(big.has_value());
    adder add(*on, 64);
    auto queue = queue_of(*on);
    const binding all{big->get(), 0, limits.binding_bytes_max + 4096};
    auto refused = add.launch(*queue, all, all);
    REQUIRE(!refused.has_value());
    CHECK(refused.error().code() == errc::invalid_argument);
    const binding end{big->get(), limits.binding_bytes_max, 4096};
    CHECK(add.launch(*queue, end, end).has_value());
  }
}

TEST_CASE("vulkan: launches that do not fit their kernel or buffers are refused") {
  for (const auto& on : vulkan_backend::devices()) {
    adder add(*on, 64);
    auto queue = queue_of(*on);
    auto x = add.full_of(1), y = add.full_of(1);
    const auto code_of = [&](const binding& one) {
      auto refused = add.launch(*queue, one, {y.get(), 0, add.bytes()});
      return refused.has_value() ? errc::ok : refused.error().code();
    };
    CHECK(code_of({nullptr, 0, 4}) == errc::invalid_argument);
    CHECK(code_of({x.get(), 0, 0}) == errc::invalid_argument);
    CHECK(code_of({x.get(), 0, 1 << 20}) == errc::invalid_argument);
    CHECK(code_of({x.get(), base::never_ns, 4}) == errc::invalid_argument);
    CHECK(code_of({x.get(), 1, 4}) == errc::invalid_argument);
    CHECK(!queue->launch(add.what(), {}).has_value());
    CHECK(!queue->copy({x.get(), 0, 64}, {x.get(), 0, 64}).has_value());
    CHECK(!queue->wait(1, 0).has_value());
  }
}

TEST_CASE("vulkan: thousands of launches and tickets use the same objects again") {
  for (const auto& on : vulkan_backend::devices()) {
    adder add(*on, 64);
    auto queue = queue_of(*on);
    auto x = add.full_of(0), y = add.full_of(1);
    int launched = 0;
    std::uint64_t last = 0;
    for (int round = 0; round < 200; ++round) {
      for (int i = 0; i < 1 + round % 20; ++i, ++launched)
        REQUIRE(add.launch(*queue, *x, *y).has_value());
      auto ticket = queue->submit();
      REQUIRE(ticket.has_value());
      CHECK(*ticket == last + 1);
      last = *ticket;
      if (round % 3 == 0) REQUIRE(queue->wait(last, op_timeout_ns).has_value());
    }
    for (int i = 0; i < 1000; ++i, ++launched) REQUIRE(add.launch(*queue, *x, *y).has_value());
    auto ticket = queue->submit();
    REQUIRE(ticket.has_value());
    REQUIRE(queue->wait(*ticket, op_timeout_ns).has_value());
    CHECK(queue->wait(1, 0).has_value());
    CHECK(add.is_full_of(*x, static_cast<float>(launched)));
  }
}

TEST_CASE("vulkan: a span of time is known for the last tickets only") {
  for (const auto& on : vulkan_backend::devices()) {
    adder add(*on, 4096);
    auto queue = queue_of(*on);
    auto x = add.full_of(0), y = add.full_of(1);
    for (int i = 0; i < 20; ++i) {
      REQUIRE(add.launch(*queue, *x, *y).has_value());
      auto ticket = queue->submit();
      REQUIRE(ticket.has_value());
      REQUIRE(queue->wait(*ticket, op_timeout_ns).has_value());
    }
    CHECK(queue->span_of(1).end_ns == 0);
    const device_span now = queue->span_of(20);
    CHECK(now.begin_ns <= now.end_ns);
    CHECK(queue->span_of(21).end_ns == 0);
  }
}

TEST_CASE("vulkan: two queues of one device work at once and see what was waited for") {
  for (const auto& on : vulkan_backend::devices()) {
    adder add(*on, 1000);
    auto first = queue_of(*on), second = queue_of(*on);
    auto x = add.full_of(0), y = add.full_of(1), z = add.full_of(0);
    for (int round = 0; round < 10; ++round) {
      REQUIRE(add.launch(*first, *x, *y).has_value());
      REQUIRE(add.launch(*second, *z, *y).has_value());
      auto a = first->submit(), b = second->submit();
      REQUIRE(a.has_value());
      REQUIRE(b.has_value());
      REQUIRE(first->wait(*a, op_timeout_ns).has_value());
      REQUIRE(second->wait(*b, op_timeout_ns).has_value());
    }
    REQUIRE(add.launch(*second, *z, *x).has_value());
    auto last = second->submit();
    REQUIRE(last.has_value());
    REQUIRE(second->wait(*last, op_timeout_ns).has_value());
    CHECK(add.is_full_of(*z, 20));
  }
}

TEST_CASE("vulkan: copies stand in order with launches") {
  for (const auto& on : vulkan_backend::devices()) {
    adder add(*on, 1000);
    auto queue = queue_of(*on);
    auto x = add.full_of(1), y = add.full_of(2), z = add.full_of(9);
    REQUIRE(add.launch(*queue, *x, *y).has_value());
    REQUIRE(queue->copy({x.get(), 0, add.bytes()}, {z.get(), 0, add.bytes()}).has_value());
    REQUIRE(add.launch(*queue, *x, *z).has_value());
    auto ticket = queue->submit();
    REQUIRE(ticket.has_value());
    REQUIRE(queue->wait(*ticket, op_timeout_ns).has_value());
    CHECK(add.is_full_of(*z, 3));
    CHECK(add.is_full_of(*x, 6));
  }
}

TEST_CASE("vulkan: memory of the program is worked on in place") {
  for (const auto& on : vulkan_backend::devices()) {
    const std::uint64_t alignment = on->info().limits.import_alignment;
    if (alignment == 0) {
      MESSAGE(on->info().id() << " imports nothing");
      continue;
    }
    adder add(*on, 1000);
    auto queue = queue_of(*on);
    auto y = add.full_of(2);
    const auto bytes =
        static_cast<std::size_t>((add.bytes() + alignment - 1) / alignment * alignment);
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(alignment, bytes));
    REQUIRE(memory != nullptr);
    std::memset(memory, 0, bytes);
    {
      auto x = on->import({memory, bytes}, memory_access::read_write);
      REQUIRE_MESSAGE(x.has_value(), x.error().describe());
      CHECK((*x)->is_imported());
      REQUIRE(add.launch(*queue, **x, *y).has_value());
      auto ticket = queue->submit();
      REQUIRE(ticket.has_value());
      REQUIRE(queue->wait(*ticket, op_timeout_ns).has_value());
      CHECK(*(*x)->map(memory_access::read, op_timeout_ns) == memory);
      CHECK((*x)->unmap().has_value());
      CHECK(add.is_full_of(**x, 2));
    }
    auto crooked = on->import({memory + 64, bytes - 64}, memory_access::read);
    REQUIRE(!crooked.has_value());
    CHECK(crooked.error().code() == errc::unsupported);
    std::free(memory);
  }
}

TEST_CASE("vulkan: pipelines are kept in the folder, and a damaged file is a miss") {
  scratch_folder scratch;
  backend_options options;
  options.cache_folder = scratch.path() + "/cache";
  const auto start = [&] {
    auto found = vulkan_devices_of(known_vulkan_libraries(), options);
    std::size_t count = 0;
    if (found.has_value())
      for (const auto& one : *found) {
        REQUIRE(one->open().has_value());
        adds_right(*one);
        ++count;
      }
    return count;
  };
  const auto files = [&] {
    std::vector<std::filesystem::path> made;
    for (const auto& one : std::filesystem::directory_iterator(options.cache_folder))
      if (one.is_regular_file()) made.push_back(one.path());  // beside Mesa's folder
    return made;
  };
  const std::size_t devices = start();
  if (devices == 0) return;
  REQUIRE(files().size() == devices);
  const auto kept = files()[0];
  const auto bytes = std::filesystem::file_size(kept);
  const auto written = std::filesystem::last_write_time(kept);
  start();
  CHECK(std::filesystem::last_write_time(kept) == written);  // there was nothing to add
  std::ofstream(kept, std::ios::binary) << "damaged";
  start();
  CHECK(std::filesystem::file_size(kept) == bytes);
  options.cache_folder = scratch.path() + "/no/such/folder";
  CHECK(start() == devices);
}

TEST_CASE("vulkan: a lost device says so in every call from then on") {
  for (const auto& on : fresh_devices()) {
    adder add(*on, 64);
    auto queue = queue_of(*on);
    auto x = add.full_of(1), y = add.full_of(1);
    REQUIRE(add.launch(*queue, *x, *y).has_value());
    own(on).core().vk.QueueSubmit = [](VkQueue, std::uint32_t, const VkSubmitInfo*, VkFence) {
      return VK_ERROR_DEVICE_LOST;
    };
    auto lost = queue->submit();
    REQUIRE(!lost.has_value());
    CHECK(lost.error().code() == errc::device_lost);
    CHECK(lost.error().system() == VK_ERROR_DEVICE_LOST);
    CHECK(add.launch(*queue, *x, *y).error() == errc::device_lost);
    CHECK(queue->submit().error() == errc::device_lost);
    CHECK(queue->wait(1, 0).error() == errc::device_lost);
    CHECK(x->map(memory_access::read, 0).error() == errc::device_lost);
    CHECK(on->allocate(64, memory_place::device).error() == errc::device_lost);
    CHECK(on->make_queue().error() == errc::device_lost);
    CHECK(on->compile(add.what().source(), add.what().constants()).error() == errc::device_lost);
  }
}

TEST_CASE("vulkan: memory that runs out is an error and the device goes on") {
  for (const auto& on : fresh_devices()) {
    auto& vk = own(on).core().vk;
    const auto allocate = vk.AllocateMemory;
    vk.AllocateMemory = [](VkDevice, const VkMemoryAllocateInfo*, const VkAllocationCallbacks*,
                           VkDeviceMemory*) { return VK_ERROR_OUT_OF_DEVICE_MEMORY; };
    auto none = on->allocate(1 << 20, memory_place::device);
    REQUIRE(!none.has_value());
    CHECK(none.error().code() == errc::no_memory);
    CHECK(none.error().system() == VK_ERROR_OUT_OF_DEVICE_MEMORY);
    vk.AllocateMemory = allocate;
    adds_right(*on);
  }
}

TEST_CASE("vulkan: a wait that takes too long is a timeout and the work goes on") {
  for (const auto& on : fresh_devices()) {
    adder add(*on, 64);
    auto queue = queue_of(*on);
    auto x = add.full_of(1), y = add.full_of(1);
    auto& vk = own(on).core().vk;
    const auto wait = vk.WaitForFences;
    REQUIRE(add.launch(*queue, *x, *y).has_value());
    auto ticket = queue->submit();
    REQUIRE(ticket.has_value());
    vk.WaitForFences = [](VkDevice, std::uint32_t, const VkFence*, VkBool32, std::uint64_t) {
      return VK_TIMEOUT;
    };
    CHECK(queue->wait(*ticket, 1).error() == errc::timeout);
    vk.WaitForFences = wait;
    REQUIRE(queue->wait(*ticket, op_timeout_ns).has_value());
    CHECK(add.is_full_of(*x, 2));
  }
}

// Wrong on purpose, and run only by name: that the validation layer is there, and looks, is shown
// by what it says to these.

TEST_CASE("vulkan: planted: a call without what it needs" * doctest::skip()) {
  const device_list devices = fresh_devices();
  REQUIRE(!devices.empty());
  auto& core = own(devices.front()).core();
  core.vk.ResetFences(core.device, 0, nullptr);  // drivers do nothing then
}

TEST_CASE("vulkan: planted: launches that no barrier keeps apart" * doctest::skip()) {
  const device_list devices = fresh_devices();
  REQUIRE(!devices.empty());
  device& on = *devices.front();
  own(devices.front()).core().vk.CmdPipelineBarrier =
      [](VkCommandBuffer, VkPipelineStageFlags, VkPipelineStageFlags, VkDependencyFlags,
         std::uint32_t, const VkMemoryBarrier*, std::uint32_t, const VkBufferMemoryBarrier*,
         std::uint32_t, const VkImageMemoryBarrier*) {};
  adder add(on, 64);
  auto queue = queue_of(on);
  auto x = add.full_of(1), y = add.full_of(1);
  for (int i = 0; i < 2; ++i) REQUIRE(add.launch(*queue, *x, *y).has_value());
  auto ticket = queue->submit();
  REQUIRE(ticket.has_value());
  REQUIRE(queue->wait(*ticket, op_timeout_ns).has_value());
}

}  // namespace
#endif
