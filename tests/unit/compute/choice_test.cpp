// SPDX-License-Identifier: Apache-2.0
#include "compute/choice.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {
using namespace beamlet;
using namespace beamlet::compute;

// Does nothing quicker than `launch_ns`, and so many bytes and operations in a nanosecond.
device_record record_of(std::string backend, device_kind kind, double launch_ns, double gbytes,
                        double gflops) {
  device_record made;
  made.info.backend = backend;
  made.info.name = "the " + backend;
  made.info.kind = kind;
  made.profile.launch_ns = launch_ns;
  double work = 1e4;
  for (std::size_t i = 0; i < device_profile::points; ++i, work *= 100) {
    made.profile.bytes[i] = {work, launch_ns + work / gbytes};
    made.profile.flops[i] = {work, launch_ns + work / gflops};
    made.profile.functions[i] = {work, launch_ns + work};
  }
  return made;
}

std::vector<device_record> three() {
  auto software = record_of("opencl", device_kind::software, 10'000, 100, 1000);
  return {record_of("vulkan", device_kind::discrete, 20'000, 100, 1000), software,
          record_of("cpu", device_kind::cpu, 200, 10, 100)};
}

constexpr std::size_t vulkan = 0, opencl = 1, cpu = 2;
const std::vector<bool> all_can(3, true);
const std::vector<device_choice::transfers> no_transfers(3);

std::size_t chosen(device_choice& from, const op_cost& cost, std::uint64_t key = 1,
                   const std::vector<device_choice::transfers>& to = no_transfers,
                   const std::vector<bool>& can = all_can) {
  auto index = from.choose(key, cost, to, can);
  REQUIRE(index.has_value());
  return *index;
}
}  // namespace

TEST_CASE("small work stays on the processor, large work goes where it is done first") {
  auto choice = device_choice::make(three(), {});
  REQUIRE(choice.has_value());
  CHECK(chosen(*choice, {.bytes = 1000}) == cpu);
  CHECK(chosen(*choice, {.bytes = 1e9}) == vulkan);
  CHECK(chosen(*choice, {.bytes = 1000, .flops = 1e9}) == vulkan);
}

TEST_CASE("what would have to be copied first counts") {
  auto all = three();
  all[vulkan].profile.upload_ns_per_byte = all[vulkan].profile.download_ns_per_byte = 1;
  auto choice = device_choice::make(all, {});
  REQUIRE(choice.has_value());
  const op_cost cost{.bytes = 1e8};
  std::vector<device_choice::transfers> to(3);
  CHECK(chosen(*choice, cost, 1, to) == vulkan);
  to[vulkan] = {.in_bytes = 50'000'000, .out_bytes = 50'000'000};
  CHECK(chosen(*choice, cost, 1, to) == cpu);
}

TEST_CASE("a software device is not chosen unless it is allowed or named") {
  auto all = three();
  all[vulkan].fault = "gone";
  const op_cost cost{.flops = 1e10};
  auto plain = device_choice::make(all, {});
  CHECK(chosen(*plain, cost) == cpu);
  CHECK(plain->reason_against(opencl).find("BEAMLET_ALLOW_SOFTWARE") != std::string::npos);
  auto allowed = device_choice::make(all, {.wanted = {}, .allow_software = true});
  CHECK(chosen(*allowed, cost) == opencl);
  for (const char* name : {"opencl", "opencl:0", "THE OPENCL"}) {
    auto named = device_choice::make(all, {.wanted = name});
    REQUIRE(named.has_value());
    CHECK(chosen(*named, {.bytes = 1}) == opencl);
  }
}

TEST_CASE("a device with a fault is never chosen, and it is said why") {
  auto all = three();
  all[vulkan].fault = "self-test: matmul gave 1.0 for element 3, right is 2.0";
  auto choice = device_choice::make(all, {.wanted = "vulkan"});
  REQUIRE(choice.has_value());
  auto none = choice->choose(1, {.flops = 1e10}, no_transfers, all_can);
  REQUIRE(!none.has_value());
  CHECK(none.error().code() == errc::unsupported);
  CHECK(none.error().message().find("matmul gave 1.0") != std::string_view::npos);
}

TEST_CASE("a name that no device has is an error that lists the devices") {
  auto choice = device_choice::make(three(), {.wanted = "rocm"});
  REQUIRE(!choice.has_value());
  CHECK(choice.error().code() == errc::not_found);
  CHECK(choice.error().message().find("vulkan:0 (the vulkan)") != std::string_view::npos);
}

TEST_CASE("one device under two drivers is used through the faster one") {
  auto all = three();
  all[opencl].info.kind = device_kind::discrete;
  all[vulkan].info.uuid[3] = all[opencl].info.uuid[3] = 7;
  all[opencl].profile.flops.back().ns /= 2;
  mark_twins(all);
  CHECK(all[vulkan].twin_of == "opencl:0");
  CHECK(all[opencl].twin_of.empty());
  auto choice = device_choice::make(all, {});
  CHECK(chosen(*choice, {.flops = 1e10}) == opencl);
  CHECK(choice->reason_against(vulkan) == "the same device as opencl:0");
  all[opencl].info.uuid[3] = 8;
  mark_twins(all);
  CHECK(all[vulkan].twin_of.empty());
}

TEST_CASE("a device that cannot run it is passed over") {
  auto choice = device_choice::make(three(), {});
  CHECK(chosen(*choice, {.flops = 1e10}, 1, no_transfers, {false, true, true}) == cpu);
  CHECK(!choice->choose(1, {}, no_transfers, {false, false, false}).has_value());
}

TEST_CASE("what was measured wins over what was estimated") {
  auto choice = device_choice::make(three(), {});
  const op_cost cost{.flops = 1e9};
  CHECK(chosen(*choice, cost, 7) == vulkan);
  choice->learn(7, vulkan, 1e9);
  CHECK(chosen(*choice, cost, 7) == cpu);
  CHECK(chosen(*choice, cost, 8) == vulkan);  // other work
}

TEST_CASE("a device that may be as fast is tried once, after the best was") {
  auto all = three();
  all[cpu] = record_of("cpu", device_kind::cpu, 200, 10, 700);
  auto choice = device_choice::make(all, {});
  const op_cost cost{.flops = 1e9};
  CHECK(chosen(*choice, cost) == vulkan);
  CHECK(chosen(*choice, cost) == vulkan);
  choice->learn(1, vulkan, 1.1e6);
  CHECK(chosen(*choice, cost) == cpu);
  choice->learn(1, cpu, 1.6e6);
  CHECK(chosen(*choice, cost) == vulkan);
  choice->learn(1, cpu, 0.9e6);
  CHECK(chosen(*choice, cost) == cpu);
}

TEST_CASE("what is learned is bounded") {
  auto choice = device_choice::make(three(), {});
  for (std::uint64_t key = 0; key < 20'000; ++key) choice->learn(key, cpu, 1);
  CHECK(chosen(*choice, {.flops = 1e9}, 19'999) == cpu);
}

TEST_CASE("an estimate grows with the work and never falls below a launch") {
  const auto p = three()[vulkan].profile;
  CHECK(estimate_ns(p, {}, 0, 0) == doctest::Approx(20'000));
  double before = 0;
  for (double bytes = 1; bytes < 1e12; bytes *= 3) {
    const double now = estimate_ns(p, {.bytes = bytes}, 0, 0);
    CHECK(now >= before);
    before = now;
  }
  CHECK(estimate_ns(p, {.bytes = 1e12}, 0, 0) == doctest::Approx(1e10).epsilon(0.1));
}

TEST_CASE("a record survives being encoded, and damaged bytes are an error or a record") {
  const auto all = three();
  auto bytes = encode_to(all);
  REQUIRE(bytes.has_value());
  auto back = decode_from<std::vector<device_record>>(*bytes);
  REQUIRE(back.has_value());
  CHECK(back->at(vulkan).info.name == "the vulkan");
  CHECK(back->at(vulkan).profile.flops.back().ns == all[vulkan].profile.flops.back().ns);
  for (std::size_t i = 0; i < bytes->size(); ++i) {
    auto damaged = *bytes;
    damaged[i] ^= std::byte{0xff};
    (void)decode_from<std::vector<device_record>>(damaged);
    damaged.resize(i);
    CHECK(!decode_from<std::vector<device_record>>(damaged).has_value());
  }
}
