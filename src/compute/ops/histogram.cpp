// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/histogram.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/copy.hpp"
#include "compute/ops/images.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/histogram.k has them.
struct histogram_parameters {
  std::uint32_t pixels, piece, pieces, all, width, channels, first_x, first_y;
  std::int32_t image_stride, row_stride;
  std::uint32_t bins, together;
};
constexpr std::uint32_t histogram_group = 128, histogram_bins_max = 256;
// What a group counts at once: so many channels fit into local memory, so many pixels are worth
// beginning with zeros and ending with additions to memory.
constexpr std::uint32_t histogram_channels = 4;
constexpr std::uint64_t histogram_piece = 16384;

constexpr kernel_source histogram_source = {.name = "histogram",
                                            .buffers = 2,
                                            .parameter_bytes = sizeof(histogram_parameters),
                                            .cpu = histogram_on_cpu,
                                            .code = &embedded::histogram_u8,
                                            .storage_8bit = true};

result<void> plan_histogram_on_cpu(const ops::histogram& what, planner& to, const image_view& x) {
  const operand& out = to.output(0);
  cpu_histogram how;
  how.images = x.count, how.height = x.height, how.width = x.width, how.channels = x.channels;
  how.image_stride = x.image_stride, how.row_stride = x.row_stride;
  how.bins = what.bins;
  const std::int64_t pixels = x.height * x.width;
  how.piece = std::max(how.piece_pixels, (pixels + how.pieces_max - 1) / how.pieces_max);
  how.pieces = (pixels + how.piece - 1) / how.piece;
  const bool is_cut = how.pieces > 1;
  const operand parts = operand::dense(dtypes::i32, {x.count * how.pieces, how.counts()});
  const slot counted = is_cut ? to.scratch(parts.elements() * 4) : to.output_slot(0);
  planned_launch& made = to.launch(histogram_source);
  to.bind_from_first(made, x.memory, x.what);
  to.bind_from_first(made, counted, is_cut ? parts : out);
  made.set_parameters(how);
  BEAMLET_TRY_VOID(to.set_groups(made, static_cast<std::uint64_t>(x.count * how.pieces)));
  if (!is_cut) return {};
  planned_launch& sum = to.launch(histogram_source);
  to.bind_from_first(sum, counted, parts);
  to.bind_from_first(sum, to.output_slot(0), out);
  how.is_sum = 1;
  sum.set_parameters(how);
  return to.set_groups(sum, static_cast<std::uint64_t>(x.count));
}

}  // namespace

result<tensor_types> outputs_of(const ops::histogram& what, std::span<const tensor_type> inputs) {
  BEAMLET_TRY_VOID(check_images("histogram", inputs));
  const tensor_type& in = inputs.front();
  if (in.type != dtypes::u8)
    return compute_error(errc::unsupported,
                         "histogram: of images of u8, not of " + in.type.name() + "; cast them");
  if (what.bins == 0 || what.bins > histogram_bins_max)
    return compute_error(errc::invalid_argument,
                         "histogram: has 1 to 256 bins, not " + std::to_string(what.bins));
  const std::size_t rank = in.shape.size();
  const std::int64_t height = in.shape[rank - 3], width = in.shape[rank - 2];
  if (width != 0 && height > std::numeric_limits<std::int32_t>::max() / width)
    return compute_error(errc::too_large, "histogram: of more pixels than an i32 counts");
  tensor_type made{dtypes::i32, dimensions(std::span(in.shape.begin(), rank - 1))};
  made.shape[rank - 3] = in.shape[rank - 1];
  made.shape[rank - 2] = what.bins;
  return tensor_types{made};
}

op_cost cost_of(const ops::histogram&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  op_cost made;
  made.bytes = static_cast<double>(inputs[0].elements() + 4 * outputs[0].elements());
  return made;
}

result<void> plan_for(const ops::histogram& what, planner& to) {
  const operand& out = to.output(0);
  if (to.input(0).elements() == 0) return plan_fill(to, to.output_slot(0), out, 0);
  BEAMLET_TRY(const image_view x, image_view::of(to, to.input_slot(0), to.input(0), 3, true));
  if (to.on_cpu()) return plan_histogram_on_cpu(what, to, x);
  BEAMLET_TRY_VOID(plan_fill(to, to.output_slot(0), out, 0));
  planned_launch& made = to.launch(histogram_source);
  histogram_parameters p{};
  BEAMLET_TRY(p.first_x, to.bind(made, x.memory, x.what));
  BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), out));
  const auto pixels = static_cast<std::uint64_t>(x.height * x.width);
  const auto channels = static_cast<std::uint64_t>(x.channels);
  const std::uint64_t together = std::min<std::uint64_t>(channels, histogram_channels);
  const std::uint64_t pieces = divided_up(pixels, histogram_piece);
  const std::uint64_t all =
      static_cast<std::uint64_t>(x.count) * divided_up(channels, together) * pieces;
  if (all > std::numeric_limits<std::uint32_t>::max() / 2)
    return to.unsupported("a histogram of more pieces than 31 bits count");
  p.pixels = static_cast<std::uint32_t>(pixels);
  p.piece = static_cast<std::uint32_t>(histogram_piece);
  p.pieces = static_cast<std::uint32_t>(pieces);
  p.all = static_cast<std::uint32_t>(all);
  p.width = static_cast<std::uint32_t>(x.width);
  p.channels = static_cast<std::uint32_t>(channels);
  p.image_stride = static_cast<std::int32_t>(x.image_stride);
  p.row_stride = static_cast<std::int32_t>(x.row_stride);
  p.bins = what.bins;
  p.together = static_cast<std::uint32_t>(together);
  made.set_parameters(p);
  return to.set_items(made, histogram_group, all * histogram_group);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
