// SPDX-License-Identifier: Apache-2.0
// What every backend promises in src/compute/backend.hpp of devices, kernels and queues.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "tests/conformance/compute/backend_kernels.hpp"

namespace {
using namespace conformance;

// -- what a device says of itself

ON_EVERY_BACKEND("a device says what it is, and no less than every device has") {
  std::uint32_t index = 0;
  on_each_device<Backend>([&](device& on) {
    const device_info& info = on.info();
    CHECK(info.backend == Backend::name);
    if (info.backend != "cpu") CHECK(info.index == index++);
    CHECK_FALSE(info.name.empty());
    CHECK_FALSE(info.driver.empty());
    CHECK(info.units >= 1);
    const device_limits& l = info.limits;
    if (info.backend != "cpu") CHECK(l.group_items_max >= 128);
    CHECK(l.parameter_bytes >= 128);
    CHECK(l.buffers_max >= 4);
    CHECK(l.buffer_bytes_max >= 1 << 20);
    CHECK(l.binding_bytes_max >= 1 << 20);
    CHECK(l.binding_bytes_max <= std::max(l.buffer_bytes_max, l.memory_bytes));
    CHECK((l.import_alignment & (l.import_alignment - 1)) == 0);
    CHECK(info.features.subgroups == (info.features.subgroup_size != 0));
  });
}

// -- kernels

ON_EVERY_BACKEND("a kernel reads and writes its buffers, and nothing behind them") {
  on_each_device<Backend>([](device& on) {
    const worker work(on);
    auto scale = work.compile(scale_kernel, 1);
    for (std::uint32_t count : {1u, 5u, 1000u}) {
      auto x = put(on, floats_from(count));
      auto y = put(on, std::vector<float>(count + 16, -7));
      const scale_parameters p{count, 3, 0.5f};
      work.launch(*scale, {all_of(*x), all_of(*y)}, bytes_of(p), {count, 1, 1});
      work.finish();
      const auto got = get<float>(*y);
      for (std::uint32_t i = 0; i < count; ++i) REQUIRE(got[i] == 3 * static_cast<float>(i) + 0.5f);
      for (std::size_t i = count; i < got.size(); ++i) REQUIRE(got[i] == -7);
    }
  });
}

ON_EVERY_BACKEND("launches and copies see what those before them wrote") {
  on_each_device<Backend>([](device& on) {
    constexpr std::uint32_t count = 5000, rounds = 25;
    auto x = put(on, floats_from(count)), y = put(on, floats_from(count));
    auto z = on.allocate(count * sizeof(float), memory_place::device);
    REQUIRE(z.has_value());
    const worker work(on);
    auto scale = work.compile(scale_kernel, 1);
    const scale_parameters p{count, 1, 1};
    for (std::uint32_t i = 0; i < rounds; ++i) {
      work.launch(*scale, {all_of(*x), all_of(*y)}, bytes_of(p), {count, 1, 1});
      work.launch(*scale, {all_of(*y), all_of(**z)}, bytes_of(p), {count, 1, 1});
      REQUIRE(work.queue->copy(all_of(**z), all_of(*x)).has_value());
      if (i % 7 == 0) work.submit();
    }
    work.finish();
    CHECK(get<float>(*x) == floats_from(count, 2.0f * rounds));
  });
}

ON_EVERY_BACKEND("parameters arrive whole, whatever their size") {
  const std::pair<std::uint32_t, const kernel_code*> sizes[] = {
      {1, &embedded::test_words_1},     {2, &embedded::test_words_2},
      {3, &embedded::test_words_3},     {4, &embedded::test_words_4},
      {31, &embedded::test_words_31},   {32, &embedded::test_words_32},
      {64, &embedded::test_words_64},   {160, &embedded::test_words_160},
      {224, &embedded::test_words_224},
  };
  on_each_device<Backend>([&](device& on) {
    for (const auto& size : sizes) {
      const std::uint32_t words = size.first;
      CAPTURE(words);
      const kernel_source source = words_kernel(words, *size.second);
      const worker work(on);
      if (source.parameter_bytes > on.info().limits.parameter_bytes) {
        if (on.info().backend == "cpu") continue;  // hands out an address, of any size
        kernel_constants constants{{1, 1}};
        CHECK(on.compile(source, constants).error().code() == errc::unsupported);
        continue;
      }
      auto kernel = work.compile(source, 1);
      std::vector<std::uint32_t> values(words);
      for (std::uint32_t i = 0; i < words; ++i) values[i] = 0x01020304u * (i + 1);
      auto y = put(on, std::vector<std::uint32_t>(words));
      work.launch(*kernel, {all_of(*y)}, std::as_bytes(std::span(values)), {words, 1, 1});
      work.finish();
      CHECK(get<std::uint32_t>(*y) == values);
    }
  });
}

ON_EVERY_BACKEND("a launch's parameters and bindings are its own, also of one kernel") {
  on_each_device<Backend>([](device& on) {
    constexpr std::uint32_t launches = 40;
    auto x = put(on, floats_from(4));
    std::vector<std::unique_ptr<device_buffer>> results;
    const worker work(on);
    auto scale = work.compile(scale_kernel, 1);
    for (std::uint32_t i = 0; i < launches; ++i) {
      results.push_back(put(on, std::vector<float>(4)));
      const scale_parameters p{4, 0, static_cast<float>(i)};
      work.launch(*scale, {all_of(*x), all_of(*results.back())}, bytes_of(p), {4, 1, 1});
    }
    work.finish();
    for (std::uint32_t i = 0; i < launches; ++i)
      CHECK(get<float>(*results[i]) == std::vector<float>(4, static_cast<float>(i)));
  });
}

ON_EVERY_BACKEND("a buffer is bound from any multiple of the device's alignment") {
  on_each_device<Backend>([](device& on) {
    const std::uint64_t step = on.info().limits.binding_alignment;
    if (step == 0) return;
    const std::size_t unit = static_cast<std::size_t>((step + 3) / 4 * 4), floats = unit / 4;
    auto x = put(on, floats_from(8 * floats));
    auto y = put(on, std::vector<float>(8 * floats, -1));
    const worker work(on);
    auto scale = work.compile(scale_kernel, 1);
    const scale_parameters p{1, 1, 0};
    for (std::size_t i = 0; i < 8; ++i)
      work.launch(*scale, {{x.get(), i * unit, 4}, {y.get(), (7 - i) * unit, 4}}, bytes_of(p));
    work.finish();
    auto expected = std::vector<float>(8 * floats, -1);
    for (std::size_t i = 0; i < 8; ++i) expected[(7 - i) * floats] = static_cast<float>(i * floats);
    CHECK(get<float>(*y) == expected);
  });
}

ON_EVERY_BACKEND("a kernel has its constants compiled in") {
  on_each_device<Backend>([](device& on) {
    const worker work(on);
    auto y = put(on, std::vector<std::uint32_t>(12));
    for (std::uint32_t variant : {0u, 1u}) {
      kernel_constants constants;
      for (std::uint32_t i = 0; i < 12; ++i)
        constants.values[i] = i < 2 ? 1 + i * variant : variant * 0x7fffffffu - i * variant + i;
      auto kernel = on.compile(constants_kernel, constants);
      REQUIRE_MESSAGE(kernel.has_value(), kernel.error().describe());
      CHECK((*kernel)->constants() == constants);
      const std::uint32_t unused = 0;
      work.launch(**kernel, {all_of(*y)}, bytes_of(unused));
      work.finish();
      const auto got = get<std::uint32_t>(*y);
      CHECK(std::equal(got.begin(), got.end(), constants.values.begin()));
    }
  });
}

ON_EVERY_BACKEND("groups of up to two dimensions are laid out in three") {
  on_each_device<Backend>([](device& on) {
    const worker work(on);
    const std::array<std::uint32_t, 2> sizes[] = {{1, 1}, {8, 4}, {1, 16}, {64, 1}};
    const std::array<std::uint32_t, 3> counts[] = {{1, 1, 1}, {5, 1, 1}, {3, 4, 1}, {2, 3, 5}};
    for (const auto& size : sizes) {
      const std::uint32_t x = size[0], y = size[1];
      auto where = work.compile(where_kernel, x, y);
      for (const auto& groups : counts) {
        CAPTURE(x);
        CAPTURE(y);
        CAPTURE(groups[2]);
        const std::uint32_t items = x * y * groups[0] * groups[1] * groups[2];
        auto place = put(on, std::vector<std::uint32_t>(5 * items, 77));
        const where_parameters p{groups[0], groups[1]};
        work.launch(*where, {all_of(*place)}, bytes_of(p), groups);
        work.finish();
        std::vector<std::uint32_t> expected;
        for (std::uint32_t gz = 0; gz < groups[2]; ++gz)
          for (std::uint32_t iy = 0; iy < groups[1] * y; ++iy)
            for (std::uint32_t ix = 0; ix < groups[0] * x; ++ix)
              for (std::uint32_t part : {ix % x, iy % y, ix / x, iy / y, gz})
                expected.push_back(part);
        CHECK(get<std::uint32_t>(*place) == expected);
      }
    }
  });
}

ON_EVERY_BACKEND("the items of a group share memory, and wait for each other") {
  on_each_device<Backend>([](device& on) {
    constexpr std::uint32_t groups = 50;
    auto x = put(on, floats_from(64 * groups));
    auto y = put(on, std::vector<float>(groups));
    const worker work(on);
    auto sums = work.compile(sums_kernel, 64);
    const std::uint32_t unused = 0;
    work.launch(*sums, {all_of(*x), all_of(*y)}, bytes_of(unused), {groups, 1, 1});
    work.finish();
    const auto got = get<float>(*y);
    for (std::uint32_t g = 0; g < groups; ++g)
      CHECK(got[g] == 64.0f * (64.0f * static_cast<float>(g)) + 63.0f * 32.0f);
  });
}

ON_EVERY_BACKEND("a kernel in no language of the device is unsupported") {
  on_each_device<Backend>([](device& on) {
    const kernel_code nothing{};
    const kernel_source source{.name = "nothing", .buffers = 1, .code = &nothing};
    auto made = on.compile(source, {{1, 1}});
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code() == errc::unsupported);
    CHECK(made.error().message().find("nothing") != std::string::npos);
  });
}

