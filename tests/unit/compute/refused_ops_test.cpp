// SPDX-License-Identifier: Apache-2.0
// What ops refuse, and in which words.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "compute/op_functions.hpp"
#include "tests/unit/compute/refused.hpp"

namespace {
using namespace refused;

const tensor_type square{dtypes::f32, {3, 3}};

TEST_CASE("casts are of one tensor, between types that they know") {
  refuses(ops::cast{}, {}, errc::invalid_argument, "one input, not 0");
  refuses(ops::cast{}, {{dtypes::f64, {2}}}, errc::unsupported, "not from f64 to f32");
  refuses(ops::cast{dtypes::u64}, {square}, errc::unsupported, "not from f32 to u64");
}

TEST_CASE("what is put behind another has its type and its other dimensions") {
  refuses(ops::concat{}, {}, errc::invalid_argument, "one input at least");
  refuses(ops::concat{2}, {square}, errc::invalid_argument, "no dimension 2");
  refuses(ops::concat{0}, {square, {dtypes::f16, {3, 3}}}, errc::invalid_argument, "f16 [3, 3]");
  refuses(ops::concat{0}, {square, {dtypes::f32, {3, 4}}}, errc::invalid_argument, "[3, 4]");
  refuses(ops::concat{0}, {square, {dtypes::f32, {3}}}, errc::invalid_argument, "f32 [3]");
}

TEST_CASE("a padding has numbers for all dimensions, and elements to repeat") {
  using mode = ops::pad::mode;
  refuses(ops::copy{}, {square, square}, errc::invalid_argument, "one input, not 2");
  refuses(ops::pad{{1}, {1}}, {square}, errc::invalid_argument, "2 dimensions");
  refuses(ops::pad{{0, -1}, {0, 0}}, {square}, errc::invalid_argument, "fewer than no");
  refuses(ops::pad{{3, 0}, {0, 0}, mode::reflect}, {square}, errc::invalid_argument, "to repeat");
  refuses(ops::pad{{1}, {0}, mode::edge}, {{dtypes::u8, {0}}}, errc::invalid_argument, "to repeat");
  refuses(ops::pad{{1}, {0}, mode::constant, 256}, {{dtypes::u8, {1}}}, errc::invalid_argument,
          "in u8");
  refuses(ops::pad{{1}, {0}, mode::constant, 0.5}, {{dtypes::i64, {1}}}, errc::invalid_argument,
          "in i64");
  refuses(ops::pad{{std::numeric_limits<std::int64_t>::max()}, {1}}, {{dtypes::u8, {1}}},
          errc::too_large, "63 bits");
  refuses(ops::pad{{std::int64_t{1} << 62}, {1}}, {{dtypes::u8, {1}}}, errc::too_large, "2^62");
}

TEST_CASE("reductions are over dimensions that there are, each once") {
  using kind = ops::reduce::kind;
  refuses(ops::reduce{kind::sum, {2}}, {square}, errc::invalid_argument, "no dimension 2");
  refuses(ops::reduce{kind::sum, {0, -2}}, {square}, errc::invalid_argument, "-2 twice");
  refuses(ops::reduce{}, {{dtypes::i32, {2}}}, errc::unsupported, "not of i32");
  refuses(ops::argmax{}, {{dtypes::f32, {2, 0}}}, errc::invalid_argument, "of no element");
  refuses(ops::argmax{}, {{dtypes::f32, {}}}, errc::invalid_argument, "no dimension -1");
}

TEST_CASE("rows are normalized along a dimension that there is, with rows as long") {
  refuses(ops::softmax{-3}, {square}, errc::invalid_argument, "no dimension -3");
  refuses(ops::softmax{}, {{dtypes::u8, {2}}}, errc::unsupported, "not of u8");
  refuses(ops::layer_norm{}, {{dtypes::f32, {}}}, errc::invalid_argument, "single number");
  refuses(ops::layer_norm{}, {square, {dtypes::f32, {2}}}, errc::invalid_argument, "f32 [2]");
  refuses(ops::rms_norm{}, {square, {dtypes::f16, {3}}}, errc::invalid_argument, "f16 [3]");
  refuses(ops::rms_norm{}, {square, square, square}, errc::invalid_argument, "1 to 2 inputs");
}

TEST_CASE("images have rows, columns and channels, of types that can be between others") {
  const tensor_type image{dtypes::u8, {4, 6, 3}};
  constexpr auto no_method = static_cast<ops::resize::method>(3);
  refuses(ops::resize{2, 2}, {image, image}, errc::invalid_argument, "one input, not 2");
  refuses(ops::resize{2, 2}, {{dtypes::u8, {4, 6}}}, errc::invalid_argument, "not [4, 6]");
  refuses(ops::resize{2, 2}, {{dtypes::f16, {4, 6, 3}}}, errc::unsupported, "not of f16");
  refuses(ops::resize{2, -1}, {image}, errc::invalid_argument, "0 at least");
  refuses(ops::resize{2, 2, no_method}, {image}, errc::invalid_argument, "no such method");
  refuses(ops::resize{2, 2}, {{dtypes::u8, {0, 6, 3}}}, errc::invalid_argument, "has no pixel");
  refuses(ops::resize{2, std::int64_t{1} << 40}, {image}, errc::unsupported, "2^30");
}

TEST_CASE("colours have the channels of their format, and another one to become") {
  using f = ops::convert_color::format;
  const tensor_type image{dtypes::u8, {4, 6, 3}};
  refuses(ops::convert_color{f::rgb, f::nv12}, {image}, errc::unsupported, "from rgb to nv12");
  refuses(ops::convert_color{f::rgb, f::rgb}, {image}, errc::unsupported, "from rgb to rgb");
  refuses(ops::convert_color{f::rgb, static_cast<f>(9)}, {image}, errc::invalid_argument,
          "no such");
  refuses(ops::convert_color{f::gray, f::rgb}, {image}, errc::invalid_argument, "width, 1]");
  refuses(ops::convert_color{f::nv12, f::rgb}, {{dtypes::u8, {4, 6}}}, errc::invalid_argument,
          "height * 3 / 2");
  refuses(ops::convert_color{f::nv12, f::rgb}, {{dtypes::u8, {6, 5}}}, errc::invalid_argument,
          "not [6, 5]");
  refuses(ops::convert_color{f::yuyv, f::rgb}, {{dtypes::u8, {6, 5, 2}}}, errc::invalid_argument,
          "even width");
  refuses(ops::convert_color{f::bgr, f::gray}, {{dtypes::f32, {6, 5, 3}}}, errc::unsupported,
          "not of f32");
  refuses(ops::convert_color{f::nv12, f::rgb}, {{dtypes::u8, {1, 1, 1, 1, 1, 1, 3, 2}}},
          errc::unsupported, "8 dimensions");
}

TEST_CASE("a crop is of one image of bytes, by numbers that it can be divided by") {
  const tensor_type image{dtypes::u8, {4, 6, 3}};
  using crop = ops::crop_normalize;
  refuses(crop{2, 2}, {}, errc::invalid_argument, "not 0 inputs");
  refuses(crop{2, 2}, {{dtypes::f32, {4, 6, 3}}}, errc::unsupported, "not of f32");
  refuses(crop{2, 2}, {{dtypes::u8, {1, 4, 6, 3}}}, errc::invalid_argument, "[1, 4, 6, 3]");
  refuses(crop{2, 2}, {{dtypes::u8, {4, 6, 5}}}, errc::unsupported, "1 to 4 channels");
  refuses(crop{2, -2}, {image}, errc::invalid_argument, "0 at least");
  refuses(crop{2, 1 << 24}, {image}, errc::unsupported, "2^23");
  refuses(crop{2, 2}, {{dtypes::u8, {0, 6, 3}}}, errc::invalid_argument, "has no pixel");
  refuses(crop{2, 2}, {image, {dtypes::f32, {4}}}, errc::invalid_argument, "f32 [4]");
  refuses(crop{2, 2, {1, 2}}, {image}, errc::invalid_argument, "each of 3 channels");
  refuses(crop{2, 2, {}, {0}}, {image}, errc::invalid_argument, "no deviation is 0");
  refuses(crop{2, 2, {std::numeric_limits<float>::quiet_NaN()}}, {image}, errc::invalid_argument,
          "numbers that f32 divides");
  refuses(crop{2, 2, {}, {}, dtypes::u8}, {image}, errc::unsupported, "not to u8");
}

TEST_CASE("attention is of queries, keys and values that go together") {
  const auto f32 = [](const dimensions& shape) { return tensor_type{dtypes::f32, shape}; };
  const tensor_type q = f32({4, 5, 8}), k = f32({2, 7, 8});
  refuses(ops::attention{}, {q, k}, errc::invalid_argument, "not 2 inputs");
  refuses(ops::attention{}, {square, square, square}, errc::invalid_argument, "[3, 3]");
  refuses(ops::attention{}, {{dtypes::u8, {1, 1, 1}}, k, k}, errc::unsupported, "not of u8");
  refuses(ops::attention{}, {q, {dtypes::f16, {2, 7, 8}}, k}, errc::invalid_argument, "k of f16");
  refuses(ops::attention{}, {q, f32({3, 7, 8}), f32({3, 7, 8})}, errc::invalid_argument, "heads");
  refuses(ops::attention{}, {q, f32({0, 7, 8}), f32({0, 7, 8})}, errc::invalid_argument, "heads");
  refuses(ops::attention{}, {q, k, f32({2, 6, 8})}, errc::invalid_argument, "[2, 6, 8]");
  refuses(ops::attention{}, {q, f32({2, 7, 9}), k}, errc::invalid_argument, "[2, 7, 9]");
  refuses(ops::attention{}, {f32({1, 2, 0}), f32({1, 3, 0}), f32({1, 3, 4})},
          errc::invalid_argument, "of no number");
  refuses(ops::attention{}, {q, k, f32({2, 7, 257})}, errc::unsupported, "up to 256");
  refuses(ops::attention{}, {q, k, k, f32({4, 5, 8})}, errc::invalid_argument, "[4, 5, 7]");
  refuses(ops::attention{}, {q, k, k, f32({1, 4, 5, 7})}, errc::invalid_argument, "[1, 4, 5, 7]");
  refuses(ops::attention{}, {q, k, k, {dtypes::f16, {7}}}, errc::unsupported, "not of f16");
  refuses(ops::attention{false, std::numeric_limits<float>::infinity()}, {q, k, k},
          errc::invalid_argument, "a scale");
}

TEST_CASE("attention of more than a device counts or binds is refused where it is planned") {
  device_info on;
  on.backend = "vulkan";
  on.kind = device_kind::discrete;
  on.limits.buffers_max = 8;
  on.limits.binding_bytes_max = std::uint64_t{1} << 30;
  const auto why = [&](std::int64_t queries, std::int64_t keys) -> std::string {
    operand q = operand::dense(dtypes::f32, {1, queries, 8});
    operand k = operand::dense(dtypes::f32, {1, keys, 8});
    q.strides = k.strides = {0, 0, 0};
    const std::vector<operand> in{q, k, k}, out{operand::dense(dtypes::f32, q.shape)};
    const auto made = plan_for(ops::attention{}, on, in, out);
    return made.has_value() ? "" : std::string(made.error().message());
  };
  CHECK(why(1, std::int64_t{1} << 40).find("31 bits") != std::string::npos);
  CHECK(why(std::int64_t{1} << 40, 4).find("31 bits") != std::string::npos);
  CHECK(why(1, std::int64_t{1} << 30).find("1073741824 keys") != std::string::npos);
  CHECK(why(100, 100).empty());
  on.limits.buffers_max = 4;
  CHECK(why(1, 3).find("5 buffers") != std::string::npos);
}

TEST_CASE("transforms are of powers of two, and say how complex numbers lie") {
  using kind = ops::fft::kind;
  const auto f32 = [](const dimensions& shape) { return tensor_type{dtypes::f32, shape}; };
  refuses(ops::fft{}, {}, errc::invalid_argument, "one input, not 0");
  refuses(ops::fft{}, {{dtypes::f16, {4, 2}}}, errc::unsupported, "not of f16");
  refuses(ops::fft{}, {square}, errc::invalid_argument, "[..., n, 2]");
  refuses(ops::fft{}, {f32({2})}, errc::invalid_argument, "[..., n, 2]");
  refuses(ops::fft{}, {f32({12, 2})}, errc::unsupported, "not of 12 numbers");
  refuses(ops::fft{}, {f32({8192, 2})}, errc::unsupported, "to 4096");
  refuses(ops::fft{}, {f32({5, 0, 2})}, errc::unsupported, "not of 0 numbers");
  refuses(ops::fft{kind::real_forward}, {f32({})}, errc::invalid_argument, "[..., n]");
  refuses(ops::fft{kind::real_forward}, {f32({1})}, errc::unsupported, "from 2");
  refuses(ops::fft{kind::real_forward}, {f32({1, 1, 1, 1, 1, 1, 1, 8})}, errc::unsupported,
          "fewer than 8 dimensions");
  refuses(ops::fft{kind::real_inverse}, {f32({1, 2})}, errc::unsupported, "not of 0 numbers");
  refuses(ops::fft{kind::real_inverse}, {f32({8, 2})}, errc::unsupported, "not of 14 numbers");
  refuses(ops::fft{static_cast<kind>(9)}, {f32({8, 2})}, errc::invalid_argument, "no such kind");
}

TEST_CASE("convolutions are of images and weights whose channels belong together") {
  const tensor_type x{dtypes::f32, {1, 4, 6, 6}}, w{dtypes::f32, {8, 4, 3, 3}};
  const tensor_type bias{dtypes::f32, {8}};
  refuses(ops::conv2d{}, {x}, errc::invalid_argument, "2 inputs, not 1");
  refuses(ops::conv2d{.bias = true}, {x, w}, errc::invalid_argument, "3 inputs, not 2");
  refuses(ops::conv2d{}, {{dtypes::u8, {1, 4, 6, 6}}, w}, errc::unsupported, "not of u8");
  refuses(ops::conv2d{}, {{dtypes::f16, {1, 4, 6, 6}}, w}, errc::invalid_argument, "cast one");
  refuses(ops::conv2d{}, {x, square}, errc::invalid_argument, "[3, 3]");
  refuses(ops::conv2d{}, {x, {dtypes::f32, {8, 2, 3, 3}}}, errc::invalid_argument, "of 4 channels");
  refuses(ops::conv2d{.groups = 3}, {x, w}, errc::invalid_argument, "3 equal groups");
  refuses(ops::conv2d{.groups = 0}, {x, w}, errc::invalid_argument, "no groups");
  refuses(ops::conv2d{.bias = true}, {x, w, {dtypes::f32, {4}}}, errc::invalid_argument, "f32 [8]");
  refuses(ops::conv2d{.bias = true}, {x, w, {dtypes::f16, {8}}}, errc::invalid_argument, "f32 [8]");
  refuses(ops::conv2d{}, {x, {dtypes::f32, {8, 4, 7, 7}}}, errc::invalid_argument,
          "over 7 rows of 6");
  refuses(ops::conv2d{}, {x, {dtypes::f32, {8, 4, 0, 3}}}, errc::invalid_argument, "not 0");
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  refuses(ops::conv2d{.dilation = {1, most}}, {x, w}, errc::invalid_argument, "from 1 to");
  refuses(ops::conv2d{.padding = {0, most, 0, 0}}, {x, w}, errc::too_large, "a padding");
  refuses(ops::conv2d{.padding = {0, -1, 0, 0}}, {x, w}, errc::invalid_argument, "fewer than no");
  const std::int64_t large = std::numeric_limits<std::int32_t>::max();
  refuses(ops::conv2d{.padding = {large, large, large, large}}, {x, w}, errc::too_large, "2^62");
  CHECK(outputs_of(ops::conv2d{.bias = true}, types{x, w, bias}).has_value());
}

TEST_CASE("pools are of images, and of windows that fit") {
  const tensor_type x{dtypes::f32, {1, 4, 6, 5}};
  refuses(ops::pool2d{}, {}, errc::invalid_argument, "one input, not 0");
  refuses(ops::pool2d{}, {{dtypes::i8, {1, 4, 6, 5}}}, errc::unsupported, "not of i8");
  refuses(ops::pool2d{}, {square}, errc::invalid_argument, "[3, 3]");
  refuses(ops::pool2d{static_cast<ops::pool2d::kind>(2)}, {x}, errc::invalid_argument, "no such");
  refuses(ops::pool2d{.size = {1, 6}}, {x}, errc::invalid_argument, "over 6 columns of 5");
  refuses(ops::pool2d{.size = {2, 2}, .stride = {0, 1}}, {x}, errc::invalid_argument, "not 0");
  refuses(ops::pool2d{.size = {2, 2}, .dilation = {6, 1}}, {x}, errc::invalid_argument,
          "over 7 rows of 6");
}

}  // namespace
