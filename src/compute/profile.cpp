// SPDX-License-Identifier: Apache-2.0
#include "compute/profile.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <vector>

#include "compute/op_functions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

double now_in_ns() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::nano>(since).count();
}

// Numbers that no function makes infinite or subnormal: those would take longer.
result<std::unique_ptr<device_buffer>> numbers_on(device& on, std::uint64_t bytes) {
  BEAMLET_TRY(auto made, on.allocate(bytes, memory_place::host));
  BEAMLET_TRY(std::byte * at, made->map(memory_access::write, profile_part_ns_max));
  for (std::uint64_t i = 0; i < bytes / sizeof(float); ++i) {
    const float value = 0.25f + static_cast<float>(i % 61) / 64.0f;
    std::memcpy(at + i * sizeof value, &value, sizeof value);
  }
  BEAMLET_TRY_VOID(made->unmap());
  return made;
}

// The best of a few runs, as others use the machine too: after one that compiles, as many as fit
// into a few milliseconds.
result<double> time_of(executor& on, const op& what, std::vector<operand> operands,
                       std::size_t inputs) {
  constexpr int runs_min = 3, runs_max = 20;
  constexpr double enough_ns = 8e6;
  std::vector<std::unique_ptr<device_buffer>> held;
  std::vector<device_buffer*> memory;
  for (const operand& o : operands) {
    BEAMLET_TRY(auto made, numbers_on(on.on(), o.bytes().end));
    memory.push_back(made.get());
    held.push_back(std::move(made));
  }
  const auto all = std::span(operands);
  BEAMLET_TRY(plan how, plan_for(what, on.on().info(), all.first(inputs), all.subspan(inputs)));
  double best = INFINITY, spent = 0;
  for (int run = -1; run < runs_min || (run < runs_max && spent < enough_ns); ++run) {
    const double begin = now_in_ns();
    BEAMLET_TRY_VOID(on.record(how, memory));
    BEAMLET_TRY(std::uint64_t ticket, on.submit());
    BEAMLET_TRY_VOID(on.wait(ticket, profile_part_ns_max));
    const double took = now_in_ns() - begin;
    if (run < 0) continue;
    best = std::min(best, took);
    spent += took;
  }
  return best;
}

operand vector_of(std::int64_t elements) { return operand::dense(dtypes::f32, {elements}); }

result<double> time_of_function(executor& on, ops::function what, std::int64_t elements) {
  const operand one = vector_of(elements);
  return time_of(on, ops::elementwise{{{what}}}, {one, one}, 1);
}

result<void> measure_products(executor& on, device_profile& to) {
  constexpr std::int64_t sizes[device_profile::points] = {32, 128, 512};
  for (std::size_t i = 0; i < device_profile::points; ++i) {
    const operand square = operand::dense(dtypes::f32, {sizes[i], sizes[i]});
    auto ns = time_of(on, ops::matmul{}, {square, square, square}, 2);
    // A device without a kernel for it is never asked how long one takes.
    if (!ns.has_value() && ns.error().code() == errc::unsupported) return {};
    BEAMLET_TRY(double least, std::move(ns));
    const auto n = static_cast<double>(sizes[i]);
    to.flops[i] = {2 * n * n * n, least};
  }
  return {};
}

// Whether a kernel works in the program's own memory, as import() says: it must read there what the
// program wrote after the import, and the program must see what the kernel wrote.
result<bool> works_in_program_memory(executor& on) {
  const std::uint64_t alignment = on.on().info().limits.import_alignment;
  if (alignment == 0) return false;
  constexpr std::size_t elements = 1024;
  const std::size_t bytes = std::max<std::size_t>(elements * sizeof(float), alignment);
  std::vector<std::byte> memory(2 * bytes + alignment);
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  std::byte* const first = memory.data() + (alignment - address % alignment) % alignment;
  std::byte* const second = first + bytes;
  auto in = on.on().import({first, bytes}, memory_access::read);
  auto out = on.on().import({second, bytes}, memory_access::read_write);
  if (!in.has_value() || !out.has_value()) return false;
  const float sentinel = 42.5f, expected = -42.5f;
  for (std::size_t i = 0; i < elements; ++i) std::memcpy(first + 4 * i, &sentinel, 4);
  const operand one = vector_of(elements);
  const operand all[] = {one, one};
  BEAMLET_TRY(plan how, plan_for(ops::elementwise{{{ops::function::negate}}}, on.on().info(),
                                 std::span(all).first(1), std::span(all).subspan(1)));
  device_buffer* const buffers[] = {in->get(), out->get()};
  BEAMLET_TRY_VOID(on.record(how, buffers));
  BEAMLET_TRY(std::uint64_t ticket, on.submit());
  BEAMLET_TRY_VOID(on.wait(ticket, profile_part_ns_max));
  for (std::size_t i = 0; i < elements; ++i) {
    float got;
    std::memcpy(&got, second + 4 * i, 4);
    if (got != expected) return false;
  }
  return true;
}