ON_EVERY_BACKEND("many kernels live beside each other") {
  on_each_device<Backend>([](device& on) {
    const worker work(on);
    auto y = put(on, std::vector<std::uint32_t>(12));
    std::vector<std::unique_ptr<kernel>> kernels;
    for (std::uint32_t i = 0; i < 12; ++i) {
      kernel_constants constants{{1, 1, i}};
      auto made = on.compile(constants_kernel, constants);
      REQUIRE_MESSAGE(made.has_value(), made.error().describe());
      kernels.push_back(std::move(*made));
    }
    const std::uint32_t unused = 0;
    for (std::uint32_t i = 12; i-- > 0;) {
      work.launch(*kernels[i], {all_of(*y)}, bytes_of(unused));
      work.finish();
      CHECK(get<std::uint32_t>(*y)[2] == i);
    }
  });
}

// -- queues

ON_EVERY_BACKEND("tickets count up, and one that was waited for stands for all before it") {
  on_each_device<Backend>([](device& on) {
    constexpr std::uint32_t tickets = 300;
    auto x = put(on, floats_from(4)), y = put(on, floats_from(4));
    const worker work(on);
    auto scale = work.compile(scale_kernel, 1);
    const scale_parameters p{4, 1, 1};
    for (std::uint32_t i = 1; i <= tickets; ++i) {
      device_buffer &from = i % 2 == 1 ? *x : *y, &to = i % 2 == 1 ? *y : *x;
      work.launch(*scale, {all_of(from), all_of(to)}, bytes_of(p), {4, 1, 1});
      CHECK(work.submit() == i);
    }
    CHECK(work.submit() == tickets + 1);  // of nothing
    for (std::uint64_t ticket : {3u, 200u, 100u, tickets, tickets, tickets + 1, 1u})
      CHECK(work.queue->wait(ticket, long_ns).has_value());
    CHECK(get<float>(*x) == floats_from(4, tickets));
    const device_span span = work.queue->span_of(tickets);
    CHECK(span.begin_ns <= span.end_ns);
    CHECK(work.queue->span_of(1).end_ns == 0);
  });
}

