// SPDX-License-Identifier: Apache-2.0
// ops::matmul on every device of this machine, beside oneDNN (packed weights) with as many threads,
// and CLBlast on the same OpenCL device. Every round runs all contestants once, in turn. Printed
// are median and best of the rounds in GFLOP/s, by the clock on the wall, and the first call, which
// compiles. Results are checked against sums in double.
//
// devices [THREADS [ROUNDS [N...]]]   drivers that compute on the processor get THREADS, too.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>

#include "bench/compute/matmul_run.hpp"
#include "bench/compute/roof.hpp"
#include "compute/cpu/cpu_device.hpp"
#include "compute/cpu/thread_team.hpp"

#ifdef BENCH_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif
#ifdef BENCH_CLBLAST
#include <clblast_c.h>
#endif

namespace {
using namespace bench;
using namespace beamlet::compute;

// Seconds on the wall; of one thread those that this process has had a core, for others may be
// using the machine, too.
bool times_process = false;
double now() {
  timespec t{};
  clock_gettime(times_process ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct contestant {
  std::string name;
  std::function<void()> run;
  std::function<const float*()> result;
  double first = 0;
  std::vector<double> seconds = {};
};

struct problem {
  std::size_t n;
  std::vector<float> a, b;
  explicit problem(std::size_t size) : n(size), a(n * n), b(n * n) {
    std::uint32_t state = 1;
    for (std::vector<float>* v : {&a, &b})
      for (float& x : *v) {
        state = state * 1664525u + 1013904223u;
        x = static_cast<float>(state >> 8) / (1 << 24) - 0.5f;
      }
  }
  double flops() const { return 2.0 * std::pow(static_cast<double>(n), 3); }
  // A hundred elements.
  bool is_right(const float* c) const {
    for (std::size_t t = 0; t < 100; ++t) {
      const std::size_t i = t * 7919 % n, j = t * 104729 % n;
      double sum = 0, size = 0;
      for (std::size_t p = 0; p < n; ++p) {
        const double product =
            static_cast<double>(a[i * n + p]) * static_cast<double>(b[p * n + j]);
        sum += product, size += std::fabs(product);
      }
      const double error = std::fabs(static_cast<double>(c[i * n + j]) - sum);
      if (!(error <= static_cast<double>(n + 2) * 1.2e-7 * size)) return false;
    }
    return true;
  }
};

// A device, and what keeps it.
struct opened {
  std::shared_ptr<thread_team> team;
  std::shared_ptr<device> on;
};

std::vector<opened> open_all(std::uint32_t threads) {
  std::vector<opened> made;
  opened cpu{value_of(thread_team::make(threads)), nullptr};
  backend_options options;
  options.threads = threads;
  options.parallel = [team = cpu.team](std::size_t count,
                                       const std::function<void(std::size_t)>& piece) {
    team->run(count, piece);
  };
  cpu.on = make_cpu_device(best_isa(), options);
  made.push_back(cpu);
  for (const backend& one : backends()) {
    if (std::string(one.name) == "cpu") continue;
    auto found = one.devices({});
    if (!found.has_value()) {
      std::printf("%s: SKIPPED, %s\n", one.name, found.error().describe().c_str());
      continue;
    }
    for (auto& d : *found) made.push_back({nullptr, std::move(d)});
  }
  for (opened& one : made) check(one.on->open());
  return made;
}

void add_op(std::vector<contestant>& all, const problem& p, const std::shared_ptr<device>& on) {
  auto op = std::make_shared<matmul_run>(on, p.n, p.n, p.n, p.a.data(), p.b.data());
  all.push_back({"beamlet " + on->info().id() + " (" + on->info().name + ")", [op] { op->run(); },
                 [op] { return op->product(); }});
}

#ifdef BENCH_ONEDNN
void add_onednn(std::vector<contestant>& all, const problem& p) {
  using namespace dnnl;
  using tag = memory::format_tag;
  const auto n = static_cast<memory::dim>(p.n);
  const auto f32 = memory::data_type::f32;
  const engine cpu(engine::kind::cpu, 0);
  stream s(cpu);
  auto out = std::make_shared<std::vector<float>>(p.n * p.n);
  const memory::desc plain({n, n}, f32, tag::ab), any({n, n}, f32, tag::any);
  const matmul::primitive_desc chosen(matmul::desc(plain, any, plain), cpu);
  memory a(plain, cpu, const_cast<float*>(p.a.data())),
      b(plain, cpu, const_cast<float*>(p.b.data())), c(plain, cpu, out->data()),
      packed(chosen.weights_desc(), cpu);
  reorder(b, packed).execute(s, b, packed);
  s.wait();
  all.push_back(
      {"oneDNN, packed B",
       [=, multiply = dnnl::matmul(chosen)]() mutable {
         multiply.execute(s, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, c}});
         s.wait();
       },
       [out] { return out->data(); }});
}
#endif

#ifdef BENCH_CLBLAST
// On the first device of the first platform that has one. It lives as long as the program.
void add_clblast(std::vector<contestant>& all, const problem& p) {
  static cl_device_id device = nullptr;
  static cl_context context = nullptr;
  static cl_command_queue queue = nullptr;
  cl_platform_id platforms[8];
  cl_uint count = 0;
  if (device == nullptr && clGetPlatformIDs(8, platforms, &count) == CL_SUCCESS)
    for (cl_uint i = 0; i < std::min(count, 8u) && device == nullptr; ++i)
      if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, nullptr) != CL_SUCCESS)
        device = nullptr;
  if (device == nullptr) return void(std::printf("CLBlast: SKIPPED, there is no OpenCL device\n"));
  cl_int status = CL_SUCCESS;
  if (context == nullptr) {
    context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &status);
    queue = clCreateCommandQueue(context, device, 0, &status);
  }
  const std::size_t bytes = p.n * p.n * sizeof(float);
  const auto buffer = [&](const float* from) {
    cl_mem made = clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, nullptr, &status);
    if (from != nullptr)
      clEnqueueWriteBuffer(queue, made, CL_TRUE, 0, bytes, from, 0, nullptr, nullptr);
    return std::shared_ptr<_cl_mem>(made, clReleaseMemObject);
  };
  auto a = buffer(p.a.data()), b = buffer(p.b.data()), c = buffer(nullptr);
  auto out = std::make_shared<std::vector<float>>(p.n * p.n);
  all.push_back({"CLBlast on OpenCL",
                 [=, n = p.n] {
                   cl_event done = nullptr;
                   if (CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo,
                                    n, n, n, 1, a.get(), 0, n, b.get(), 0, n, 0, c.get(), 0, n,
                                    &queue, &done) != CLBlastSuccess)
                     std::exit(2);
                   clWaitForEvents(1, &done);
                   clReleaseEvent(done);
                 },
                 [=] {
                   clEnqueueReadBuffer(queue, c.get(), CL_TRUE, 0, bytes, out->data(), 0, nullptr,
                                       nullptr);
                   return out->data();
                 }});
}
#endif

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