result<void> measure_transfers(executor& on, device_profile& to) {
  constexpr std::uint64_t bytes = 8 << 20;
  BEAMLET_TRY(bool in_place, works_in_program_memory(on));
  if (in_place) return {};
  std::vector<std::byte> own(bytes, std::byte{1});
  BEAMLET_TRY(auto staging, on.on().allocate(bytes, memory_place::host));
  BEAMLET_TRY(auto there, on.on().allocate(bytes, memory_place::device));
  const binding outside{staging.get(), 0, bytes}, inside{there.get(), 0, bytes};
  for (int run = 0; run < 4; ++run) {
    const double begin = now_in_ns();
    BEAMLET_TRY(std::byte * in, staging->map(memory_access::write, profile_part_ns_max));
    std::memcpy(in, own.data(), bytes);
    BEAMLET_TRY_VOID(staging->unmap());
    BEAMLET_TRY_VOID(on.work().copy(outside, inside));
    BEAMLET_TRY(std::uint64_t up, on.submit());
    BEAMLET_TRY_VOID(on.wait(up, profile_part_ns_max));
    const double middle = now_in_ns();
    BEAMLET_TRY_VOID(on.work().copy(inside, outside));
    BEAMLET_TRY(std::uint64_t down, on.submit());
    BEAMLET_TRY_VOID(on.wait(down, profile_part_ns_max));
    BEAMLET_TRY(std::byte * back, staging->map(memory_access::read, profile_part_ns_max));
    std::memcpy(own.data(), back, bytes);
    BEAMLET_TRY_VOID(staging->unmap());
    const double end = now_in_ns();
    const double upload = (middle - begin) / bytes, download = (end - middle) / bytes;
    to.upload_ns_per_byte = run == 0 ? upload : std::min(to.upload_ns_per_byte, upload);
    to.download_ns_per_byte = run == 0 ? download : std::min(to.download_ns_per_byte, download);
  }
  return {};
}

// Between two points the time grows as a power of the work, below the first not at all, above the
// last as the work.
double time_on_curve(const std::array<work_time, device_profile::points>& curve, double work) {
  if (work <= 0 || curve[0].ns <= 0) return 0;
  if (work <= curve.front().work) return curve.front().ns;
  for (std::size_t i = 1; i < curve.size(); ++i) {
    if (work > curve[i].work) continue;
    const double part =
        std::log(work / curve[i - 1].work) / std::log(curve[i].work / curve[i - 1].work);
    return curve[i - 1].ns * std::pow(curve[i].ns / curve[i - 1].ns, part);
  }
  return curve.back().ns * work / curve.back().work;
}

}  // namespace

result<device_profile> measure_profile(executor& on) {
  device_profile made;
  BEAMLET_TRY(made.launch_ns, time_of_function(on, ops::function::relu, 1));
  constexpr std::int64_t sizes[device_profile::points] = {1 << 12, 1 << 17, 1 << 22};
  for (std::size_t i = 0; i < device_profile::points; ++i) {
    const double bytes = 2 * sizeof(float) * static_cast<double>(sizes[i]);
    BEAMLET_TRY(double ns, time_of_function(on, ops::function::relu, sizes[i]));
    made.bytes[i] = {bytes, ns};
    const std::int64_t some = sizes[i] / 4;
    BEAMLET_TRY(ns, time_of_function(on, ops::function::exp, some));
    made.functions[i] = {static_cast<double>(some), ns};
  }
  BEAMLET_TRY_VOID(measure_products(on, made));
  BEAMLET_TRY_VOID(measure_transfers(on, made));
  return made;
}

double estimate_ns(const device_profile& of, const op_cost& cost, std::uint64_t in_bytes,
                   std::uint64_t out_bytes) noexcept {
  const double work =
      std::max({time_on_curve(of.bytes, cost.bytes), time_on_curve(of.flops, cost.flops),
                time_on_curve(of.functions, cost.functions), of.launch_ns});
  return work + of.upload_ns_per_byte * static_cast<double>(in_bytes) +
         of.download_ns_per_byte * static_cast<double>(out_bytes);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
