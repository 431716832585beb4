// SPDX-License-Identifier: Apache-2.0
#include "compute/self_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compute/cpu/cpu_device.hpp"
#include "compute/cpu/half.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

struct self_test_case {
  op what;
  std::vector<tensor_type> inputs;
};

// Odd sizes, several groups, every way to read memory; no size that takes long anywhere.
std::vector<self_test_case> self_test_cases() {
  using f = ops::function;
  std::vector<self_test_case> made;
  made.push_back(
      {ops::elementwise{{{f::add, 1}, {f::exp}}}, {{dtypes::f32, {3, 341}}, {dtypes::f32, {341}}}});
  made.push_back({ops::elementwise{{{f::multiply, 1}, {f::maximum, 2}}},
                  {{dtypes::f32, {7, 5, 33}}, {dtypes::f32, {7, 1, 33}}, {dtypes::f32, {5, 1}}}});
  made.push_back({ops::elementwise{{{f::tanh}, {f::affine, 0, 0.5f, 2}}}, {{dtypes::f16, {1029}}}});
  made.push_back({ops::cast{.to = dtypes::f16, .scale = 3, .offset = 1}, {{dtypes::f32, {515}}}});
  made.push_back({ops::cast{.to = dtypes::f32, .scale = 0.5f}, {{dtypes::u8, {3, 171}}}});
  made.push_back({ops::pad{.before = {1, 2}, .after = {0, 3}}, {{dtypes::f32, {17, 9}}}});
  made.push_back({ops::concat{.dimension = 1}, {{dtypes::f32, {33, 5}}, {dtypes::f32, {33, 7}}}});
  made.push_back(
      {ops::reduce{.what = ops::reduce::kind::sum, .over = {1}}, {{dtypes::f32, {9, 517}}}});
  made.push_back(
      {ops::reduce{.what = ops::reduce::kind::maximum, .over = {0}}, {{dtypes::f32, {517, 9}}}});
  made.push_back({ops::argmax{}, {{dtypes::f32, {5, 301}}}});
  made.push_back({ops::softmax{}, {{dtypes::f32, {7, 129}}}});
  made.push_back({ops::layer_norm{}, {{dtypes::f32, {5, 257}}, {dtypes::f32, {257}}}});
  made.push_back({ops::matmul{}, {{dtypes::f32, {2, 67, 45}}, {dtypes::f32, {45, 33}}}});
  made.push_back({ops::matmul{}, {{dtypes::f32, {1, 301}}, {dtypes::f32, {301, 129}}}});
  made.push_back({ops::resize{13, 37}, {{dtypes::u8, {21, 29, 3}}}});
  made.push_back({ops::convert_color{}, {{dtypes::u8, {27, 22}}}});
  made.push_back({ops::crop_normalize{7, 31, {128}, {64}},
                  {{dtypes::u8, {17, 23, 3}}, {dtypes::f32, {2, 4}}}});
  const tensor_type image{dtypes::u8, {37, 29, 3}};
  made.push_back({ops::filter2d{3, 3, {0, -1, 0, -1, 5, -1, 0, -1, 0}}, {image}});
  made.push_back({ops::separable_filter{{0.25f, 0.5f, 0.25f}, {0.5f, 0, -0.5f}},
                  {{dtypes::f32, {2, 19, 23, 1}}}});
  made.push_back({ops::sobel{}, {image}});
  made.push_back({ops::histogram{}, {image}});
  made.push_back({ops::nms{.outputs_max = 40}, {{dtypes::f32, {77, 4}}, {dtypes::f32, {77}}}});
  made.push_back(
      {ops::attention{.causal = true},
       {{dtypes::f32, {4, 9, 24}}, {dtypes::f32, {2, 150, 24}}, {dtypes::f32, {2, 150, 24}}}});
  made.push_back({ops::fft{}, {{dtypes::f32, {9, 128, 2}}}});
  made.push_back(
      {ops::conv2d{.stride = {2, 1}, .padding = {1, 1, 1, 1}, .bias = true},
       {{dtypes::f32, {2, 5, 13, 17}}, {dtypes::f32, {35, 5, 3, 3}}, {dtypes::f32, {35}}}});
  made.push_back({ops::pool2d{.size = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 0, 0}},
                  {{dtypes::f32, {2, 3, 11, 19}}}});
  return made;
}

constexpr int self_test_repeats = 20;
constexpr double self_test_half_tolerance = 2e-3;

std::vector<std::byte> input_bytes(const tensor_type& type, std::uint32_t seed) {
  std::vector<std::byte> made(operand::dense(type).bytes().end);
  std::uint32_t state = seed * 2654435761u + 1u;
  const auto next = [&state] {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) / (1 << 23) - 1.0f;
  };
  for (std::size_t at = 0; at < made.size(); at += type.type.bytes()) {
    const float value = next();
    const std::uint16_t half = half_of_float(value);
    if (type.type == dtypes::f32) std::memcpy(made.data() + at, &value, sizeof value);
    else if (type.type == dtypes::f16) std::memcpy(made.data() + at, &half, sizeof half);
    else made[at] = static_cast<std::byte>(state >> 24);
  }
  return made;
}

double number_at(const std::vector<std::byte>& bytes, dtype type, std::size_t element) {
  if (type == dtypes::f32) {
    float value;
    std::memcpy(&value, bytes.data() + 4 * element, sizeof value);
    return value;
  }
  if (type == dtypes::f16) {
    std::uint16_t half;
    std::memcpy(&half, bytes.data() + 2 * element, sizeof half);
    return float_of_half(half);
  }
  if (type == dtypes::i32) {
    std::int32_t value;
    std::memcpy(&value, bytes.data() + 4 * element, sizeof value);
    return value;
  }
  return static_cast<double>(bytes[element]);
}

