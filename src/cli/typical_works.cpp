// SPDX-License-Identifier: Apache-2.0
#include "cli/typical_works.hpp"

#include <cstdint>
#include <utility>

#include "compute/op_functions.hpp"
#include "compute/profile.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {

namespace {

struct typical_work {
  const char* name;
  compute::op what;
  std::vector<compute::tensor_type> inputs;
};

std::vector<typical_work> typical_works() {
  constexpr dtype f32 = dtypes::f32, u8 = dtypes::u8;
  const ops::elementwise sum{{{ops::function::add}}}, sine{{{ops::function::sin}}};
  return {
      {"sum of 4096 f32", sum, {{f32, {4096}}, {f32, {4096}}}},
      {"sum of 4 M f32", sum, {{f32, {1 << 22}}, {f32, {1 << 22}}}},
      {"sine of 1 M f32", sine, {{f32, {1 << 20}}}},
      {"softmax 1024 x 1024", ops::softmax{}, {{f32, {1024, 1024}}}},
      {"matmul 64", ops::matmul{}, {{f32, {64, 64}}, {f32, {64, 64}}}},
      {"matmul 256", ops::matmul{}, {{f32, {256, 256}}, {f32, {256, 256}}}},
      {"matmul 1024", ops::matmul{}, {{f32, {1024, 1024}}, {f32, {1024, 1024}}}},
      {"conv2d 3x3, 64 of 56x56",
       ops::conv2d{.padding = {1, 1, 1, 1}},
       {{f32, {1, 64, 56, 56}}, {f32, {64, 64, 3, 3}}}},
      {"attention 8 x 512 x 64",
       ops::attention{},
       {{f32, {8, 512, 64}}, {f32, {8, 512, 64}}, {f32, {8, 512, 64}}}},
      {"resize 1080p to 360p", ops::resize{360, 640}, {{u8, {1080, 1920, 3}}}},
      {"crop_normalize 1080p", ops::crop_normalize{224, 224}, {{u8, {1080, 1920, 3}}}},
      {"sobel 1080p", ops::sobel{}, {{u8, {1080, 1920, 1}}}},
  };
}

std::uint64_t bytes_of(const std::vector<compute::operand>& all) {
  std::uint64_t bytes = 0;
  for (const compute::operand& one : all) bytes += one.elements() * one.type.bytes();
  return bytes;
}

expected_work expect(const typical_work& work, const compute::device_choice& choice) {
  const auto devices = choice.devices();
  expected_work made{work.name, std::vector<double>(devices.size(), expected_work::never)};
  const auto results = outputs_of(work.what, work.inputs);
  if (!results.has_value()) return made;
  std::vector<compute::operand> in, out;
  for (const compute::tensor_type& one : work.inputs) in.push_back(compute::operand::dense(one));
  for (const compute::tensor_type& one : *results) out.push_back(compute::operand::dense(one));
  const compute::op_cost cost = cost_of(work.what, in, out);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (!plan_for(work.what, devices[i].info, in, out).has_value()) continue;
    if (devices[i].profile.launch_ns <= 0) continue;  // it was not measured: it is not trusted
    made.ns[i] = estimate_ns(devices[i].profile, cost, bytes_of(in), bytes_of(out));
    if (choice.may_choose(i, "") &&
        (made.chosen == expected_work::nobody || made.ns[i] < made.ns[made.chosen]))
      made.chosen = i;
  }
  return made;
}

}  // namespace

std::vector<expected_work> expect_typical_works(const compute::device_choice& choice) {
  std::vector<expected_work> made;
  for (const typical_work& one : typical_works()) made.push_back(expect(one, choice));
  return made;
}

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet
