// SPDX-License-Identifier: Apache-2.0
#include "compute/ops/images.hpp"

#include <array>
#include <numeric>
#include <span>
#include <string>

#include "compute/errors.hpp"
#include "compute/ops/copy.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

bool image_view::make(std::size_t own) {
  const std::size_t rank = what.shape.size(), before = rank - own;
  operand images = what;
  for (std::size_t d = before; d < rank; ++d) images.shape[d] = 1;
  const walk path = walk_together(std::span(&images, 1));
  count = static_cast<std::int64_t>(images.elements());
  image_stride = path.rank == 0 ? 0 : path.stride[0][0];
  const auto stride = [&](std::size_t d) { return what.shape[d] > 1 ? what.strides[d] : 0; };
  height = what.shape[before];
  row_stride = stride(before);
  width = what.shape[before + 1];
  pixel_stride = stride(before + 1);
  channels = own == 3 ? what.shape[before + 2] : 1;
  channel_stride = own == 3 ? stride(before + 2) : 0;
  return path.rank <= 1;
}

bool image_view::has_dense_rows() const noexcept {
  return (channels == 1 || channel_stride == 1) && (width == 1 || pixel_stride == channels);
}

result<image_view> image_view::of(planner& to, slot memory, const operand& what, std::size_t own,
                                  bool needs_dense_rows) {
  image_view made;
  made.memory = memory;
  made.what = what;
  if (made.make(own) && ((!to.on_cpu() && !needs_dense_rows) || made.has_dense_rows())) return made;
  std::array<std::size_t, dimensions::count_max> order{};
  std::iota(order.begin(), order.end(), std::size_t{0});
  BEAMLET_TRY(const auto dense,
              plan_dense(to, memory, what, std::span(order).first(what.shape.size())));
  made.memory = dense.first;
  made.what = dense.second;
  made.make(own);
  return made;
}

result<void> check_images(const char* op_name, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return compute_error(errc::invalid_argument, std::string(op_name) + ": takes one input, not " +
                                                     std::to_string(inputs.size()));
  const dimensions& shape = inputs.front().shape;
  if (shape.size() < 3)
    return compute_error(errc::invalid_argument,
                         std::string(op_name) +
                             ": images are [..., height, width, channels], not " + text_of(shape) +
                             "; grey ones have one channel");
  return {};
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
