// SPDX-License-Identifier: Apache-2.0
// Chosen against best. Each work is done in turn by every device by name, and by the device that a
// runtime chooses which is told no names: what it learns it learns by its own choices. Software
// devices may be chosen and the processor has one thread, so that each device wins some.
//
// Times are those of a caller: from `remote` until `get` has the result in the program's memory,
// inputs at hand. A turn is a few runs, of which the first is not counted, as it follows work
// elsewhere; it takes their median. What is printed are medians of the rounds' ratios: a machine
// that does other things, too, changes both sides of a ratio. `same` is the best device against
// itself, in two turns of each round: the noise. Devices that are hopeless for a work are left out.
//
// choice [ROUNDS [PART_OF_NAME]]   POCL_MAX_PTHREAD_COUNT=2 gives PoCL two threads.
#include <beamlet/beamlet.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "bench/compute/choice_kernels.hpp"

namespace {
using namespace beamlet;

/// A program's own: a device's profile knows nothing of them but their bytes.
struct own_kernels {
  device_kernel orbit, encode_pq;
};

struct work {
  std::string name;
  compute::op what;
  std::vector<tensor> inputs;
  device_kernel own_kernels::*own = nullptr;  // not null: so many groups of that, and no op
  std::uint32_t groups = 0;
};

tensor of_shape(dtype type, const dimensions& shape) {
  std::size_t bytes = type.bytes();
  for (const std::int64_t n : shape) bytes *= static_cast<std::size_t>(n);
  auto room = buffer_builder::make(bytes).value();
  for (std::size_t i = 0; i < bytes; ++i) room.data()[i] = std::byte{0};
  return tensor::make(std::move(room).freeze(), type, shape).value();
}
tensor f32(const dimensions& shape) { return of_shape(dtypes::f32, shape); }
tensor u8(const dimensions& shape) { return of_shape(dtypes::u8, shape); }

// Both are on the processor as a plain loop.
constexpr std::uint32_t own_group = 64;
struct own_parameters {
  std::uint32_t count;
};
template <class F>
void run_on_cpu(const kernel_part& part, const F& of) {
  const auto* x = part.as<const float>(0);
  auto* y = part.as<float>(1);
  for (std::uint64_t i = part.first * own_group; i < part.last * own_group; ++i) y[i] = of(x[i]);
}

// Much to compute for each number.
constexpr const char* orbit_text = R"(
__kernel void orbit(uint count, __global const float* x, __global float* y) {
  const uint i = get_global_id(0);
  float z = x[i];
  for (int k = 0; k < 256; ++k) z = z * z * 0.5f - 0.75f;
  if (i < count) y[i] = z;
})";
void orbit_on_cpu(const kernel_part& part) {
  run_on_cpu(part, [](float z) {
    for (int k = 0; k < 256; ++k) z = z * z * 0.5f - 0.75f;
    return z;
  });
}
void encode_pq_on_cpu(const kernel_part& part) {
  run_on_cpu(part, [](float x) {
    const float light = std::pow(x, 0.1593017578125f);
    return std::pow((0.8359375f + 18.8515625f * light) / (1 + 18.6875f * light), 78.84375f);
  });
}

own_kernels make_own(runtime& rt) {
  const auto make = [&](kernel_options how) {
    how.inputs = how.outputs = {dtypes::f32};
    how.parameter_bytes = sizeof(own_parameters);
    how.group_size = {own_group, 1};
    return rt.kernel(std::move(how)).value();
  };
  const compute::kernel_code& pq = compute::embedded::bench_encode_pq;
  return {make({.name = "orbit", .opencl = orbit_text, .cpu = orbit_on_cpu}),
          make({.name = "encode_pq",
                .dialect = std::string(pq.opencl),
                .spirv = {pq.spirv.begin(), pq.spirv.end()},
                .cpu = encode_pq_on_cpu})};
}

work product(std::int64_t m, std::int64_t k, std::int64_t n) {
  return {"matmul " + std::to_string(m) + " " + std::to_string(k) + " " + std::to_string(n),
          ops::matmul{},
          {f32({m, k}), f32({k, n})}};
}

