// SPDX-License-Identifier: Apache-2.0
// What ops of images and boxes refuse, and in which words.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/unit/compute/refused.hpp"

namespace {
using namespace refused;

const tensor_type image{dtypes::u8, {4, 5, 3}};

TEST_CASE("a filter has odd numbers of finite coefficients, and images") {
  const std::vector<float> nine(9, 1);
  refuses(ops::filter2d{3, 3, nine}, {}, errc::invalid_argument, "one input, not 0");
  refuses(ops::filter2d{3, 3, nine}, {{dtypes::u8, {4, 5}}}, errc::invalid_argument, "one channel");
  refuses(ops::filter2d{3, 3, nine}, {{dtypes::i8, {4, 5, 1}}}, errc::unsupported, "not of i8");
  refuses(ops::filter2d{3, 4, nine}, {image}, errc::invalid_argument, "up to 7, not of 4");
  refuses(ops::filter2d{9, 1, nine}, {image}, errc::invalid_argument, "up to 7, not of 9");
  refuses(ops::filter2d{3, 1, nine}, {image}, errc::invalid_argument, "3 x 1 coefficients, not 9");
  refuses(ops::filter2d{1, 1, {HUGE_VALF}}, {image}, errc::invalid_argument, "infinite");
  refuses(ops::filter2d{3, 3, nine, static_cast<ops::border>(9)}, {image}, errc::invalid_argument,
          "no such border");
  const std::vector<float> even(4, 1), three(3, 1), many(33, 1);
  refuses(ops::separable_filter{even, three}, {image}, errc::invalid_argument,
          "up to 31, not of 4");
  refuses(ops::separable_filter{three, many}, {image}, errc::invalid_argument, "not of 33");
  refuses(ops::separable_filter{three, {}}, {image}, errc::invalid_argument, "not of 0");
  refuses(ops::separable_filter{{std::nanf("")}, three}, {image}, errc::invalid_argument, "NaN");
  refuses(ops::sobel{static_cast<ops::sobel::kind>(7)}, {image}, errc::invalid_argument,
          "no such kind");
  refuses(ops::sobel{}, {{dtypes::f16, {2, 2, 1}}}, errc::unsupported, "not of f16");
}

TEST_CASE("a histogram is of bytes, with bins that a byte can tell apart") {
  refuses(ops::histogram{}, {{dtypes::f32, {2, 2, 1}}}, errc::unsupported, "not of f32");
  refuses(ops::histogram{0}, {image}, errc::invalid_argument, "not 0");
  refuses(ops::histogram{257}, {image}, errc::invalid_argument, "not 257");
  refuses(ops::histogram{}, {{dtypes::u8, {1 << 16, 1 << 15, 1}}}, errc::too_large, "i32 counts");
  refuses(ops::histogram{}, {{dtypes::u8, {2}}}, errc::invalid_argument, "height, width");
}

TEST_CASE("boxes have four numbers, a score and perhaps a class each") {
  const tensor_type boxes{dtypes::f32, {7, 4}}, scores{dtypes::f32, {7}}, classes{dtypes::i32, {7}};
  refuses(ops::nms{}, {boxes}, errc::invalid_argument, "not 1 inputs");
  refuses(ops::nms{}, {{dtypes::f32, {4, 7}}, scores}, errc::invalid_argument, "f32 [4, 7]");
  refuses(ops::nms{}, {boxes, {dtypes::f32, {7, 1}}}, errc::invalid_argument, "f32 [7, 1]");
  refuses(ops::nms{}, {boxes, classes}, errc::invalid_argument, "scores are f32 [7]");
  refuses(ops::nms{}, {boxes, scores, scores}, errc::invalid_argument, "classes are i32 [7]");
  refuses(ops::nms{1.5f}, {boxes, scores}, errc::invalid_argument, "0 to 1");
  refuses(ops::nms{std::nanf("")}, {boxes, scores}, errc::invalid_argument, "0 to 1");
  refuses(ops::nms{0.5f, std::nanf("")}, {boxes, scores}, errc::invalid_argument, "is NaN");
  refuses(ops::nms{0.5f, 0, 0}, {boxes, scores}, errc::invalid_argument, "not 0");
  refuses(ops::nms{}, {{dtypes::f32, {20000, 4}}, {dtypes::f32, {20000}}}, errc::unsupported,
          "20000 boxes");
}

}  // namespace
