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
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace {
using namespace beamlet;

struct work {
  std::string name;
  compute::op what;
  std::vector<tensor> inputs;
  std::uint32_t orbits = 0;  // not 0: so many groups of the kernel below, and no op
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

// A program's own kernel with much to compute for each number, on the processor as a plain loop. A
// device's profile knows nothing of it but its bytes.
constexpr std::uint32_t orbit_group = 64;
constexpr const char* orbit_text = R"(
__kernel void orbit(__global const float* x, __global float* y) {
  const uint i = get_global_id(0);
  float z = x[i];
  for (int k = 0; k < 256; ++k) z = z * z * 0.5f - 0.75f;
  y[i] = z;
})";
void orbit_on_cpu(const kernel_part& part) {
  const auto* x = part.as<const float>(0);
  auto* y = part.as<float>(1);
  for (std::uint64_t i = part.first * orbit_group; i < part.last * orbit_group; ++i) {
    float z = x[i];
    for (int k = 0; k < 256; ++k) z = z * z * 0.5f - 0.75f;
    y[i] = z;
  }
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
  for (const std::uint32_t groups : {1, 4, 8, 16, 32, 64, 256})
    all.push_back({"orbits " + std::to_string(groups * orbit_group),
                   {},
                   {f32({groups * orbit_group})},
                   groups});
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

device_kernel orbit_of(runtime& rt) {
  return rt
      .kernel({.name = "orbit",
               .opencl = orbit_text,
               .cpu = orbit_on_cpu,
               .inputs = {dtypes::f32},
               .outputs = {dtypes::f32},
               .group_size = {orbit_group, 1}})
      .value();
}

/// One side of the comparison: a device by name, or the choice.
struct side {
  runtime* rt;
  device_kernel orbit;
  std::string device;

  /// One run in microseconds; negative: it cannot.
  double run(const work& one, const std::vector<ref<tensor>>& inputs) const {
    const auto begin = std::chrono::steady_clock::now();
    auto task =
        one.orbits == 0
            ? rt->device_task(one.what)
            : rt->device_task(orbit.call({{dtypes::f32, one.inputs[0].shape()}}, {one.orbits}));
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
  const device_kernel orbit = orbit_of(names), orbit_of_chosen = orbit_of(chooses);
  std::vector<side> named;
  std::printf("%-22s", "us");
  const devices_report found = names.devices().value();
  for (const device_status& one : found.devices)
    if (one.reason_against.empty()) named.push_back({&names, orbit, one.info.id()});
  for (const side& s : named) std::printf(" %10s", s.device.c_str());
  std::printf(" %10s %6s %6s  %-10s %s\n", "chosen", "/ best", "same", "best", "went to");
  int within_5 = 0, within_10 = 0, count = 0;
  std::map<std::string, int> wins;
  for (const work& one : all_work()) {
    if (one.name.find(part) == one.name.npos) continue;
    const row made = compare(one, named, {&chooses, orbit_of_chosen, ""}, rounds);
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
