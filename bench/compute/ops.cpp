// SPDX-License-Identifier: Apache-2.0
// Ops that do little more than move memory, on one thread of the cpu backend, beside memcpy of as
// many bytes: every round runs both in turn. Printed are the bytes read and written per second,
// best and median of the rounds, and our median as a part of memcpy's. Where an op computes more
// than it moves, its GFLOP/s stand behind: 5 n log2 n for n numbers of a transform.
//
// ops [ROUNDS [NAME]]   NAME: only ops whose name has it in it
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "compute/cpu/cpu_device.hpp"
#include "compute/executor.hpp"
#include "compute/op_functions.hpp"

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

struct measured_op {
  std::string name;
  op what;
  std::vector<operand> inputs;
  double flops = 0;
};

class measurement {
 public:
  measurement(device& on, int rounds) : device_(on), rounds_(rounds) {}

  bool run(const measured_op& one) {
    std::vector<tensor_type> types;
    for (const operand& in : one.inputs) types.push_back(in.what());
    auto made = outputs_of(one.what, types);
    if (!made.has_value()) return failed(one, made.error());
    const std::vector<operand> outputs = {operand::dense(made->front())};
    auto planned = plan_for(one.what, device_.info(), one.inputs, outputs);
    auto runs = executor::make(device_);
    if (!planned.has_value()) return failed(one, planned.error());
    if (!runs.has_value()) return failed(one, runs.error());
    std::vector<std::unique_ptr<device_buffer>> held;
    std::vector<device_buffer*> memory;
    std::uint64_t bytes = 0;
    for (const operand& o : one.inputs) hold(o, held, bytes);
    hold(outputs.front(), held, bytes);
    for (auto& h : held) memory.push_back(h.get());
    std::vector<char> from(static_cast<std::size_t>(bytes / 2), 1), to(from.size(), 2);

    const double work = std::max(static_cast<double>(bytes), one.flops / 16);
    const int repeats = std::max(1, static_cast<int>((32u << 20) / work));
    std::vector<double> ours, copies;
    for (int round = 0; round <= rounds_; ++round) {
      const double start = now();
      for (int i = 0; i < repeats; ++i) {
        auto recorded = (*runs)->record(*planned, memory);
        if (!recorded.has_value()) return failed(one, recorded.error());
        auto done = (*runs)->submit();
        if (!done.has_value() || !(*runs)->wait(*done, 1'000'000'000).has_value()) return false;
      }
      const double between = now();
      for (int i = 0; i < repeats; ++i) {
        std::memcpy(to.data(), from.data(), from.size());
        asm volatile("" ::"r"(to.data()) : "memory");
      }
      const double end = now();
      if (round == 0) continue;  // the first touch of memory is nobody's figure
      ours.push_back((between - start) / repeats);
      copies.push_back((end - between) / repeats);
    }
    const double giga = static_cast<double>(bytes) / 1e9;
    const double ratio = median(copies) / median(ours);
    std::printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.0f %% |", one.name.c_str(), giga * 1e3,
                giga / *std::min_element(ours.begin(), ours.end()), giga / median(ours),
                giga / *std::min_element(copies.begin(), copies.end()), giga / median(copies),
                100 * ratio);
    if (one.flops > 0) std::printf(" %.1f |", one.flops / 1e9 / median(ours));
    std::printf("\n");
    std::fflush(stdout);
    return true;
  }

 private:
  void hold(const operand& what, std::vector<std::unique_ptr<device_buffer>>& held,
            std::uint64_t& bytes) {
    const std::uint64_t size = what.elements() * what.type.bytes();
    bytes += size;
    held.push_back(std::move(*device_.allocate(size, memory_place::device)));
    auto at = held.back()->map(memory_access::write, 1'000'000'000);
    std::memset(*at, 0, static_cast<std::size_t>(size));
    // Numbers from 0 to 1, or small integers; halves are small numbers of any kind.
    if (what.type == dtypes::f32)
      for (std::uint64_t i = 0; i < what.elements(); ++i)
        reinterpret_cast<float*>(*at)[i] =
            static_cast<float>(i * 2654435761u >> 8 & 0xffff) / 65536;
  }
  static bool failed(const measured_op& one, const error& why) {
    std::printf("%s: %s\n", one.name.c_str(), why.describe().c_str());
    return false;
  }

  device& device_;
  int rounds_;
};

// From a camera's 1080 rows.
std::vector<measured_op> image_ops() {
  using method = ops::resize::method;
  using color = ops::convert_color::format;
  const auto bytes = [](const dimensions& shape) { return operand::dense(dtypes::u8, shape); };
  const operand rgb = bytes({1080, 1920, 3});
  return {{"resize nearest, 1080 to 360 rows", ops::resize{360, 640, method::nearest}, {rgb}},
          {"resize bilinear, 1080 to 360 rows", ops::resize{360, 640}, {rgb}},
          {"resize bilinear, 1080 to 720 rows", ops::resize{720, 1280}, {rgb}},
          {"resize bilinear, 540 to 1080 rows", ops::resize{1080, 1920}, {bytes({540, 960, 3})}},
          {"resize bilinear f32, 1080 to 360 rows",
           ops::resize{360, 640},
           {operand::dense(dtypes::f32, {1080, 1920, 3})}},
          {"resize area, 1080 to 360 rows", ops::resize{360, 640, method::area}, {rgb}},
          {"resize area, 1080 to 720 rows", ops::resize{720, 1280, method::area}, {rgb}},
          {"nv12 to rgb, 1080 rows", ops::convert_color{}, {bytes({1620, 1920})}},
          {"yuyv to rgb, 1080 rows",
           ops::convert_color{color::yuyv, color::rgb},
           {bytes({1080, 1920, 2})}},
          {"bgr to rgb, 1080 rows", ops::convert_color{color::bgr, color::rgb}, {rgb}},
          {"rgb to gray, 1080 rows", ops::convert_color{color::rgb, color::gray}, {rgb}},
          {"gray to rgb, 1080 rows",
           ops::convert_color{color::gray, color::rgb},
           {bytes({1080, 1920, 1})}},
          {"crop_normalize, 1080 to 640 rows", ops::crop_normalize{640, 640}, {rgb}}};
}

// Of `count` elements, or about as many.
std::vector<measured_op> ops_of(std::int64_t count) {
  using f = ops::function;
  const auto f32 = [](const dimensions& shape) { return operand::dense(dtypes::f32, shape); };
  const std::int64_t side = count > 100000 ? 4096 : 64, wide = count > 100000 ? 1024 : 64;
  const operand row = f32({count}), square = f32({count / side, side});
  operand turned = f32({side, count / side});
  turned.strides = {1, side};
  const auto one = [&](const char* name, f what) {
    return measured_op{name, ops::elementwise{{{what, 1, 0.5f, 0.25f}}}, {row}};
  };
  const std::string size = count > 100000 ? ", large" : ", in cache";
  std::vector<measured_op> all = {
      {"add", ops::elementwise{{{f::add}}}, {row, row}},
      {"multiply", ops::elementwise{{{f::multiply}}}, {row, row}},
      one("relu", f::relu),
      one("affine", f::affine),
      one("floor", f::floor),
      one("sqrt", f::sqrt),
      one("exp", f::exp),
      one("log", f::log),
      one("tanh", f::tanh),
      one("gelu", f::gelu),
      one("silu", f::silu),
      one("sin", f::sin),
      {"cast f32 to f16", ops::cast{dtypes::f16}, {row}},
      {"cast f16 to f32", ops::cast{}, {operand::dense(dtypes::f16, {count})}},
      {"cast u8 to f32, scaled",
       ops::cast{dtypes::f32, 1.0f / 255},
       {operand::dense(dtypes::u8, {count})}},
      {"cast f32 to u8", ops::cast{dtypes::u8, 255}, {row}},
      {"copy", ops::copy{}, {row}},
      {"copy, transposed", ops::copy{}, {turned}},
      {"reduce, sum of the last", ops::reduce{ops::reduce::kind::sum, {1}}, {square}},
      {"reduce, sum of the first", ops::reduce{ops::reduce::kind::sum, {0}}, {square}},
      {"reduce, maximum of the last", ops::reduce{ops::reduce::kind::maximum, {1}}, {square}},
      {"argmax of the last", ops::argmax{}, {square}},
      {"softmax of the last", ops::softmax{}, {f32({count / wide, wide})}},
      {"softmax of the first", ops::softmax{0}, {f32({wide, count / wide})}},
      {"layer_norm", ops::layer_norm{}, {f32({count / wide, wide}), f32({wide}), f32({wide})}},
      {"rms_norm", ops::rms_norm{}, {f32({count / wide, wide}), f32({wide})}}};
  const std::int64_t rows = count > 100000 ? 1080 : 64, columns = count > 100000 ? 1920 : 64;
  const operand grey = operand::dense(dtypes::u8, {rows, columns, 1});
  const operand colour = operand::dense(dtypes::u8, {rows, columns, 3});
  const operand grey_f32 = f32({rows, columns, 1});
  const std::vector<float> smooth = {0.0625f, 0.125f,  0.0625f, 0.125f, 0.25f,
                                     0.125f,  0.0625f, 0.125f,  0.0625f};
  const std::vector<float> nine(9, 1.0f / 9), eleven(11, 1.0f / 11), many(25, 0.04f);
  const std::vector<measured_op> images = {
      {"filter2d 3 x 3 of u8, sums in 16 bits", ops::filter2d{3, 3, smooth}, {grey}},
      {"filter2d 3 x 3 of u8", ops::filter2d{3, 3, nine}, {grey}},
      {"filter2d 3 x 3 of u8, colour", ops::filter2d{3, 3, nine}, {colour}},
      {"filter2d 5 x 5 of u8", ops::filter2d{5, 5, many}, {grey}},
      {"filter2d 3 x 3 of f32", ops::filter2d{3, 3, nine}, {grey_f32}},
      {"separable_filter 11 and 11 of f32", ops::separable_filter{eleven, eleven}, {grey_f32}},
      {"sobel dx of u8", ops::sobel{ops::sobel::kind::dx}, {grey}},
      {"sobel magnitude of u8", ops::sobel{}, {grey}},
      {"histogram of u8", ops::histogram{}, {grey}},
      {"histogram of u8, colour", ops::histogram{}, {colour}}};
  all.insert(all.end(), images.begin(), images.end());
  for (measured_op& o : all) o.name += size;
  return all;
}

std::vector<measured_op> ops_that_compute() {
  using kind = ops::fft::kind;
  const auto of = [](const dimensions& shape, dtype type = dtypes::f32) {
    return operand::dense(type, shape);
  };
  const auto flops = [](double heads, double tq, double tk, double d) {
    return 4 * heads * tq * tk * d;
  };
  const operand q = of({1, 8, 512, 64}), one = of({1, 8, 1, 64}), keys = of({1, 8, 4096, 64});
  const operand halves = of({1, 8, 512, 64}, dtypes::f16);
  const double rows = 64;
  std::vector<measured_op> all = {
      {"attention of 8 x 512 x 64", ops::attention{}, {q, q, q}, flops(8, 512, 512, 64)},
      {"attention of 8 x 512 x 64, causal",
       ops::attention{true},
       {q, q, q},
       flops(8, 512, 256.5, 64)},
      {"attention of 8 x 512 x 64, f16",
       ops::attention{},
       {halves, halves, halves},
       flops(8, 512, 512, 64)},
      {"attention of one query, 8 x 4096 x 64",
       ops::attention{},
       {one, keys, keys},
       flops(8, 1, 4096, 64)}};
  for (const std::int64_t n : {64, 512, 1024, 4096}) {
    const double all_flops = rows * static_cast<double>(n) * std::log2(static_cast<double>(n));
    all.push_back(
        {"fft of 64 x " + std::to_string(n), ops::fft{}, {of({64, n, 2})}, 5 * all_flops});
    all.push_back({"fft of 64 x " + std::to_string(n) + " real",
                   ops::fft{kind::real_forward},
                   {of({64, n})},
                   2.5 * all_flops});
  }
  all.push_back({"fft of 1024", ops::fft{}, {of({1024, 2})}, 5 * 10240.0});
  return all;
}
}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 12;
  const std::string wanted = argc > 2 ? argv[2] : "";
  auto device = make_cpu_device(best_isa(), {});
  if (!device->open().has_value()) return 1;
  std::printf("%s, %s; %d rounds in turn, one thread; GB/s read and written.\n\n",
              device->info().name.c_str(), device->info().driver.c_str(), rounds);
  std::printf(
      "| op | MB | best | median | memcpy, best | median | ours of memcpy's | GFLOP/s |\n"
      "|---|---|---|---|---|---|---|---|\n");
  measurement all(*device, rounds);
  bool right = true;
  for (const std::int64_t count : {std::int64_t{1} << 24, std::int64_t{1} << 12})
    for (const measured_op& one : ops_of(count))
      if (one.name.find(wanted) != std::string::npos) right = all.run(one) && right;
  for (const auto& list : {image_ops(), ops_that_compute()})
    for (const measured_op& one : list)
      if (one.name.find(wanted) != std::string::npos) right = all.run(one) && right;
  return right ? 0 : 1;
}
