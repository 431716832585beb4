// SPDX-License-Identifier: Apache-2.0
// Chosen against best: each piece of work runs on every device by name, then where `rt.device_task`
// chooses, all through the runtime, inputs at hand and results in the program's memory. Software
// devices may be chosen and the processor has one thread, so that each device wins some.
//
// choice [ROUNDS]   POCL_MAX_PTHREAD_COUNT=2 gives PoCL two threads.
#include <beamlet/beamlet.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {
using namespace beamlet;

struct work {
  std::string name;
  compute::op what;
  std::vector<tensor> inputs;
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

std::vector<work> all_work() {
  std::vector<work> all;
  for (const std::int64_t n : {32, 128, 512, 1024, 1536})
    all.push_back({"matmul " + std::to_string(n), ops::matmul{}, {f32({n, n}), f32({n, n})}});
  all.push_back({"matmul 1 x 4096", ops::matmul{}, {f32({1, 4096}), f32({4096, 1024})}});
  for (const std::int64_t n : {1 << 10, 1 << 16, 1 << 20, 1 << 23}) {
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
  return all;
}

/// The least of the rounds, from `remote` until the result is there; negative: it cannot.
double run(runtime& rt, const work& one, const std::string& device, int rounds) {
  std::vector<ref<tensor>> inputs;
  for (const tensor& t : one.inputs) inputs.push_back(rt.put(t));
  double least = 1e30;
  for (int i = -4; i < rounds; ++i) {  // the first are to compile kernels, and to learn
    const auto begin = std::chrono::steady_clock::now();
    auto made = rt.device_task(one.what).options({.device = device}).remote(inputs);
    if (!rt.get(made).has_value()) return -1;
    const double us =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    if (i >= 0) least = std::min(least, us);
  }
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  if (auto code = run_child(argc, argv)) return *code;
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 10;
  runtime_options options{.argc = argc, .argv = argv, .workers = 1};
  options.allow_software_devices = true;
  auto rt = runtime::start(options).value();
  auto known = rt.devices().value();
  std::printf("%s\n%-18s", known.explanation.c_str(), "us");
  std::vector<std::string> ids;
  for (const device_status& one : known.devices)
    if (one.reason_against.empty()) ids.push_back(one.info.id());
  for (const std::string& id : ids) std::printf(" %12s", id.c_str());
  std::printf(" %12s %8s\n", "chosen", "of best");
  int within = 0, count = 0;
  std::vector<int> wins(ids.size());
  for (const work& one : all_work()) {
    std::vector<double> times;
    for (const std::string& id : ids) times.push_back(run(rt, one, id, rounds));
    const double chosen = run(rt, one, "", rounds);
    double best = 1e30;
    for (const double t : times)
      if (t > 0) best = std::min(best, t);
    std::printf("%-18s", one.name.c_str());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::printf(" %12.1f", times[i]);
      wins[i] += times[i] == best;
    }
    std::printf(" %12.1f %8.2f\n", chosen, chosen / best);
    ++count;
    within += chosen <= 1.10 * best;
  }
  std::printf("%d of %d within 1.10 of the best;", within, count);
  for (std::size_t i = 0; i < ids.size(); ++i) std::printf(" %s wins %d", ids[i].c_str(), wins[i]);
  std::printf("\n");
}
