// SPDX-License-Identifier: Apache-2.0
// Single precision matrix products on one core, beside oneDNN and OpenBLAS in one process: every
// round runs all contestants once, in turn, each as often as a round needs to be long enough to
// measure. Printed are median and best of the rounds in GFLOP/s, and how far the results differ.
//
// gemm [ROUNDS [M N K]]   `run` pins it to one core and tells OpenBLAS which core that is.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/compute/matmul_run.hpp"
#include "bench/compute/roof.hpp"
#include "compute/cpu/cpu_device.hpp"
#include "compute/cpu/gemm.hpp"

#ifdef BENCH_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif
#ifdef BENCH_OPENBLAS
#include <cblas.h>
extern "C" char* openblas_get_corename();
#endif

namespace {
using namespace beamlet::compute;

// Seconds that this thread has had its core: others may be using the machine too.
double now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct aligned_memory {
  explicit aligned_memory(std::size_t size)
      : data(static_cast<std::byte*>(std::aligned_alloc(4096, (size + 4096) / 4096 * 4096))) {}
  aligned_memory(const aligned_memory&) = delete;
  ~aligned_memory() { std::free(data); }
  float* floats() { return reinterpret_cast<float*>(data); }
  std::byte* data;
};

struct contestant {
  std::string name;
  std::function<void()> run;
  std::function<void()> fetch;  // the result to where it is checked; may be empty
  aligned_memory* result;
  std::vector<double> seconds = {};
};

struct problem {
  gemm_shape shape;
  aligned_memory a, b;
  explicit problem(gemm_shape s)
      : shape(s), a(s.m * s.k * sizeof(float)), b(s.k * s.n * sizeof(float)) {
    std::uint32_t state = 1;
    auto next = [&state] {
      state = state * 1664525u + 1013904223u;
      return static_cast<float>(state >> 8) / (1 << 24) - 0.5f;
    };
    for (std::size_t i = 0; i < s.m * s.k; ++i) a.floats()[i] = next();
    for (std::size_t i = 0; i < s.k * s.n; ++i) b.floats()[i] = next();
  }
  matrix_in a_view() { return {a.floats(), static_cast<std::ptrdiff_t>(shape.k), 1}; }
  matrix_in b_view() { return {b.floats(), static_cast<std::ptrdiff_t>(shape.n), 1}; }
};

// All contestants of one shape; each writes into a C of its own.
class contest {
 public:
  explicit contest(problem& p) : p_(p), first_(bytes_of_c()), other_(bytes_of_c()) {}

  void add_ours(isa set) {
    const auto [m, n, k] = p_.shape;
    const std::string name = std::string("beamlet ") + name_of(set);
    auto packed_memory = std::make_shared<aligned_memory>(packed_b_bytes(set, k, n));
    const packed_b packed = pack_b(set, k, n, p_.b_view(), packed_memory->data);
    auto scratch = std::make_shared<aligned_memory>(
        std::max(gemm_scratch_bytes(set, p_.shape), gemm_packed_scratch_bytes(packed, m)));
    matrix_out c{first_.floats(), static_cast<std::ptrdiff_t>(n)};
    add(name + ", packed B", [=, this, keep = packed_memory] {
      gemm_packed(p_.shape.m, p_.a_view(), packed, c, gemm_output::replace, scratch->data);
    });
    add(name, [=, this] {
      gemm(set, p_.shape, p_.a_view(), p_.b_view(), c, gemm_output::replace, scratch->data);
    });
  }

  // The same through the op: plan, executor, and the cpu backend on this thread.
  void add_op(isa set) {
    std::shared_ptr<device> on = make_cpu_device(set, {});
    const auto [m, n, k] = p_.shape;
    auto op = std::make_shared<bench::matmul_run>(on, m, n, k, p_.a.floats(), p_.b.floats());
    add(
        std::string("beamlet op ") + name_of(set), [=] { op->run(); },
        [=, this] { std::memcpy(first_.data, op->product(), bytes_of_c()); });
  }

#ifdef BENCH_ONEDNN
  void add_onednn() {
    using namespace dnnl;
    using tag = memory::format_tag;
    const auto m = static_cast<memory::dim>(p_.shape.m), n = static_cast<memory::dim>(p_.shape.n),
               k = static_cast<memory::dim>(p_.shape.k);
    const auto f32 = memory::data_type::f32;
    const engine cpu(engine::kind::cpu, 0);
    stream s(cpu);
    const memory::desc a_desc({m, k}, f32, tag::ab), b_desc({k, n}, f32, tag::ab),
        b_any({k, n}, f32, tag::any), c_desc({m, n}, f32, tag::ab);
    const matmul::primitive_desc chosen(matmul::desc(a_desc, b_any, c_desc), cpu);
    memory a(a_desc, cpu, p_.a.data), b(b_desc, cpu, p_.b.data), c(c_desc, cpu, other_.data),
        packed(chosen.weights_desc(), cpu);
    reorder(b, packed).execute(s, b, packed);
    s.wait();
    add("oneDNN, packed B", [=, multiply = matmul(chosen)]() mutable {
      multiply.execute(s, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, c}});
      s.wait();
    });
    add("oneDNN sgemm", [=, this] {
      dnnl_sgemm('N', 'N', m, n, k, 1, p_.a.floats(), k, p_.b.floats(), n, 0, other_.floats(), n);
    });
  }