ON_EVERY_BACKEND("two queues of a device work beside each other") {
  on_each_device<Backend>([](device& on) {
    auto x = put(on, floats_from(64)), y = put(on, std::vector<float>(64)),
         z = put(on, std::vector<float>(64));
    const worker one(on), other(on);
    auto scale = one.compile(scale_kernel, 1);
    const scale_parameters p{64, 2, 0}, q{64, 3, 0};
    one.launch(*scale, {all_of(*x), all_of(*y)}, bytes_of(p), {64, 1, 1});
    other.launch(*scale, {all_of(*x), all_of(*z)}, bytes_of(q), {64, 1, 1});
    other.finish();
    one.finish();
    CHECK(get<float>(*y)[63] == 126);
    CHECK(get<float>(*z)[63] == 189);
  });
}

// Mesa's driver on the processor ends a kernel's loops, all of them together, after so many rounds.
constexpr std::uint32_t steps_of_launch = 1u << 15;

// Submits so many launches that their end is not there at once, doubling them until it is not.
// False: this backend does its work before submit() returns.
bool submit_long_work(const worker& work, const kernel& steps, device_buffer& y,
                      std::uint64_t& ticket) {
  using clock = std::chrono::steady_clock;
  work.launch(steps, {all_of(y)}, bytes_of(steps_of_launch));  // some drivers compile here
  work.finish();
  for (std::uint32_t launches = 1; launches <= 1u << 16; launches *= 2) {
    const auto begin = clock::now();
    for (std::uint32_t i = 0; i < launches; ++i)
      work.launch(steps, {all_of(y)}, bytes_of(steps_of_launch));
    ticket = work.submit();
    const auto submitted = clock::now();
    const auto waited = work.queue->wait(ticket, 0);
    if (!waited.has_value()) {
      CHECK(waited.error().code() == errc::timeout);
      return true;
    }
    if (submitted - begin > std::chrono::milliseconds(200)) break;
  }
  return false;
}

