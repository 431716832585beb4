// SPDX-License-Identifier: Apache-2.0
// Kernels of the user's own, on the processor; conformance_compute runs them on drivers.
#include "switched_device.hpp"

namespace device_kernels_tests {
using namespace device_tests;

struct scale_parameters {
  float by;
  std::uint32_t count;
};

// Eight numbers a group.
void scale_on_cpu(const kernel_part& part) {
  scale_parameters p;
  std::memcpy(&p, part.parameters, sizeof p);
  const auto* x = part.as<const float>(0);
  auto* y = part.as<float>(1);
  for (std::uint64_t i = part.first * 8; i < std::min<std::uint64_t>(part.last * 8, p.count); ++i)
    y[i] = p.by * x[i];
}

kernel_options scale_options() {
  return {.name = "scale",
          .cpu = scale_on_cpu,
          .inputs = {dtypes::f32},
          .outputs = {dtypes::f32},
          .parameter_bytes = sizeof(scale_parameters)};
}

std::string message_of(const auto& failed) {
  REQUIRE(!failed.has_value());
  CHECK(failed.error().code() == errc::invalid_argument);
  return failed.error().describe();
}

TEST_CASE("a function of the user's is a kernel of the processor") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  auto scale = rt.kernel(scale_options());
  REQUIRE(scale.has_value());
  const tensor x = filled({1000}, 0);
  auto y = rt.device_task(scale->call({{dtypes::f32, {1000}}}, {125}, scale_parameters{3, 1000}))
               .remote(x);
  CHECK(values_of(rt.get(y))[999] == 2997);
  // Part of a tensor, too: the kernel sees its first element first.
  auto z = rt.device_task(scale->call({{dtypes::f32, {10}}}, {2}, scale_parameters{2, 10}))
               .remote(*x.slice(0, 7, 10));
  CHECK(values_of(rt.get(z))[0] == 14);
}

TEST_CASE("what a kernel is made of is checked") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  const auto refused = [&](auto&& change) {
    kernel_options o = scale_options();
    change(o);
    return message_of(rt.kernel(std::move(o)));
  };
  CHECK(refused([](auto& o) { o.name = "not a name"; }).find("not a name") != std::string::npos);
  CHECK(refused([](auto& o) { o.cpu = nullptr; }).find("none of") != std::string::npos);
  CHECK(refused([](auto& o) { o.outputs.clear(); }).find("outputs") != std::string::npos);
  CHECK(refused([](auto& o) { o.inputs.resize(9); }).find("10") != std::string::npos);
  CHECK(refused([](auto& o) { o.parameter_bytes = 7; }).find("parameter_bytes") !=
        std::string::npos);
  CHECK(refused([](auto& o) { o.group_size = {0, 1}; }).find("group_size") != std::string::npos);
}

TEST_CASE("what a kernel is called with is checked") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  auto scale = rt.kernel(scale_options()).value();
  const scale_parameters p{2, 8};
  const std::vector<compute::tensor_type> out{{dtypes::f32, {8}}};
  const auto refused = [&](kernel_call call, auto&&... inputs) {
    return message_of(rt.get(rt.device_task(std::move(call)).remote(inputs...)));
  };
  const tensor x = filled({8}, 0);
  CHECK(refused(scale.call(out, {1}, p)).find("takes 1 inputs") != std::string::npos);
  CHECK(refused(scale.call(out, {1}), x).find("parameters") != std::string::npos);
  CHECK(refused(scale.call({}, {1}, p), x).find("outputs") != std::string::npos);
  CHECK(refused(scale.call({{dtypes::f16, {8}}}, {1}, p), x).find("f16") != std::string::npos);
  CHECK(refused(scale.call({{dtypes::f32, {-1}}}, {1}, p), x).find("shape") != std::string::npos);
  const tensor strided = *x.slice(0, 0, 4, 2);
  CHECK(refused(scale.call(out, {1}, p), strided).find("side by side") != std::string::npos);
  CHECK(refused(kernel_call{}, x).find("empty kernel") != std::string::npos);
}

TEST_CASE("a kernel that was not written for any device says so") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  kernel_options o = scale_options();
  o.cpu = nullptr;
  o.opencl = "__kernel void scale() {}";
  auto scale = rt.kernel(o).value();
  auto got = rt.get(rt.device_task(scale.call({{dtypes::f32, {8}}}, {1}, scale_parameters{2, 8}))
                        .remote(filled({8}, 0)));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::unsupported);
  CHECK(got.error().describe().find("not written") != std::string::npos);
}

}  // namespace device_kernels_tests