using tensors_bytes = std::vector<std::vector<std::byte>>;

// The operands of a case in a device's memory, the results behind the inputs.
struct case_memory {
  std::vector<operand> in, out;
  std::vector<std::unique_ptr<device_buffer>> held;
  std::vector<device_buffer*> all;
};

result<void> take_memory(executor& on, const tensor_type& type, std::vector<operand>& what,
                         case_memory& to) {
  what.push_back(operand::dense(type));
  BEAMLET_TRY(auto made, on.on().allocate(what.back().bytes().end, memory_place::host));
  to.all.push_back(made.get());
  to.held.push_back(std::move(made));
  return {};
}

result<void> write_memory(device_buffer& to, const auto& fill) {
  BEAMLET_TRY(std::byte * at, to.map(memory_access::write, self_test_run_ns_max));
  fill(at);
  return to.unmap();
}

result<tensors_bytes> run_once(executor& on, const plan& how, case_memory& memory) {
  const std::span results = std::span(memory.all).subspan(memory.in.size());
  // What is not written must not look right: as a float this is no number.
  for (device_buffer* one : results)
    BEAMLET_TRY_VOID(
        write_memory(*one, [&](std::byte* at) { std::fill_n(at, one->bytes(), std::byte{0xff}); }));
  auto recorded = on.record(how, memory.all);  // as far as it came, it runs
  auto ticket = on.submit();
  auto waited = ticket.has_value() ? on.wait(*ticket, self_test_run_ns_max) : ticket.error();
  if (!waited.has_value()) {
    for (auto& one : memory.held) (void)one.release();  // the device may still use it
    return waited.error();
  }
  if (!recorded.has_value()) return recorded.error();
  tensors_bytes made;
  for (device_buffer* one : results) {
    BEAMLET_TRY(std::byte * at, one->map(memory_access::read, self_test_run_ns_max));
    made.emplace_back(at, at + one->bytes());
    BEAMLET_TRY_VOID(one->unmap());
  }
  return made;
}

// Runs it so often and returns the results of each.
result<std::vector<tensors_bytes>> run_case(executor& on, const self_test_case& one,
                                            const tensors_bytes& inputs,
                                            const tensor_types& outputs, int repeats,
                                            const std::function<result<void>()>& may_go_on) {
  case_memory memory;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    BEAMLET_TRY_VOID(take_memory(on, one.inputs[i], memory.in, memory));
    BEAMLET_TRY_VOID(write_memory(*memory.all[i], [&](std::byte* at) {
      std::memcpy(at, inputs[i].data(), inputs[i].size());
    }));
  }
  for (const tensor_type& type : outputs)
    BEAMLET_TRY_VOID(take_memory(on, type, memory.out, memory));
  BEAMLET_TRY(const plan how, plan_for(one.what, on.on().info(), memory.in, memory.out));
  std::vector<tensors_bytes> made;
  for (int run = 0; run < repeats; ++run) {
    if (may_go_on) BEAMLET_TRY_VOID(may_go_on());
    BEAMLET_TRY(tensors_bytes results, run_once(on, how, memory));
    made.push_back(std::move(results));
  }
  return made;
}

result<void> compare_results(const self_test_case& one, const tensor_types& outputs,
                             const tensors_bytes& known, const tensors_bytes& got) {
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const dtype type = outputs[o].type;
    const double tolerance =
        8 * tolerance_of(one.what) + (type == dtypes::f16 ? self_test_half_tolerance : 0);
    const std::size_t elements = known[o].size() / type.bytes();
    for (std::size_t i = 0; i < elements; ++i) {
      const double expected = number_at(known[o], type, i), is = number_at(got[o], type, i);
      if (std::abs(is - expected) <= tolerance * std::max(1.0, std::abs(expected))) continue;
      return compute_error(errc::malformed, std::string("self-test: ") + name_of(one.what) +
                                                " gave " + std::to_string(is) + " for element " +
                                                std::to_string(i) + ", right is " +
                                                std::to_string(expected));
    }
  }
  return {};
}

}  // namespace

result<void> self_test(executor& on, const std::function<result<void>()>& may_go_on) {
  const auto plain = make_cpu_device(isa::scalar, {});
  BEAMLET_TRY_VOID(plain->open());
  BEAMLET_TRY(auto reference, executor::make(*plain));
  std::uint32_t seed = 1;
  bool has_run = false;
  for (const self_test_case& one : self_test_cases()) {
    BEAMLET_TRY(tensor_types outputs, outputs_of(one.what, one.inputs));
    tensors_bytes inputs;
    for (const tensor_type& t : one.inputs) inputs.push_back(input_bytes(t, seed++));
    auto got = run_case(on, one, inputs, outputs, self_test_repeats, may_go_on);
    // What a device cannot run it does not have to run right.
    if (!got.has_value() && got.error().code() == errc::unsupported) continue;
    if (!got.has_value()) return std::move(got).error();
    BEAMLET_TRY(auto known, run_case(*reference, one, inputs, outputs, 1, {}));
    for (const tensors_bytes& run : *got)
      BEAMLET_TRY_VOID(compare_results(one, outputs, known.front(), run));
    has_run = true;
  }
  if (has_run) return {};
  return compute_error(errc::unsupported, "self-test: the device runs none of the kernels");
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
