// SPDX-License-Identifier: Apache-2.0
// Convolutions of f32 on one core, through ops::conv2d on the cpu backend, beside oneDNN in one
// process: every round runs all in turn. oneDNN takes and gives the same images, channels first,
// with weights in the order that it likes best; and once more with all in its own order. Depthwise
// ones are shown beside memcpy of as many bytes, too.
//
// conv [ROUNDS [NAME]]   NAME: only shapes whose name has it in it
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

#ifdef BENCH_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace {
using namespace beamlet;
using namespace beamlet::compute;

// Seconds that this thread has had its core: others may be using the machine too.
double now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}
double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

struct conv_shape {
  std::string name;
  std::int64_t channels, side, made, window, stride = 1, groups = 1;
  std::int64_t padding() const { return window / 2; }
  std::int64_t out() const { return (side + 2 * padding() - window) / stride + 1; }
  double flops() const {
    return 2.0 * static_cast<double>(made * out() * out() * channels / groups * window * window);
  }
};

struct conv_contestant {
  std::string name;
  std::function<void()> run;
  std::function<const float*()> result;  // may be empty: in another order
  std::vector<double> seconds = {};
};

class conv_contest {
 public:
  explicit conv_contest(const conv_shape& s)
      : s_(s),
        x_(numbers(s.channels * s.side * s.side)),
        weights_(numbers(s.made * s.channels / s.groups * s.window * s.window)),
        bias_(numbers(s.made)) {}

  void add_ours(isa set) {
    std::shared_ptr<device> on = make_cpu_device(set, {});
    const ops::conv2d how{.stride = {s_.stride, s_.stride},
                          .padding = {s_.padding(), s_.padding(), s_.padding(), s_.padding()},
                          .groups = s_.groups,
                          .bias = true};
    const auto f32 = [](const dimensions& shape) { return operand::dense(dtypes::f32, shape); };
    const std::vector<operand> in = {f32({1, s_.channels, s_.side, s_.side}),
                                     f32({s_.made, s_.channels / s_.groups, s_.window, s_.window}),
                                     f32({s_.made})};
    auto ours = std::make_shared<bench::op_run>(
        on, how, in, f32({1, s_.made, s_.out(), s_.out()}),
        std::vector<const float*>{x_.data(), weights_.data(), bias_.data()});
    contestants_.push_back({std::string("beamlet ") + name_of(set), [=] { ours->run(); },
                            [=] { return ours->made(); }});
  }

#ifdef BENCH_ONEDNN
  void add_onednn(bool own_order) {
    using namespace dnnl;
    using tag = memory::format_tag;
    const engine cpu(engine::kind::cpu, 0);
    stream s(cpu);
    const auto f32 = memory::data_type::f32;
    const bool is_grouped = s_.groups > 1;
    const memory::dims x_dims{1, s_.channels, s_.side, s_.side},
        y_dims{1, s_.made, s_.out(), s_.out()},
        w_dims = is_grouped ? memory::dims{s_.groups, s_.made / s_.groups, s_.channels / s_.groups,
                                           s_.window, s_.window}
                            : memory::dims{s_.made, s_.channels, s_.window, s_.window};
    const memory::desc x_plain(x_dims, f32, tag::nchw), y_plain(y_dims, f32, tag::nchw),
        w_plain(w_dims, f32, is_grouped ? tag::goihw : tag::oihw), b_desc({s_.made}, f32, tag::x);
    const memory::desc x_desc = own_order ? memory::desc(x_dims, f32, tag::any) : x_plain,
                       y_desc = own_order ? memory::desc(y_dims, f32, tag::any) : y_plain;
    const memory::dims strides{s_.stride, s_.stride}, around{s_.padding(), s_.padding()};
    const convolution_forward::primitive_desc chosen(
        convolution_forward::desc(prop_kind::forward_inference, algorithm::convolution_direct,
                                  x_desc, memory::desc(w_dims, f32, tag::any), b_desc, y_desc,
                                  strides, around, around),
        cpu);
    memory x(x_plain, cpu, x_.data()), w(w_plain, cpu, weights_.data()),
        b(b_desc, cpu, bias_.data());
    memory packed(chosen.weights_desc(), cpu), y(chosen.dst_desc(), cpu),
        in(chosen.src_desc(), cpu);
    reorder(w, packed).execute(s, w, packed);
    reorder(x, in).execute(s, x, in);
    s.wait();
    contestants_.push_back({own_order ? "oneDNN, its own order" : "oneDNN",
                            [=, sum = convolution_forward(chosen)]() mutable {
                              sum.execute(s, {{DNNL_ARG_SRC, in},
                                              {DNNL_ARG_WEIGHTS, packed},
                                              {DNNL_ARG_BIAS, b},
                                              {DNNL_ARG_DST, y}});
                              s.wait();
                            },
                            own_order
                                ? std::function<const float*()>()
                                : [=] { return static_cast<const float*>(y.get_data_handle()); }});
  }
#endif

  void add_memcpy() {
    const auto bytes = static_cast<std::size_t>(
                           (s_.channels * s_.side * s_.side + s_.made * s_.out() * s_.out())) *
                       sizeof(float) / 2;
    auto from = std::make_shared<std::vector<char>>(bytes, 1),
         to = std::make_shared<std::vector<char>>(bytes, 2);
    contestants_.push_back({"memcpy of as many bytes",
                            [=] {
                              std::memcpy(to->data(), from->data(), bytes);
                              asm volatile("" ::"r"(to->data()) : "memory");
                            },
                            {}});
  }