// What takes seconds runs in fewer rounds: it is far from anything that a round decides.
void hold(std::vector<contestant>& all, const problem& p, int rounds) {
  for (contestant& one : all) {
    const double start = now();
    one.run();
    one.first = now() - start;
    one.run();
  }
  for (int round = 0; round < rounds; ++round)
    for (contestant& one : all) {
      if (!one.seconds.empty() && round > 2 && one.seconds[0] > 0.5) continue;
      const int repeats = static_cast<int>(std::max(1.0, 5e8 / p.flops()));
      const double start = now();
      for (int i = 0; i < repeats; ++i) one.run();
      one.seconds.push_back((now() - start) / repeats);
    }
}

bool print(std::vector<contestant>& all, const problem& p, double roof_gflops) {
  bool right = true;
  double onednn = 0, clblast = 0;
  for (const contestant& one : all) {
    if (one.name.starts_with("oneDNN")) onednn = median(one.seconds);
    if (one.name.starts_with("CLBlast")) clblast = median(one.seconds);
  }
  for (contestant& one : all) {
    const double middle = median(one.seconds);
    const double best = *std::min_element(one.seconds.begin(), one.seconds.end());
    std::printf("| %zu | %s | %.1f | %.1f | %.0f %% |", p.n, one.name.c_str(),
                p.flops() / middle / 1e9, p.flops() / best / 1e9,
                100 * p.flops() / best / 1e9 / roof_gflops);
    if (onednn > 0) std::printf(" %.0f %% |", 100 * onednn / middle);
    else std::printf(" |");
    if (clblast > 0) std::printf(" %.1f |", clblast / middle);
    else std::printf(" |");
    std::printf(" %.0f ms |\n", one.first * 1e3);
    const bool is_right = p.is_right(one.result());
    if (!is_right) std::printf("%s: WRONG\n", one.name.c_str());
    right = right && is_right;
  }
  std::fflush(stdout);
  return right;
}

// The drivers and OpenMP read how many threads they get when they are loaded.
void start_again_with(char** argv, const char* threads) {
  if (std::getenv("BENCH_THREADS_SET") != nullptr) return;
  for (const char* name : {"OMP_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT", "LP_NUM_THREADS"})
    setenv(name, threads, 1);
  setenv("BENCH_THREADS_SET", "1", 1);
  execv("/proc/self/exe", argv);
}
}  // namespace

int main(int argc, char** argv) {
  const char* threads_text = argc > 1 ? argv[1] : "1";
  start_again_with(argv, threads_text);
  const auto threads = static_cast<std::uint32_t>(std::max(1, std::atoi(threads_text)));
  times_process = threads == 1;
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 7;
  std::vector<std::size_t> sizes;
  for (int i = 3; i < argc; ++i) sizes.push_back(static_cast<std::size_t>(std::atol(argv[i])));
  if (sizes.empty()) sizes = {512, 1024, 2048};
  const double roof_gflops = bench::roof(now) * threads;
  std::printf(
      "FMA in registers, times the threads: %.1f GFLOP/s. %d rounds in turn, %u threads.\n\n",
      roof_gflops, rounds, threads);
#ifndef BENCH_ONEDNN
  std::printf("oneDNN: SKIPPED, its library was not there (libdnnl-dev)\n");
#endif
#ifndef BENCH_CLBLAST
  std::printf("CLBlast: SKIPPED, its library was not there (libclblast-dev)\n");
#endif
  const std::vector<opened> devices = open_all(threads);
  std::printf(
      "| N x N x N | who | median GFLOP/s | best | best of the roof | median of oneDNN's | times "
      "CLBlast | first call |\n|---|---|---|---|---|---|---|---|\n");
  bool right = true;
  for (const std::size_t n : sizes) {
    const problem p(n);
    std::vector<contestant> all;
    for (const opened& one : devices) add_op(all, p, one.on);
#ifdef BENCH_ONEDNN
    add_onednn(all, p);
#endif
#ifdef BENCH_CLBLAST
    add_clblast(all, p);
#endif
    hold(all, p, rounds);
    right = print(all, p, roof_gflops) && right;
  }
  return right ? 0 : 1;
}