std::vector<work> all_work() {
  std::vector<work> all;
  for (const std::int64_t n : {32, 128, 256, 512, 768, 1024, 1536}) all.push_back(product(n, n, n));
  for (const std::int64_t n : {512, 2048}) all.push_back(product(n, 512, 1024));
  all.push_back(product(1, 4096, 1024));
  for (const std::int64_t n : {1 << 10, 1 << 16, 1 << 20, 1 << 22}) {
    all.push_back(
        {"relu " + std::to_string(n), ops::elementwise{{{ops::function::relu}}}, {f32({n})}});
    all.push_back(
        {"gelu " + std::to_string(n), ops::elementwise{{{ops::function::gelu}}}, {f32({n})}});
  }
  for (const std::int64_t n : {64, 2048}) {
    all.push_back({"softmax " + std::to_string(n), ops::softmax{}, {f32({n, 512})}});
    all.push_back(
        {"sum " + std::to_string(n), ops::reduce{ops::reduce::kind::sum, {1}}, {f32({n, 512})}});
  }
  all.push_back({"conv2d 3 x 3",
                 ops::conv2d{.padding = {1, 1, 1, 1}},
                 {f32({1, 64, 56, 56}), f32({64, 64, 3, 3})}});
  all.push_back(
      {"attention", ops::attention{}, {f32({8, 256, 64}), f32({8, 256, 64}), f32({8, 256, 64})}});
  all.push_back({"resize", ops::resize{360, 640}, {u8({1080, 1920, 3})}});
  all.push_back({"nv12 to rgb", ops::convert_color{}, {u8({1620, 1920})}});
  all.push_back({"sobel", ops::sobel{}, {u8({480, 640, 1})}});
  const auto add_own = [&](const char* name, device_kernel own_kernels::*own,
                           std::uint32_t groups) {
    const std::uint32_t count = groups * own_group;
    auto levels = tensor_builder<float>::make({count}).value();
    for (std::uint32_t i = 0; i < count; ++i)
      levels.values()[i] = static_cast<float>(i % 256) / 255;
    all.push_back({std::string(name) + " " + std::to_string(count),
                   {},
                   {std::move(levels).freeze()},
                   own,
                   groups});
  };
  for (const std::uint32_t groups : {1, 4, 8, 16, 32, 64, 256})
    add_own("orbits", &own_kernels::orbit, groups);
  for (const std::uint32_t groups : {64, 1024, 16384})
    add_own("HDR", &own_kernels::encode_pq, groups);
  return all;
}

double median_of(std::vector<double> all) {
  if (all.empty()) return 0;
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return *middle;
}

runtime start(int argc, char** argv) {
  runtime_options options{.argc = argc, .argv = argv, .workers = 1};
  options.allow_software_devices = true;
  options.device_tuning = {};  // a device's ways would change from turn to turn
  return runtime::start(options).value();
}

/// One side of the comparison: a device by name, or the choice.
struct side {
  runtime* rt;
  own_kernels own;
  std::string device;

  /// One run in microseconds; negative: it cannot.
  double run(const work& one, const std::vector<ref<tensor>>& inputs) const {
    const auto begin = std::chrono::steady_clock::now();
    auto task =
        one.own == nullptr
            ? rt->device_task(one.what)
            : rt->device_task((own.*one.own)
                                  .call({{dtypes::f32, one.inputs[0].shape()}}, {one.groups},
                                        own_parameters{one.groups * own_group}));
    auto made = std::move(task).options({.device = device}).remote(inputs);
    if (!rt->get(made).has_value()) return -1;
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
        .count();
  }
  double turn(const work& one) const {
    constexpr int runs_max = 9;
    constexpr double enough_us = 30'000;
    std::vector<ref<tensor>> inputs;
    for (const tensor& t : one.inputs) inputs.push_back(rt->put(t));
    double spent = run(one, inputs);
    std::vector<double> times;
    while (times.empty() || (times.size() < runs_max && spent < enough_us)) {
      times.push_back(run(one, inputs));
      spent += times.back();
    }
    return median_of(times);
  }
  /// Kernels are compiled and figures learned; the least of some runs.
  double warm_up(const work& one) const {
    constexpr int runs = 16;
    constexpr double enough_us = 1e6;
    std::vector<ref<tensor>> inputs;
    for (const tensor& t : one.inputs) inputs.push_back(rt->put(t));
    double least = 1e30, spent = 0;
    for (int i = 0; i < runs && (i < 2 || spent < enough_us); ++i) {
      const double time = run(one, inputs);
      if (time < 0) return time;
      if (i > 0) least = std::min(least, time);
      spent += time;
    }
    return least;
  }
};

