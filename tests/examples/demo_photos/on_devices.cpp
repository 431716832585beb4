// SPDX-License-Identifier: Apache-2.0

// The steps of a photo as ops. Each runs where it is done first; between two on one device nothing
// is copied, and the program does not wait.
//
//   decode --- resize --- grey --+-- sobel --- steep? --- mean           (share of edges)
//                                +-- laplace --+-- mean, sum of squares  (sharpness)
//                                +-- histogram                           (mean, entropy)

#include "on_devices.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>

#include "decode.hpp"
#include "steps.hpp"

namespace demo {
namespace {

namespace ops = beamlet::ops;
using beamlet::ref;
using beamlet::tensor;

constexpr std::size_t photos_on_their_way_max = 6;
// Of Sobel's magnitude, which is not divided as in steps.cpp.
constexpr float edge_magnitude_min = 192;

beamlet::result<tensor> decode_pixels(const std::string& path) {
  auto decoded = decode(path);
  if (auto* failed = std::get_if<failure>(&decoded)) {
    return beamlet::error(beamlet::errc::malformed, beamlet::error_layer::user,
                          {failed->message, "", "", ""});
  }
  const picture& image = std::get<picture>(decoded);
  return tensor::copy_of(std::span<const std::uint8_t>(image.bytes),
                         {image.size.height, image.size.width, image.channels});
}

double number_of(const tensor& one) { return one.view<float>().value()[0]; }

row figures_of(const photo& one, picture_size size, const tensor& steep, const tensor& mean,
               const tensor& squares, const tensor& counts, picture_size working) {
  row made;
  made.file = one.name;
  made.size = size;
  made.edge_density = number_of(steep);
  const double pixels = static_cast<double>(working.pixels());
  made.sharpness = number_of(squares) / pixels - number_of(mean) * number_of(mean);
  const auto tones = counts.view<std::int32_t>().value();
  double sum = 0;
  for (std::size_t i = 0; i < tones.size(); ++i) {
    const double share = tones[i] / pixels;
    sum += share * (4 * static_cast<double>(i) + 1.5);  // four kinds of brightness a step
    if (tones[i] > 0) made.entropy -= share * std::log2(share);
  }
  made.mean = sum;
  return made;
}

class device_pipeline {
 public:
  device_pipeline(beamlet::runtime& rt, const on_photo& done) : rt_(rt), done_(done) {
    auto least = tensor::copy_of<float>(std::array{edge_magnitude_min}, {1});
    edge_least_ = rt_.put(std::move(least).value());
  }

  void submit(const photo& one) {
    while (on_their_way_.size() >= photos_on_their_way_max) finish_oldest();
    auto measured = measure(one.path);
    if (auto* failed = std::get_if<failure>(&measured)) {
      on_their_way_.push_back(
          {&one, {}, make_failed_row(one.name, to_string(failed->kind), failed->message)});
      return;
    }
    const picture_size size = std::get<picture_size>(measured);
    const picture_size small = shrunk_size(size, working_side);
    const auto run = [&](const char* name, auto op, auto&&... inputs) {
      return rt_.device_task(std::move(op)).options({.name = name}).remote(inputs...);
    };
    using color = ops::convert_color;
    using reduce = ops::reduce;
    auto pixels = rt_.task(decode_pixels).options({.name = "decode"}).remote(one.path);
    auto working =
        run("resize", ops::resize{small.height, small.width, ops::resize::method::area}, pixels);
    auto grey = run("grey", color{color::format::rgb, color::format::gray}, working);
    auto slopes = run("sobel", ops::sobel{}, grey);
    auto is_steep =
        run("steep", ops::elementwise{{{ops::function::greater, 1}}}, slopes, edge_least_);
    auto steep = run("share", reduce{reduce::kind::mean}, is_steep);
    auto bends =
        run("laplace", ops::filter2d{.coefficients = {0, 1, 0, 1, -4, 1, 0, 1, 0}, .to_f32 = true},
            grey);
    auto mean = run("mean", reduce{reduce::kind::mean}, bends);
    auto squares = run("squares", reduce{reduce::kind::sum_of_squares}, bends);
    auto counts = run("histogram", ops::histogram{64}, grey);
    auto figures = rt_.task([&one, size, small](const tensor& s, const tensor& m, const tensor& q,
                                                const tensor& c) {
                        return figures_of(one, size, s, m, q, c, small);
                      })
                       .options({.name = "figures"})
                       .remote(steep, mean, squares, counts);
    on_their_way_.push_back({&one, figures, {}});
  }

  beamlet::result<std::vector<row>> finish() {
    while (!on_their_way_.empty()) finish_oldest();
    if (failure_.code() != beamlet::errc::ok) return failure_;
    return std::move(rows_);
  }

 private:
  struct started {
    const photo* one;
    ref<row> figures;
    row failed;
  };

  void finish_oldest() {
    started oldest = std::move(on_their_way_.front());
    on_their_way_.pop_front();
    if (!oldest.figures) {
      rows_.push_back(std::move(oldest.failed));
    } else if (auto found = rt_.get(oldest.figures)) {
      rows_.push_back(std::move(*found));
    } else if (found.error() == beamlet::errc::malformed) {
      rows_.push_back(
          make_failed_row(oldest.one->name, to_string(fault::damaged), found.error().message()));
    } else if (failure_.code() == beamlet::errc::ok) {
      failure_ = found.error();
    }
    done_(*oldest.one);
  }

  beamlet::runtime& rt_;
  const on_photo& done_;
  ref<tensor> edge_least_;
  std::deque<started> on_their_way_;
  std::vector<row> rows_;
  beamlet::error failure_;
};

double difference(double a, double b) {
  return std::abs(a - b) / std::max({1.0, std::abs(a), std::abs(b)});
}

}  // namespace

beamlet::result<std::vector<row>> run_on_devices(beamlet::runtime& rt, const job& work,
                                                 const on_photo& done) {
  device_pipeline steps(rt, done);
  for (int round = 0; round < work.rounds; ++round)
    for (const photo& one : work.photos) steps.submit(one);
  return steps.finish();
}

double largest_difference(const std::vector<row>& a, const std::vector<row>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double furthest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].file != b[i].file || a[i].failed() != b[i].failed())
      return std::numeric_limits<double>::infinity();
    furthest = std::max({furthest, difference(a[i].sharpness, b[i].sharpness),
                         difference(a[i].edge_density, b[i].edge_density),
                         difference(a[i].mean, b[i].mean), difference(a[i].entropy, b[i].entropy)});
  }
  return furthest;
}

}  // namespace demo
