// SPDX-License-Identifier: Apache-2.0
// Which device tasks count as the same work, for which one measured time is good.
#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "runtime/device_work.hpp"

namespace work_key_tests {
using namespace beamlet;
using compute::operand;

const operand square = operand::dense(dtypes::f32, {8, 8});
const operand image = operand::dense(dtypes::f32, {1, 4, 8, 8});

std::uint64_t key(const detail::device_work& what, const std::vector<operand>& inputs,
                  const std::vector<operand>& outputs) {
  return detail::key_of(what, inputs, outputs);
}

// Inputs and outputs are of one shape, so that only the op tells.
bool all_differ(const std::vector<compute::op>& all, const operand& with = square) {
  std::set<std::uint64_t> keys;
  for (const compute::op& one : all) keys.insert(key(one, {with}, {with}));
  return keys.size() == all.size();
}

TEST_CASE("ops that differ in what changes their time have keys of their own") {
  CHECK(all_differ({ops::copy{}, ops::layer_norm{}, ops::rms_norm{}}));
  CHECK(all_differ(
      {ops::elementwise{{{ops::function::exp}}}, ops::elementwise{{{ops::function::sin}}},
       ops::elementwise{{{ops::function::exp}, {ops::function::sin}}},
       ops::elementwise{{{ops::function::add, 1}}}, ops::elementwise{{{ops::function::add, 2}}}}));
  CHECK(all_differ({ops::concat{0}, ops::concat{1}}));
  CHECK(all_differ({ops::pad{{1, 0}, {0, 1}}, ops::pad{{0, 1}, {1, 0}},
                    ops::pad{{1, 0}, {0, 1}, ops::pad::mode::edge}}));
  CHECK(all_differ({ops::reduce{ops::reduce::kind::sum, {0}},
                    ops::reduce{ops::reduce::kind::sum, {1}},
                    ops::reduce{ops::reduce::kind::maximum, {0}}}));
  CHECK(all_differ({ops::argmax{0}, ops::argmax{1}}));
  CHECK(all_differ({ops::softmax{0}, ops::softmax{1}, ops::softmax{0, true}}));
  CHECK(all_differ({ops::resize{8, 8}, ops::resize{8, 8, ops::resize::method::area}}));
  CHECK(all_differ({ops::convert_color{ops::convert_color::format::rgb},
                    ops::convert_color{ops::convert_color::format::bgr}}));
  CHECK(all_differ({ops::filter2d{1, 3, {1, 2, 1}}, ops::filter2d{3, 1, {1, 2, 1}},
                    ops::filter2d{1, 3, {1, 0, 1}},
                    ops::filter2d{1, 3, {1, 2, 1}, ops::border::constant}}));
  CHECK(all_differ({ops::separable_filter{{1}, {1, 2, 1}}, ops::separable_filter{{1, 2, 1}, {1}}}));
  CHECK(all_differ({ops::sobel{ops::sobel::kind::dx}, ops::sobel{ops::sobel::kind::dy}}));
  CHECK(all_differ({ops::attention{}, ops::attention{.causal = true}}));
  CHECK(all_differ({ops::fft{ops::fft::kind::forward}, ops::fft{ops::fft::kind::inverse}}));
}

TEST_CASE(
    "windows that differ in size, stride, dilation, padding or groups have keys of their own") {
  CHECK(all_differ({ops::conv2d{}, ops::conv2d{.stride = {2, 1}}, ops::conv2d{.stride = {1, 2}},
                    ops::conv2d{.dilation = {2, 1}}, ops::conv2d{.padding = {1, 0, 0, 0}},
                    ops::conv2d{.padding = {0, 0, 0, 1}}, ops::conv2d{.groups = 2}},
                   image));
  CHECK(all_differ(
      {ops::pool2d{}, ops::pool2d{.what = ops::pool2d::kind::average}, ops::pool2d{.size = {2, 1}},
       ops::pool2d{.stride = {2, 1}}, ops::pool2d{.dilation = {2, 1}},
       ops::pool2d{.padding = {1, 0, 0, 0}}, ops::pool2d{.counts_padding = true}},
      image));
}

TEST_CASE("types, shapes and strides of operands tell works apart") {
  const compute::op product = ops::matmul{};
  operand turned = square;
  turned.strides = {1, 8};
  operand sliced = square;
  sliced.strides = {16, 1};
  const operand halves = operand::dense(dtypes::f16, {8, 8});
  const operand integers = operand::dense(dtypes::i32, {8, 8});
  const operand flat = operand::dense(dtypes::f32, {64});
  const operand one = operand::dense(dtypes::f32, {8, 8, 1});
  std::set<std::uint64_t> keys;
  for (const operand& second : {square, turned, sliced, halves, integers, flat, one})
    keys.insert(key(product, {square, second}, {square}));
  keys.insert(key(product, {square}, {square, square}));
  keys.insert(key(product, {turned, square}, {square}));
  keys.insert(key(product, {square, square}, {halves}));
  CHECK(keys.size() == 10);
}

TEST_CASE("the numbers that an op computes with leave its key as it is") {
  const auto same = [](const compute::op& a, const compute::op& b) {
    return key(a, {square}, {square}) == key(b, {square}, {square});
  };
  CHECK(same(ops::elementwise{{{ops::function::affine, 1, 2, 3}}},
             ops::elementwise{{{ops::function::affine, 1, 4, 5}}}));
  CHECK(same(ops::pad{{1}, {0}, ops::pad::mode::constant, 1},
             ops::pad{{1}, {0}, ops::pad::mode::constant, 2}));
  CHECK(same(ops::layer_norm{1e-5f}, ops::layer_norm{1e-6f}));
  CHECK(same(ops::attention{.scale = 1}, ops::attention{.scale = 2}));
}

TEST_CASE("where its memory begins, and a stride of one element, are no part of a work") {
  operand shifted = square;
  shifted.offset_bytes = 256;
  CHECK(key(ops::copy{}, {square}, {square}) == key(ops::copy{}, {shifted}, {square}));
  const operand row = operand::dense(dtypes::f32, {1, 8});
  operand same = row;
  same.strides = {64, 1};
  CHECK(key(ops::copy{}, {row}, {row}) == key(ops::copy{}, {same}, {row}));
}

TEST_CASE("a kernel's groups tell its calls apart, and its parameters do not") {
  const kernel_call few{nullptr, {{dtypes::f32, {8, 8}}}, {1, 1, 1}, {}};
  kernel_call many = few, other = few;
  many.groups = {2, 1, 1};
  other.parameters = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  CHECK(key(few, {square}, {square}) != key(many, {square}, {square}));
  CHECK(key(few, {square}, {square}) == key(other, {square}, {square}));
}

}  // namespace work_key_tests
