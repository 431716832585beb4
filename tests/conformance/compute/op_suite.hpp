// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every op on every device against a reference in double precision. One header per op in ops/ has
// the op's reference and its cases; kernels/ops.def has how far results may be off.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "compute/executor.hpp"
#include "compute/op_functions.hpp"
#include "compute/shapes.hpp"
#include "tests/conformance/compute/devices.hpp"
#include "tests/conformance/compute/host_tensor.hpp"

namespace conformance {

struct op_case {
  std::string name;
  op what;
  std::vector<host_tensor> inputs;
  /// Of the tolerance in ops.def, for numbers that are summed up in another order or are halves.
  double tolerance_factor = 1;
  std::uint32_t way = 0;
};

inline constexpr base::time_ns op_timeout_ns = 300'000'000'000;

inline void compare(const host_tensor& got, const host_tensor& expected, double tolerance) {
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < expected.elements(); ++i) {
    const double g = got.at(i), e = expected.at(i);
    const bool same = g == e || (std::isnan(g) && std::isnan(e));
    if (same || std::abs(g - e) <= tolerance * std::max(1.0, std::abs(e))) continue;
    if (++wrong <= 3) {
      INFO("element " << i << " of " << expected.elements());
      CHECK(g == doctest::Approx(e).epsilon(tolerance));
    }
  }
  CHECK(wrong == 0);
}

/// Memory of the device with these bytes, and `more` bytes behind them.
inline std::unique_ptr<device_buffer> upload(device& on, const std::vector<std::byte>& bytes,
                                             std::size_t more = 0) {
  auto made = on.allocate(std::max<std::size_t>(bytes.size() + more, 1), memory_place::host);
  REQUIRE(made.has_value());
  auto at = (*made)->map(memory_access::write, op_timeout_ns);
  REQUIRE(at.has_value());
  std::memset(*at, 0xa5, bytes.size() + more);
  if (!bytes.empty()) std::memcpy(*at, bytes.data(), bytes.size());
  REQUIRE((*made)->unmap().has_value());
  return std::move(*made);
}

/// Runs an op; false: the device cannot, and says why.
inline bool run_op(executor& on, const op_case& one, std::vector<host_tensor>& outputs) {
  constexpr std::size_t guard = 64;
  std::vector<operand> in, out;
  std::vector<std::unique_ptr<device_buffer>> held;
  for (const host_tensor& t : one.inputs) {
    in.push_back(t.what());
    held.push_back(upload(on.on(), t.memory()));
  }
  for (host_tensor& t : outputs) {
    out.push_back(t.what());
    held.push_back(upload(on.on(), t.memory(), guard));
  }
  auto planned = plan_for(one.what, on.on().info(), in, out, one.way);
  if (!planned.has_value()) {
    INFO(planned.error().describe());
    CHECK(planned.error().code() == errc::unsupported);
    MESSAGE(one.name << ": " << planned.error().message());
    return false;
  }
  std::vector<device_buffer*> memory;
  for (auto& h : held) memory.push_back(h.get());
  auto recorded = on.record(*planned, memory);
  REQUIRE_MESSAGE(recorded.has_value(), recorded.error().describe());
  auto ticket = on.submit();
  REQUIRE(ticket.has_value());
  auto done = on.wait(*ticket, op_timeout_ns);
  REQUIRE_MESSAGE(done.has_value(), done.error().describe());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    device_buffer& from = *held[one.inputs.size() + i];
    auto at = from.map(memory_access::read, op_timeout_ns);
    REQUIRE(at.has_value());
    auto& to = outputs[i].memory();
    if (!to.empty()) std::memcpy(to.data(), *at, to.size());
    bool untouched = true;
    for (std::size_t k = 0; k < guard; ++k) untouched &= (*at)[to.size() + k] == std::byte{0xa5};
    CHECK_MESSAGE(untouched, "wrote behind the output");
    REQUIRE(from.unmap().has_value());
  }
  return true;
}

/// Where all is slow, under a sanitizer or an emulator, large tensors show nothing more; nor where
/// a driver is run in one more way, which BEAMLET_TEST_SMALL_TENSORS says.
inline bool is_left_to_plain_run(const op_case& one) {
  constexpr std::int64_t elements_max = 5000;
  static const bool only_small =
      BEAMLET_TEST_SEEDS < 100 || std::getenv("BEAMLET_TEST_SMALL_TENSORS") != nullptr;
  return only_small && std::any_of(one.inputs.begin(), one.inputs.end(), [](const host_tensor& t) {
           return t.elements() > elements_max;
         });
}

/// `reference(op, inputs)` fills tensors of the types that outputs_of() says.
template <class Op, class Reference>
void check_op_cases(const std::vector<std::unique_ptr<device>>& devices,
                    const std::vector<op_case>& cases, Reference reference) {
  for (const auto& on : devices) {
    CAPTURE(on->info().id());
    CAPTURE(on->info().driver);
    auto runs = executor::make(*on);
    REQUIRE(runs.has_value());
    for (const op_case& one : cases) {
      CAPTURE(one.name);
      if (is_left_to_plain_run(one)) continue;
      std::vector<tensor_type> types;
      for (const host_tensor& t : one.inputs) types.push_back(t.type());
      auto made = outputs_of(one.what, types);
      REQUIRE_MESSAGE(made.has_value(), made.error().describe());
      std::vector<host_tensor> expected, got;
      for (const tensor_type& t : *made) {
        expected.emplace_back(t.type, t.shape);
        got.emplace_back(t.type, t.shape);
      }
      reference(std::get<Op>(one.what), one.inputs, expected);
      const bool ran = run_op(**runs, one, got);
      if (on->info().backend == "cpu") CHECK_MESSAGE(ran, "the cpu backend runs everything");
      if (!ran) continue;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double half = expected[i].what().type == dtypes::f16 ? 1e-3 : 0;
        compare(got[i], expected[i], tolerance_of(one.what) * one.tolerance_factor + half);
      }
    }
  }
}

}  // namespace conformance
