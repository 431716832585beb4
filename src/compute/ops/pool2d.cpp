// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/windows.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

sliding_window pool_window_of(const ops::pool2d& what) {
  return {"pool2d", what.size, what.stride, what.dilation, what.padding};
}

}  // namespace

result<tensor_types> outputs_of(const ops::pool2d& what, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return compute_error(errc::invalid_argument,
                         "pool2d: takes one input, not " + std::to_string(inputs.size()));
  tensor_type made = inputs.front();
  if (made.type != dtypes::f32 && made.type != dtypes::f16)
    return compute_error(errc::unsupported,
                         "pool2d: of f32 and f16, not of " + made.type.name() + "; cast it");
  if (made.shape.size() != 4)
    return compute_error(errc::invalid_argument,
                         "pool2d: of [n, c, h, w], not " + text_of(made.shape) + "; reshape it");
  if (what.what != ops::pool2d::kind::maximum && what.what != ops::pool2d::kind::average)
    return compute_error(errc::invalid_argument, "pool2d: there is no such kind");
  BEAMLET_TRY(const auto out, pool_window_of(what).outputs(made.shape));
  made.shape[2] = out[0];
  made.shape[3] = out[1];
  return tensor_types{made};
}

op_cost cost_of(const ops::pool2d& what, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const auto elements = static_cast<double>(outputs[0].elements());
  op_cost made;
  made.flops = elements * static_cast<double>(what.size[0]) * static_cast<double>(what.size[1]);
  made.bytes = (elements + static_cast<double>(inputs[0].elements())) *
               static_cast<double>(inputs[0].type.bytes());
  return made;
}

result<void> plan_for(const ops::pool2d& what, planner& to) {
  const bool is_maximum = what.what == ops::pool2d::kind::maximum;
  return plan_plane_windows({pool_window_of(what),
                             is_maximum ? window_kind::maximum : window_kind::average,
                             what.counts_padding,
                             {},
                             {}},
                            to);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
