// SPDX-License-Identifier: Apache-2.0
// What is too large for the caches is written past them: as the scalar kernels write it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compute/cpu/cpu_device.hpp"
#include "compute/executor.hpp"
#include "compute/op_functions.hpp"

namespace {
using namespace beamlet;
using namespace beamlet::compute;

constexpr base::time_ns timeout_ns = 300'000'000'000;

// What `what` makes of numbers from -4 to 4.
std::vector<float> large_result(isa set, const op& what, const std::vector<operand>& inputs) {
  auto device = make_cpu_device(set, {});
  REQUIRE(device->open().has_value());
  auto runs = executor::make(*device);
  REQUIRE(runs.has_value());
  std::vector<tensor_type> types;
  for (const operand& one : inputs) types.push_back(one.what());
  auto made = outputs_of(what, types);
  REQUIRE(made.has_value());
  std::vector<operand> all = inputs;
  const std::vector<operand> outputs = {operand::dense(made->front())};
  all.push_back(outputs.front());
  std::vector<std::unique_ptr<device_buffer>> held;
  std::vector<device_buffer*> memory;
  for (const operand& one : all) {
    auto buffer = device->allocate(one.elements() * sizeof(float), memory_place::device);
    REQUIRE(buffer.has_value());
    held.push_back(std::move(*buffer));
    memory.push_back(held.back().get());
    auto* at = reinterpret_cast<float*>(*memory.back()->map(memory_access::write, timeout_ns));
    for (std::uint64_t i = 0; i < one.elements(); ++i)
      at[i] = static_cast<float>(i * 2654435761u >> 8 & 0xffff) / 8192 - 4;
  }
  auto planned = plan_for(what, device->info(), inputs, outputs);
  REQUIRE(planned.has_value());
  REQUIRE((*runs)->record(*planned, memory).has_value());
  auto ticket = (*runs)->submit();
  REQUIRE(ticket.has_value());
  REQUIRE((*runs)->wait(*ticket, timeout_ns).has_value());
  const auto* out = reinterpret_cast<float*>(*memory.back()->map(memory_access::read, timeout_ns));
  return {out, out + outputs.front().elements()};
}

}  // namespace

TEST_CASE("large tensors come out as the scalar kernels make them") {
  const operand square = operand::dense(dtypes::f32, {2048, 2064});
  const operand row = operand::dense(dtypes::f32, {2064});
  operand turned = operand::dense(dtypes::f32, {2064, 2048});
  turned.strides = {1, 2064};
  struct large_case {
    std::string name;
    op what;
    std::vector<operand> inputs;
  };
  const std::vector<large_case> cases = {
      {"copy, transposed", ops::copy{}, {turned}},
      {"softmax of the first", ops::softmax{0}, {square}},
      {"softmax of the last, long", ops::softmax{1}, {square}},
      {"softmax of the last", ops::softmax{1}, {operand::dense(dtypes::f32, {4500, 976})}},
      {"layer_norm", ops::layer_norm{}, {square, row, row}}};
  for (const large_case& one : cases) {
    CAPTURE(one.name);
    const std::vector<float> expected = large_result(isa::scalar, one.what, one.inputs);
    for (const isa set : isas) {
      if (!supports(set) || set == isa::scalar) continue;
      CAPTURE(name_of(set));
      const std::vector<float> got = large_result(set, one.what, one.inputs);
      REQUIRE(got.size() == expected.size());
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        wrong += !(std::abs(got[i] - expected[i]) <= 4e-6f * std::max(1.0f, std::abs(expected[i])));
      CHECK(wrong == 0);
    }
  }
}
