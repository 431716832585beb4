// SPDX-License-Identifier: Apache-2.0
// A camera's frame becomes what a network takes, on the device that is done with it first; then a
// kernel of our own.
#include <beamlet/beamlet.hpp>

#include <iostream>

namespace ops = beamlet::ops;
using beamlet::dtypes::f32;

// Inputs, then outputs; some of the groups, each of 64 numbers.
void ramp_on_cpu(const beamlet::kernel_part& part) {
  const float* x = part.as<float>(0);
  float* y = part.as<float>(1);
  for (std::uint64_t i = part.first * 64; i < part.last * 64; ++i)
    y[i] = x[i] + static_cast<float>(i);
}

constexpr const char* ramp_in_opencl = R"(
__kernel void ramp(__global const float* x, __global float* y) {
  y[get_global_id(0)] = x[get_global_id(0)] + get_global_id(0);
}
)";

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  auto rt = beamlet::runtime::start({.argc = argc, .argv = argv}).value();

  auto camera = beamlet::tensor_builder<std::uint8_t>::make({480 * 3 / 2, 640}).value();
  for (std::uint8_t& byte : camera.values()) byte = 128;
  beamlet::tensor frame = std::move(camera).freeze();  // NV12, grey

  // [chain]
  auto rgb = rt.device_task(ops::convert_color{}).remote(frame);
  auto input = rt.device_task(ops::crop_normalize{224, 224, {127.5f}, {127.5f}}).remote(rgb);
  auto mean = rt.device_task(ops::reduce{ops::reduce::kind::mean}).remote(input);
  std::cout << "the input's mean is " << rt.get(mean).value().view<float>().value()[0] << '\n';
  // [/chain]

  // [kernel]
  auto ramp = rt.kernel({.name = "ramp",
                         .opencl = ramp_in_opencl,
                         .cpu = ramp_on_cpu,
                         .inputs = {f32},
                         .outputs = {f32}});
  auto flat = beamlet::tensor::copy_of<float>(std::vector<float>(256, 0.5f), {256}).value();
  auto slope = rt.device_task(ramp->call({{f32, {256}}}, {256 / 64})).remote(flat);
  std::cout << "the last is " << rt.get(slope).value().view<float>().value()[255] << '\n';
  // [/kernel]

  // [where]
  auto known = rt.devices().value();
  for (const beamlet::device_work_status& one : known.work)
    std::cerr << one.name << " ran on " << one.device << '\n';
  std::cerr << known.explanation;
  // [/where]
}