struct row {
  std::vector<double> times, ratios;  // by device: the median time; of the chosen's to it; or 0
  double chosen = 0, same = 1;
  std::size_t best = 0;
  std::map<std::string, std::uint64_t> tasks;  // where the choice went
};

std::map<std::string, std::uint64_t> tasks_of(runtime& rt) {
  std::map<std::string, std::uint64_t> made;
  const devices_report report = rt.devices().value();
  for (const device_status& one : report.devices) made[one.info.id()] = one.tasks;
  return made;
}

row compare(const work& one, const std::vector<side>& named, const side& chosen, int rounds) {
  constexpr double hopeless = 5;
  row made;
  std::vector<double> first;
  double least = 1e30;
  for (const side& s : named) {
    first.push_back(s.warm_up(one));
    if (first.back() > 0) least = std::min(least, first.back());
  }
  (void)chosen.warm_up(one);
  std::vector<std::vector<double>> times(named.size()), ratios(named.size());
  std::vector<double> of_chosen, again;
  const auto before = tasks_of(*chosen.rt);
  const std::size_t guess =
      static_cast<std::size_t>(std::find(first.begin(), first.end(), least) - first.begin());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < named.size(); ++i)
      if (first[i] > 0 && first[i] < hopeless * least) times[i].push_back(named[i].turn(one));
    of_chosen.push_back(chosen.turn(one));
    for (std::size_t i = 0; i < named.size(); ++i)
      if (!times[i].empty()) ratios[i].push_back(of_chosen.back() / times[i].back());
    again.push_back(named[guess].turn(one) / times[guess].back());
  }
  for (const auto& [id, tasks] : tasks_of(*chosen.rt))
    if (const auto more = tasks - before.at(id); more != 0) made.tasks[id] = more;
  made.chosen = median_of(of_chosen);
  made.same = median_of(again);
  for (std::size_t i = 0; i < named.size(); ++i) {
    made.times.push_back(median_of(times[i]));
    made.ratios.push_back(median_of(ratios[i]));
    if (made.ratios[i] > made.ratios[made.best]) made.best = i;
  }
  return made;
}

}  // namespace

int main(int argc, char** argv) {
  if (auto code = run_child(argc, argv)) return *code;
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 11;
  const std::string part = argc > 2 ? argv[2] : "";
  auto names = start(argc, argv), chooses = start(argc, argv);
  (void)chooses.devices();
  const own_kernels own = make_own(names), own_of_chosen = make_own(chooses);
  std::vector<side> named;
  std::printf("%-22s", "us");
  const devices_report found = names.devices().value();
  for (const device_status& one : found.devices)
    if (one.reason_against.empty()) named.push_back({&names, own, one.info.id()});
  for (const side& s : named) std::printf(" %10s", s.device.c_str());
  std::printf(" %10s %6s %6s  %-10s %s\n", "chosen", "/ best", "same", "best", "went to");
  int within_5 = 0, within_10 = 0, count = 0;
  std::map<std::string, int> wins;
  for (const work& one : all_work()) {
    if (one.name.find(part) == one.name.npos) continue;
    const row made = compare(one, named, {&chooses, own_of_chosen, ""}, rounds);
    std::printf("%-22s", one.name.c_str());
    for (const double t : made.times) t > 0 ? std::printf(" %10.1f", t) : std::printf(" %10s", "-");
    const std::string& best = named[made.best].device;
    const double ratio = made.ratios[made.best];
    std::printf(" %10.1f %6.2f %6.2f  %-10s", made.chosen, ratio, made.same, best.c_str());
    for (const auto& [id, tasks] : made.tasks)
      std::printf(" %s %llu", id.c_str(), static_cast<unsigned long long>(tasks));
    std::printf("\n");
    std::fflush(stdout);
    ++count, ++wins[best];
    within_5 += ratio <= 1.05;
    within_10 += ratio <= 1.10;
  }
  std::printf("%d works: %d within 1.05 of the best, %d within 1.10;", count, within_5, within_10);
  for (const auto& [id, won] : wins) std::printf(" %s wins %d", id.c_str(), won);
  std::printf("\n\n%s", chooses.devices().value().explanation.c_str());
}
