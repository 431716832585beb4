// SPDX-License-Identifier: Apache-2.0
#include "compute/choice.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
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

TEST_CASE("the last choice is explained by what was expected of each device") {
  auto choice = device_choice::make(three(), {});
  REQUIRE(choice.has_value());
  CHECK(choice->explain().find("last: ") == std::string::npos);
  (void)chosen(*choice, {.bytes = 1e4});
  CHECK(choice->explain().find("last: cpu:0: expected 1.2 us, of vulkan:0 20.1 us\n") !=
        std::string::npos);
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
  auto allowed = device_choice::make(all, {.allow_software = true});
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

TEST_CASE("two drivers that number no devices show one device by its vendor and name") {
  auto all = three();
  all[opencl].info.kind = device_kind::discrete;
  all[vulkan].info.vendor = all[opencl].info.vendor = "ACME";
  all[vulkan].info.name = "ACME G71 (driver 7)";
  all[opencl].info.name = "acme g71";
  all[opencl].profile.flops.back().ns *= 2;
  mark_twins(all);
  CHECK(all[opencl].twin_of == "vulkan:0");
  CHECK(all[vulkan].twin_of.empty());
  CHECK(all[cpu].twin_of.empty());
  all[opencl].info.vendor = "another";
  mark_twins(all);
  CHECK(all[opencl].twin_of.empty());
}

TEST_CASE("the environment's device wins over the program's, an empty one is none") {
  const choice_rules own{.wanted = "vulkan"};
  ::setenv("BEAMLET_DEVICE", "opencl:1", 1);
  CHECK(with_environment(own).wanted == "opencl:1");
  ::setenv("BEAMLET_DEVICE", "", 1);
  CHECK(with_environment(own).wanted == "vulkan");
  ::unsetenv("BEAMLET_DEVICE");
  CHECK(with_environment(own).wanted == "vulkan");
  ::setenv("BEAMLET_ALLOW_SOFTWARE", "0", 1);
  CHECK(!with_environment(own).allow_software);
  ::setenv("BEAMLET_ALLOW_SOFTWARE", "1", 1);
  CHECK(with_environment(own).allow_software);
  ::unsetenv("BEAMLET_ALLOW_SOFTWARE");
  CHECK(with_environment({.allow_software = true}).allow_software);
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

namespace {
/// The cpu is expected to take 1.4 times as long as vulkan.
std::vector<device_record> two_alike() {
  auto all = three();
  all[cpu] = record_of("cpu", device_kind::cpu, 200, 10, 700);
  return all;
}
const op_cost alike{.flops = 1e9};

/// So many choices, each of which takes the time that is made up for its device.
std::vector<int> choices(device_choice& from, int count, const std::vector<double>& ns) {
  std::vector<int> made(ns.size());
  for (int i = 0; i < count; ++i) {
    const std::size_t device = chosen(from, alike);
    ++made[device];
    from.learn(1, device, ns[device]);
  }
  return made;
}
}  // namespace

TEST_CASE("a device that may be as fast is tried a few times, after the best was") {
  auto choice = device_choice::make(two_alike(), {});
  CHECK(chosen(*choice, alike) == vulkan);
  CHECK(chosen(*choice, alike) == vulkan);
  choice->learn(1, vulkan, 1.1e6);
  CHECK(choices(*choice, 13, {1.1e6, 0, 1.6e6}) == std::vector<int>{10, 0, 3});
  auto other = device_choice::make(two_alike(), {});
  CHECK(choices(*other, 15, {1.1e6, 0, 0.9e6}) == std::vector<int>{3, 0, 12});
}

TEST_CASE("one that turns out to be far slower is tried once, one that gives no time four times") {
  auto choice = device_choice::make(two_alike(), {});
  CHECK(choices(*choice, 50, {1e6, 0, 9e6}) == std::vector<int>{49, 0, 1});
  auto other = device_choice::make(two_alike(), {});
  other->learn(1, vulkan, 1e6);
  int tried = 0;
  for (int i = 0; i < 14; ++i) tried += chosen(*other, alike) == cpu;
  CHECK(tried == 4);
}

TEST_CASE("one long time among the last few changes nothing") {
  auto choice = device_choice::make(two_alike(), {});
  choices(*choice, 8, {1e6, 0, 1.5e6});
  for (int i = 0; i < 2; ++i) choice->learn(1, vulkan, 50e6);
  CHECK(choices(*choice, 7, {1e6, 0, 1.5e6})[vulkan] == 7);
}

TEST_CASE("work stays where it was while others are as fast, and goes where it is done sooner") {
  auto choice = device_choice::make(two_alike(), {});
  choices(*choice, 6, {1e6, 0, 1.01e6});
  const std::size_t first = chosen(*choice, alike);
  CHECK(first == vulkan);
  for (int i = 0; i < 7; ++i) {
    for (int k = 0; k < 5; ++k) choice->learn(1, cpu, i % 2 == 0 ? 0.97e6 : 1.03e6);
    CHECK(chosen(*choice, alike) == first);
  }
  for (int k = 0; k < 5; ++k) choice->learn(1, cpu, 0.9e6);
  CHECK(chosen(*choice, alike) == cpu);
}

TEST_CASE("a device whose first times were those of cold caches is tried again soon") {
  auto choice = device_choice::make(two_alike(), {});
  CHECK(choices(*choice, 12, {1.6e6, 0, 1e6}) == std::vector<int>{3, 0, 9});
  CHECK(choices(*choice, 12, {0.7e6, 0, 1e6}) == std::vector<int>{9, 0, 3});
}

TEST_CASE("a device that becomes faster is noticed, at little cost") {
  auto choice = device_choice::make(two_alike(), {});
  const std::vector<int> before = choices(*choice, 1000, {1e6, 0, 1.5e6});
  CHECK(before[cpu] >= 3);
  CHECK(before[cpu] <= 3 + 2 * (3 + 1000 / int(device_choice::choices_per_trial)));
  const int after = choices(*choice, 1000, {1e6, 0, 0.5e6})[cpu];
  CHECK(after > 1000 - 2 * int(device_choice::choices_per_trial));
}

TEST_CASE("the way to a device and back counts, unless the work is queued behind its input") {
  auto choice = device_choice::make(three(), {});
  const op_cost small{.bytes = 1e6};
  for (int i = 0; i < 5; ++i) {
    choice->learn(1, vulkan, 80'000);
    choice->learn(1, cpu, 100'000);
  }
  CHECK(chosen(*choice, small) == vulkan);
  choice->learn_round_trip(vulkan, 30'000);
  CHECK(chosen(*choice, small) == cpu);
  CHECK(choice->explain().find("there and back 30 us") != std::string::npos);
  auto to = no_transfers;
  to[vulkan].is_behind_input = true;
  CHECK(chosen(*choice, small, 1, to) == vulkan);
  // It is the same for other work.
  CHECK(chosen(*choice, {.bytes = 1e9}, 2) == vulkan);
  CHECK(chosen(*choice, {.bytes = 4e5}, 3) == cpu);
}

TEST_CASE("who names a device says nothing of the others") {
  auto choice = device_choice::make(two_alike(), {});
  for (int i = 0; i < 300; ++i)
    CHECK(choice->choose(1, alike, no_transfers, all_can, "cpu").value_or(9) == cpu);
  CHECK(chosen(*choice, alike) == vulkan);
}

TEST_CASE("what it usually takes is the median of the last five") {
  recent_times times;
  CHECK(times.usual() == 0);
  for (const double ns : {9, 3}) times.add(ns);
  CHECK(times.usual() == 3);
  for (const double ns : {7, 1, 8}) times.add(ns);
  CHECK(times.usual() == 7);
  for (const double ns : {1, 1}) times.add(ns);
  CHECK(times.usual() == 1);
  CHECK(times.count() == 5);
  times.forget_all_but_usual();
  CHECK(times.count() == 1);
  CHECK(times.usual() == 1);
  times.add(4);
  times.add(5);
  CHECK(times.usual() == 4);
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