#endif
#ifdef BENCH_OPENBLAS
  void add_openblas() {
    const int m = static_cast<int>(p_.shape.m), n = static_cast<int>(p_.shape.n),
              k = static_cast<int>(p_.shape.k);
    add(std::string("OpenBLAS ") + openblas_get_corename(), [=, this] {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, p_.a.floats(), k,
                  p_.b.floats(), n, 0, other_.floats(), n);
    });
  }
#endif

  // Rounds in turn, each contestant in each; then the table of the shape. False if results differ.
  bool hold(int rounds, double roof_gflops) {
    bool alike = true;
    const auto [m, n, k] = p_.shape;
    const double flops =
        2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    const int repeats = static_cast<int>(std::max(1.0, 2e8 / flops));
    for (auto& one : contestants_) one.run();  // the first call is nobody's figure
    for (int round = 0; round < rounds; ++round)
      for (auto& one : contestants_) {
        one.run();
        const double start = now();
        for (int i = 0; i < repeats; ++i) one.run();
        one.seconds.push_back((now() - start) / repeats);
      }
    double reference = 0;
    for (auto& one : contestants_)
      if (one.name == "oneDNN, packed B") reference = median(one.seconds);
    for (auto& one : contestants_) {
      const double best = *std::min_element(one.seconds.begin(), one.seconds.end());
      const double middle = median(one.seconds);
      std::printf("| %zu x %zu x %zu | %s | %.1f | %.1f | %.0f %% |", m, n, k, one.name.c_str(),
                  flops / middle / 1e9, flops / best / 1e9, 100 * flops / best / 1e9 / roof_gflops);
      if (reference > 0) std::printf(" %.0f %% |\n", 100 * reference / middle);
      else std::printf(" |\n");
      one.run();
      if (one.fetch) one.fetch();
      alike = is_right(one) && alike;
    }
    return alike;
  }

 private:
  std::size_t bytes_of_c() const { return p_.shape.m * p_.shape.n * sizeof(float); }
  void add(std::string name, std::function<void()> run, std::function<void()> fetch = {}) {
    aligned_memory* result = name.starts_with("beamlet") ? &first_ : &other_;
    contestants_.push_back({std::move(name), std::move(run), std::move(fetch), result});
  }
  static double median(std::vector<double> v) {
    std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
    return v[v.size() / 2];
  }
  // A hundred elements against sums in double.
  bool is_right(contestant& one) {
    const auto [m, n, k] = p_.shape;
    for (std::size_t t = 0; t < 100; ++t) {
      const std::size_t i = t * 7919 % m, j = t * 104729 % n;
      double sum = 0, size = 0;
      for (std::size_t p = 0; p < k; ++p) {
        const double product = static_cast<double>(p_.a.floats()[i * k + p]) *
                               static_cast<double>(p_.b.floats()[p * n + j]);
        sum += product, size += std::fabs(product);
      }
      const double error = std::fabs(static_cast<double>(one.result->floats()[i * n + j]) - sum);
      if (!(error <= static_cast<double>(k + 2) * 1.2e-7 * size)) {
        std::printf("%s: WRONG at %zu, %zu: by %g\n", one.name.c_str(), i, j, error);
        return false;
      }
    }
    return true;
  }

  problem& p_;
  aligned_memory first_, other_;
  std::vector<contestant> contestants_;
};

bool run_shape(gemm_shape shape, int rounds, double roof_gflops) {
  problem p(shape);
  contest all(p);
  all.add_ours(best_isa());
  all.add_op(best_isa());
  if (const char* other = std::getenv("BENCH_ISA"))  // one more of ours, by name
    for (const isa set : isas)
      if (supports(set) && name_of(set) == std::string(other)) all.add_ours(set);
#ifdef BENCH_ONEDNN
  all.add_onednn();
#endif
#ifdef BENCH_OPENBLAS
  all.add_openblas();
#endif
  const bool right = all.hold(rounds, roof_gflops);
  std::fflush(stdout);
  return right;
}
}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 12;
  std::vector<gemm_shape> shapes = {{64, 64, 64},       {256, 256, 256},    {512, 512, 512},
                                    {1024, 1024, 1024}, {2048, 2048, 2048}, {499, 501, 503},
                                    {4096, 64, 256},    {64, 4096, 256},    {16, 1024, 1024},
                                    {1, 2048, 2048},    {2048, 1, 2048}};
  if (argc > 4) {
    auto number = [argv](int i) { return static_cast<std::size_t>(std::atol(argv[i])); };
    shapes = {{number(2), number(3), number(4)}};
  }
  const double roof_gflops = bench::roof(now);
  std::printf("FMA in registers: %.1f GFLOP/s. %d rounds in turn, one thread.\n\n", roof_gflops,
              rounds);
#ifndef BENCH_ONEDNN
  std::printf("oneDNN: SKIPPED, its library was not there (libdnnl-dev)\n");
#endif
#ifndef BENCH_OPENBLAS
  std::printf("OpenBLAS: SKIPPED, its library was not there (libopenblas-dev)\n");
#endif
  std::printf(
      "| m x n x k | who | median GFLOP/s | best | best of the roof | median of oneDNN's |\n"
      "|---|---|---|---|---|---|\n");
  bool right = true;
  for (const gemm_shape& shape : shapes) right = run_shape(shape, rounds, roof_gflops) && right;
  return right ? 0 : 1;
}