ON_EVERY_BACKEND("a wait whose time has passed says so, and the work goes on") {
  on_each_device<Backend>([](device& on) {
    auto y = put(on, std::vector<std::uint32_t>(1));
    const worker work(on);
    auto steps = work.compile(steps_kernel, 1);
    std::uint64_t ticket = 0;
    if (!submit_long_work(work, *steps, *y, ticket)) {
      MESSAGE(on.info().id() << " works before submit() returns");
      return;
    }
    REQUIRE(work.queue->wait(ticket, long_ns).has_value());
    CHECK(get<std::uint32_t>(*y)[0] == steps_from(1, steps_of_launch));
  });
}

ON_EVERY_BACKEND("a queue ends after the work that it was given") {
  on_each_device<Backend>([](device& on) {
    auto y = put(on, std::vector<std::uint32_t>(1));
    auto steps = worker(on).compile(steps_kernel, 1);
    std::uint64_t ticket = 0;
    submit_long_work(worker(on), *steps, *y, ticket);
    CHECK(get<std::uint32_t>(*y)[0] == steps_from(1, steps_of_launch));
  });
}

ON_EVERY_BACKEND("a queue ends with work that was never submitted") {
  on_each_device<Backend>([](device& on) {
    auto x = put(on, floats_from(4)), y = put(on, floats_from(4));
    auto scale = worker(on).compile(scale_kernel, 1);
    const worker work(on);
    const scale_parameters p{4, 1, 1};
    work.launch(*scale, {all_of(*x), all_of(*y)}, bytes_of(p), {4, 1, 1});
  });
}

}  // namespace
