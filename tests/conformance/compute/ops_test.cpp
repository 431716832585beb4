// SPDX-License-Identifier: Apache-2.0
// Every op of kernels/ops.def, on every device that this machine has.
#include <limits>
#include <vector>

#include "tests/conformance/compute/op_suite.hpp"
#include "tests/conformance/compute/ops/argmax.hpp"
#include "tests/conformance/compute/ops/attention.hpp"
#include "tests/conformance/compute/ops/cast.hpp"
#include "tests/conformance/compute/ops/concat.hpp"
#include "tests/conformance/compute/ops/conv2d.hpp"
#include "tests/conformance/compute/ops/convert_color.hpp"
#include "tests/conformance/compute/ops/copy.hpp"
#include "tests/conformance/compute/ops/crop_normalize.hpp"
#include "tests/conformance/compute/ops/elementwise.hpp"
#include "tests/conformance/compute/ops/fft.hpp"
#include "tests/conformance/compute/ops/filter.hpp"
#include "tests/conformance/compute/ops/histogram.hpp"
#include "tests/conformance/compute/ops/matmul.hpp"
#include "tests/conformance/compute/ops/nms.hpp"
#include "tests/conformance/compute/ops/normalize.hpp"
#include "tests/conformance/compute/ops/pad.hpp"
#include "tests/conformance/compute/ops/pool2d.hpp"
#include "tests/conformance/compute/ops/reduce.hpp"
#include "tests/conformance/compute/ops/resize.hpp"
#include "tests/conformance/compute/ops/softmax.hpp"

namespace {
using namespace conformance;

#define BEAMLET_OP(op_name, how_far)                                                    \
  TEST_CASE_TEMPLATE(#op_name " gives what its reference gives", Backend, cpu_backend,  \
                     opencl_backend, vulkan_backend) {                                  \
    if (Backend::devices().empty()) return;                                             \
    check_op_cases<ops::op_name>(                                                       \
        Backend::devices(), cases_of_##op_name(),                                       \
        [](const auto& what, const auto& in, auto& out) { reference(what, in, out); }); \
  }
#include "kernels/ops.def"

TEST_CASE("the processor's functions of infinities, NaN and subnormals are those of IEEE 754") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> ends = {0,    -0.0,  infinity, -infinity, std::nan(""), 1e-40, -1e-40,
                                    3e38, -3e38, -1,       1,         0.5};
  const auto count = static_cast<std::int64_t>(ends.size());
  const auto end = [&](std::int64_t i) { return ends[static_cast<std::size_t>(i)]; };
  host_tensor x(dtypes::f32, {count, count}), y = x;
  x.fill([&](std::int64_t i) { return end(i / count); });
  y.fill([&](std::int64_t i) { return end(i % count); });
  std::vector<op_case> cases;
  for (std::size_t i = 0; i < ops::function_count; ++i) {
    const auto what = static_cast<ops::function>(i);
    // Its reference overflows where the function does not.
    if (what == ops::function::softplus) continue;
    op_case one{"function " + std::to_string(i), ops::elementwise{{{what, 1, -0.5f, 0.75f}}}, {x}};
    if (takes_two(what)) one.inputs.push_back(y);
    cases.push_back(one);
  }
  check_op_cases<ops::elementwise>(
      cpu_backend::devices(), cases,
      [](const auto& what, const auto& in, auto& out) { reference(what, in, out); });
}

}  // namespace