  bool hold(int rounds, double roof_gflops) {
    const int repeats = static_cast<int>(std::max(1.0, 4e8 / s_.flops()));
    for (int round = 0; round <= rounds; ++round)
      for (auto& one : contestants_) {
        const double start = now();
        for (int i = 0; i < repeats; ++i) one.run();
        if (round > 0) one.seconds.push_back((now() - start) / repeats);
      }
    bool right = true;
    const double ours = median(contestants_[0].seconds);
    for (auto& one : contestants_) {
      const double best = *std::min_element(one.seconds.begin(), one.seconds.end());
      const double middle = median(one.seconds);
      std::printf("| %s | %s | %.1f | %.1f | %.1f | %.0f %% | %.2f |\n", s_.name.c_str(),
                  one.name.c_str(), middle * 1e6, s_.flops() / middle / 1e9,
                  s_.flops() / best / 1e9, 100 * s_.flops() / best / 1e9 / roof_gflops,
                  middle / ours);
      if (one.result) right = is_right(one) && right;
    }
    std::fflush(stdout);
    return right;
  }

 private:
  static std::vector<float> numbers(std::int64_t count) {
    std::vector<float> made(static_cast<std::size_t>(count));
    std::uint32_t state = 1;
    for (float& v : made) {
      state = state * 1664525u + 1013904223u;
      v = static_cast<float>(state >> 8) / (1 << 24) - 0.5f;
    }
    return made;
  }
  // A hundred numbers against sums in double.
  bool is_right(conv_contestant& one) const {
    const float* made = one.result();
    const std::int64_t in = s_.channels / s_.groups, out = s_.out();
    for (std::int64_t t = 0; t < 100; ++t) {
      const std::int64_t o = t * 7919 % s_.made, y = t * 104729 % out, x = t * 31 % out;
      double sum = static_cast<double>(bias_[static_cast<std::size_t>(o)]), size = std::fabs(sum);
      for (std::int64_t c = 0; c < in; ++c)
        for (std::int64_t i = 0; i < s_.window; ++i)
          for (std::int64_t j = 0; j < s_.window; ++j) {
            const std::int64_t r = y * s_.stride + i - s_.padding(),
                               k = x * s_.stride + j - s_.padding();
            if (r < 0 || k < 0 || r >= s_.side || k >= s_.side) continue;
            const std::int64_t channel = o / (s_.made / s_.groups) * in + c;
            const double product =
                static_cast<double>(
                    x_[static_cast<std::size_t>((channel * s_.side + r) * s_.side + k)]) *
                static_cast<double>(weights_[static_cast<std::size_t>(
                    ((o * in + c) * s_.window + i) * s_.window + j)]);
            sum += product, size += std::fabs(product);
          }
      const double got = static_cast<double>(made[(o * out + y) * out + x]);
      const double most = static_cast<double>(in * s_.window * s_.window + 2) * 1.2e-7 * size;
      if (!(std::fabs(got - sum) <= most)) {
        std::printf("%s: WRONG at %ld, %ld, %ld: %g, right is %g\n", one.name.c_str(),
                    static_cast<long>(o), static_cast<long>(y), static_cast<long>(x), got, sum);
        return false;
      }
    }
    return true;
  }

  conv_shape s_;
  std::vector<float> x_, weights_, bias_;
  std::vector<conv_contestant> contestants_;
};

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 12;
  const std::string wanted = argc > 2 ? argv[2] : "";
  const std::vector<conv_shape> shapes = {
      {"3x3, 64 of 56x56", 64, 56, 64, 3},
      {"3x3, 128 of 28x28", 128, 28, 128, 3},
      {"3x3, 256 of 14x14", 256, 14, 256, 3},
      {"3x3, 512 of 7x7", 512, 7, 512, 3},
      {"3x3 by 2, 64 of 56x56 to 128", 64, 56, 128, 3, 2},
      {"7x7 by 2, 3 of 224x224 to 64", 3, 224, 64, 7, 2},
      {"1x1, 64 of 56x56 to 256", 64, 56, 256, 1},
      {"1x1, 512 of 14x14 to 128", 512, 14, 128, 1},
      {"depthwise 3x3, 32 of 112x112", 32, 112, 32, 3, 1, 32},
      {"depthwise 3x3, 256 of 28x28", 256, 28, 256, 3, 1, 256},
      {"depthwise 3x3 by 2, 64 of 112x112", 64, 112, 64, 3, 2, 64}};
  const double roof_gflops = bench::roof(now);
  std::printf("FMA in registers: %.1f GFLOP/s. %d rounds in turn, one thread.\n\n", roof_gflops,
              rounds);
#ifndef BENCH_ONEDNN
  std::printf("oneDNN: SKIPPED, its library was not there (libdnnl-dev)\n");
#endif
  std::printf(
      "| convolution | who | median us | median GFLOP/s | best | best of the roof | beamlet's rate "
      "of theirs |\n|---|---|---|---|---|---|---|\n");
  bool right = true;
  for (const conv_shape& s : shapes) {
    if (s.name.find(wanted) == std::string::npos) continue;
    conv_contest all(s);
    all.add_ours(best_isa());
    if (const char* other = std::getenv("BENCH_ISA"))  // one more of ours, by name
      for (const isa set : isas)
        if (supports(set) && name_of(set) == std::string(other)) all.add_ours(set);
#ifdef BENCH_ONEDNN
    all.add_onednn(false);
    all.add_onednn(true);
#endif
    if (s.groups > 1) all.add_memcpy();
    right = all.hold(rounds, roof_gflops) && right;
  }
  return right ? 0 : 1;
}
