// SPDX-License-Identifier: Apache-2.0
#include <beamlet/runtime/tensor.hpp>

#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/unit/runtime/support.hpp"

namespace tensor_cases {

using namespace runtime_test;

namespace {
constexpr std::int64_t top = std::numeric_limits<std::int64_t>::max();
using numbers = std::vector<std::int32_t>;

tensor counted(const dimensions& shape) {
  auto builder = *tensor_builder<std::int32_t>::make(shape);
  std::iota(builder.values().begin(), builder.values().end(), 0);
  return std::move(builder).freeze();
}
numbers values_of(const tensor& t) {
  auto dense = *t.contiguous();
  auto view = *dense.view<std::int32_t>();
  return {view.begin(), view.end()};
}
bool same(const tensor& a, const tensor& b) {
  return a.type() == b.type() && a.shape() == b.shape() && values_of(a) == values_of(b);
}
buffer zeros(std::size_t size) { return *buffer::copy_of(std::vector<std::byte>(size)); }
errc made(std::size_t bytes, dtype type, const dimensions& shape, const dimensions& strides,
          std::int64_t offset = 0) {
  return code_of(tensor::make(zeros(bytes), type, shape, strides, offset));
}

/// The object that a tensor is by itself.
std::vector<std::byte> object_of(const tensor& t) {
  auto placed = *detail::place(t);
  std::vector<std::byte> all(placed.payload.bytes().begin(), placed.payload.bytes().end());
  all.insert(all.end(), placed.trailer_bytes().begin(), placed.trailer_bytes().end());
  return all;
}
}  // namespace

TEST_CASE("a tensor is built in place and viewed as its type") {
  tensor t = counted({2, 3});
  CHECK(t.type() == dtypes::i32);
  CHECK(t.shape() == dimensions{2, 3});
  CHECK(t.strides() == dimensions{3, 1});
  CHECK(t.elements() == 6);
  CHECK(t.is_contiguous());
  CHECK((*t.view<std::int32_t>())[5] == 5);
  CHECK(code_of(t.view<float>()) == errc::invalid_argument);
  CHECK(t.view<float>().error().message() == "a tensor of i32 viewed as f32");
  CHECK(code_of(t.view<std::uint32_t>()) == errc::invalid_argument);
  CHECK(reinterpret_cast<std::uintptr_t>(t.data()) % 64 == 0);
}

TEST_CASE("a tensor without dimensions has one element, one with an empty dimension none") {
  CHECK(values_of(counted({})) == numbers{0});
  CHECK(counted({3, 0, top}).elements() == 0);
  CHECK(counted({3, 0, top}).view<std::int32_t>()->empty());
  CHECK(counted({0}).view<std::int32_t>()->empty());
  CHECK(tensor().elements() == 0);
  CHECK(tensor().view<std::uint8_t>().has_value());
}

TEST_CASE("what C++ has no type for is viewed as unsigned integers") {
  CHECK(tensor::make(zeros(8), dtypes::f16, {4})->view<std::uint16_t>()->size() == 4);
  CHECK(tensor::make(zeros(8), dtypes::bf16, {4})->view<std::uint16_t>()->size() == 4);
  CHECK(tensor::make(zeros(8), dtypes::boolean, {8})->view<std::byte>()->size() == 8);
  CHECK(code_of(tensor::make(zeros(8), dtypes::f16, {4})->view<std::int16_t>()) ==
        errc::invalid_argument);
}

TEST_CASE("types have names and only some widths") {
  CHECK(dtypes::f32.name() == "f32");
  CHECK(dtypes::bf16.name() == "bf16");
  CHECK(dtypes::boolean.name() == "bool");
  CHECK(dtype_of<long long> == dtypes::i64);
  CHECK(dtype_of<std::byte> == dtypes::u8);
  for (dtype wrong : {dtype{number_kind::floating, 8}, dtype{number_kind::signed_integer, 4},
                      dtype{number_kind::boolean, 1}, dtype{number_kind::brain_floating, 32},
                      dtype{static_cast<number_kind>(3), 32}, dtype{number_kind::floating, 0}})
    CHECK(code_of(tensor::make(zeros(64), wrong, {1})) == errc::invalid_argument);
}

TEST_CASE("every element of a tensor lies in its buffer, aligned") {
  CHECK(made(24, dtypes::i32, {2, 3}, {3, 1}) == errc::ok);
  CHECK(made(23, dtypes::i32, {2, 3}, {3, 1}) == errc::invalid_argument);
  CHECK(made(28, dtypes::i32, {2, 3}, {3, 1}, 1) == errc::ok);
  CHECK(made(24, dtypes::i32, {2, 3}, {3, 1}, 1) == errc::invalid_argument);
  CHECK(made(24, dtypes::i32, {2, 3}, {3, 1}, -1) == errc::invalid_argument);
  CHECK(made(24, dtypes::i32, {6}, {-1}, 5) == errc::ok);
  CHECK(made(24, dtypes::i32, {6}, {-1}, 4) == errc::invalid_argument);
  CHECK(made(4, dtypes::i32, {1000}, {0}) == errc::ok);
  CHECK(made(24, dtypes::i32, {6}, {1, 1}) == errc::invalid_argument);
  CHECK(made(24, dtypes::i32, {-1}, {1}) == errc::invalid_argument);
  CHECK(made(0, dtypes::i32, {}, {}) == errc::invalid_argument);
  CHECK(made(0, dtypes::i32, {0, 5}, {7, 7}, 9) == errc::ok);
  buffer odd = zeros(9).slice(1, 8);
  CHECK(code_of(tensor::make(odd, dtypes::i32, {2})) == errc::invalid_argument);
  CHECK(code_of(tensor::make(odd, dtypes::u8, {8})) == errc::ok);
}

TEST_CASE("numbers that overflow make no tensor") {
  CHECK(made(64, dtypes::u8, {top, 2}, {0, 0}) == errc::too_large);
  CHECK(made(64, dtypes::i32, {top / 2}, {0}) == errc::too_large);
  CHECK(made(64, dtypes::u8, {3}, {top / 2 + 1}) == errc::too_large);
  CHECK(made(64, dtypes::u8, {2, 2}, {top, top}) == errc::too_large);
  CHECK(made(64, dtypes::u8, {2, 2}, {-top - 1, -1}) == errc::too_large);
  CHECK(made(64, dtypes::u8, {2, 2}, {top - 1, -top + 1}) == errc::too_large);
  CHECK(made(64, dtypes::u8, {2}, {-top - 1}, 63) == errc::too_large);
  CHECK(made(64, dtypes::u8, {2}, {top - 1}) == errc::invalid_argument);
  CHECK(made(64, dtypes::u8, {2}, {1 - top}, 63) == errc::invalid_argument);
  CHECK(made(64, dtypes::u8, {1}, {1}, top) == errc::invalid_argument);
  CHECK(made(64, dtypes::u8, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {}) == errc::too_large);
  CHECK(code_of(tensor_builder<double>::make({top})) == errc::too_large);
}

TEST_CASE("slices see the same memory") {
  tensor t = counted({4, 5});
  tensor rows = *t.slice(0, 1, 2);
  CHECK(values_of(rows) == numbers{5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
  CHECK(rows.data() == t.data() + 20);
  CHECK(rows.is_contiguous());
  tensor columns = *t.slice(1, 1, 2, 2);
  CHECK(columns.shape() == dimensions{4, 2});
  CHECK(values_of(columns) == numbers{1, 3, 6, 8, 11, 13, 16, 18});
  CHECK(code_of(columns.view<std::int32_t>()) == errc::unsupported);
  CHECK(columns.contiguous()->data() != columns.data());
  CHECK(values_of(*t.slice(1, 4, 5, -1)->slice(0, 0, 1)) == numbers{4, 3, 2, 1, 0});
  CHECK(values_of(*t.at(2)) == numbers{10, 11, 12, 13, 14});
  CHECK(values_of(*t.at(2)->at(4)) == numbers{14});
  CHECK(t.slice(0, 4, 0)->elements() == 0);
  CHECK(t.contiguous()->data() == t.data());
}

TEST_CASE("a slice outside of its tensor is refused") {
  tensor t = counted({4, 5});
  const std::int64_t wrong[][3] = {{-1, 1, 1}, {4, 1, 1},     {3, 2, 1},   {0, -1, 1},
                                   {5, 0, 1},  {0, 2, 4},     {0, 3, top}, {0, 3, 0},
                                   {1, 3, -1}, {0, top, top}, {3, 2, top}, {3, 2, -top - 1}};
  for (const auto& [from, count, step] : wrong) {
    CHECK(code_of(t.slice(0, from, count, step)) == errc::invalid_argument);
  }
  CHECK(code_of(t.slice(2, 0, 1)) == errc::invalid_argument);
  CHECK(code_of(t.at(4)) == errc::invalid_argument);
  CHECK(code_of(counted({}).at(0)) == errc::invalid_argument);
  CHECK(t.slice(0, 3, 1, top).has_value());  // the step of one index means nothing
}

TEST_CASE("dimensions change places, and a shape changes into another") {
  tensor t = counted({2, 3});
  tensor turned = *t.permuted({1, 0});
  CHECK(turned.shape() == dimensions{3, 2});
  CHECK(values_of(turned) == numbers{0, 3, 1, 4, 2, 5});
  CHECK(turned.data() == t.data());
  CHECK(code_of(t.permuted({0, 0})) == errc::invalid_argument);
  CHECK(code_of(t.permuted({0, 2})) == errc::invalid_argument);
  CHECK(code_of(t.permuted({0, -1})) == errc::invalid_argument);
  CHECK(code_of(t.permuted({0})) == errc::invalid_argument);
  CHECK(values_of(*t.reshaped({3, 2})) == values_of(t));
  CHECK(t.reshaped({6})->data() == t.data());
  CHECK(code_of(t.reshaped({7})) == errc::invalid_argument);
  CHECK(code_of(turned.reshaped({6})) == errc::unsupported);
  CHECK(counted({0, 3}).reshaped({5, 0})->elements() == 0);
}

TEST_CASE("a tensor keeps its memory after everything else of it is gone") {
  std::span<const std::int32_t> view;
  tensor last;
  {
    tensor t = counted({100, 100});
    last = *t.at(50);
    view = *last.view<std::int32_t>();
  }
  CHECK(view[3] == 5003);
}

TEST_CASE("a tensor that was moved away has no elements") {
  tensor t = counted({2, 3});
  tensor taken = std::move(t);
  CHECK(t.elements() == 0);  // NOLINT: that is the point
  CHECK(values_of(taken).size() == 6);
  t = std::move(taken);
  CHECK(taken.elements() == 0);  // NOLINT
  t = static_cast<tensor&>(t);
  CHECK(values_of(t).size() == 6);
}

TEST_CASE("a tensor as an object by itself is its payload in place, then a trailer") {
  tensor t = counted({2, 3});
  auto placed = *detail::place(t);
  CHECK(placed.payload.data() == t.data());
  CHECK(placed.payload.size() == 24);
  CHECK(placed.trailer_size == 2 * 16 + 12);
  CHECK(base::load_le<std::uint64_t>(placed.trailer.data() + 36) == 24);
  tensor deepest = counted({1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(detail::place(deepest)->trailer_size == detail::trailer_bytes_max);

  // Dense in another order: still in place. With gaps or repeats: copied.
  tensor turned = *t.permuted({1, 0});
  CHECK(detail::place(turned)->payload.data() == t.data());
  tensor backwards = *t.slice(1, 2, 3, -1);
  CHECK(detail::place(backwards)->payload.data() == t.data());
  tensor gaps = *t.slice(1, 0, 2);
  CHECK(detail::place(gaps)->payload.size() == 16);
  CHECK(detail::place(gaps)->payload.data() != t.data());
  tensor repeats = *tensor::make(t.memory(), dtypes::i32, {3}, {0}, 4);
  CHECK(detail::place(repeats)->payload.size() == 12);
}

TEST_CASE("a tensor is read in place from an object that somebody keeps") {
  static int dropped;
  dropped = 0;
  const tensor all[] = {counted({2, 3}), *counted({2, 3}).permuted({1, 0}),
                        counted({}),     *counted({4}).slice(0, 3, 4, -1),
                        counted({0, 7}), tensor()};
  int opened = 0;
  for (const tensor& t : all) {
    const auto object = object_of(t);
    buffer kept = *buffer::copy_of(object);
    {
      auto back =
          detail::tensor_from({kept.data(), kept.size(), [](void*) { ++dropped; }, nullptr});
      REQUIRE(back.has_value());
      CHECK(back->shape() == t.shape());
      CHECK(back->type() == t.type());
      if (t.elements() != 0) {
        CHECK(same(*back, t));
        CHECK(back->memory().data() == kept.data());
        CHECK(dropped == opened);
      }
    }
    CHECK(dropped == ++opened);
  }
}

TEST_CASE("a misaligned payload is copied, and what kept it is let go") {
  static int dropped;
  dropped = 0;
  auto object = object_of(counted({2, 3}));
  object.insert(object.begin(), std::byte{});
  buffer kept = *buffer::copy_of(object);
  auto back =
      detail::tensor_from({kept.data() + 1, kept.size() - 1, [](void*) { ++dropped; }, nullptr});
  REQUIRE(back.has_value());
  CHECK(dropped == 1);
  CHECK(same(*back, counted({2, 3})));
}

TEST_CASE("bytes that are no tensor are malformed and stay their keeper's") {
  const auto object = object_of(counted({2, 3}));
  auto code = [](const std::vector<std::byte>& bytes) {
    int dropped = 0;
    auto r = detail::tensor_from(
        {bytes.data(), bytes.size(), [](void* n) { ++*static_cast<int*>(n); }, &dropped});
    CHECK_FALSE(r.has_value());
    CHECK(dropped == 0);
    return code_of(r);
  };
  for (std::size_t size = 0; size < object.size(); ++size)
    CHECK(code({object.begin(), object.begin() + static_cast<std::ptrdiff_t>(size)}) ==
          errc::malformed);
  const std::size_t shape = 24, tail = 56;
  auto changed = [&](std::size_t at, std::int64_t number) {
    auto bytes = object;
    base::store_le(&bytes[at], number);
    return code(bytes);
  };
  for (std::int64_t number : {std::int64_t{0}, std::int64_t{5}, std::int64_t{-2}, top, -top - 1}) {
    CAPTURE(number);
    for (std::size_t at : {shape, shape + 16, tail + 4}) CHECK(changed(at, number) != errc::ok);
  }
  CHECK(changed(shape + 8, 4) == errc::malformed);    // strides with a gap
  CHECK(changed(shape + 8, top) == errc::malformed);  // out of the payload
  CHECK(changed(shape + 24, 0) == errc::malformed);   // elements that repeat
  for (std::size_t at : {tail, tail + 1, tail + 2, tail + 3}) {
    auto bytes = object;
    bytes[at] = std::byte{9};
    CHECK(code(bytes) == errc::malformed);
  }
}

TEST_CASE("a tensor goes through its codec, alone and within others") {
  CHECK(wire_name<tensor>() == "tensor");
  for (const tensor& t : {counted({2, 3}), *counted({2, 3}).permuted({1, 0}),
                          *counted({5, 5}).slice(1, 4, 2, -3), counted({})}) {
    CHECK(same(*decode_from<tensor>(*encode_to(t)), t));
    auto many = *decode_from<std::vector<tensor>>(*encode_to(std::vector<tensor>{t, t}));
    CHECK(same(many.at(1), t));
  }
  CHECK(decode_from<tensor>(*encode_to(tensor()))->elements() == 0);
  auto encoded = *encode_to(counted({3}));
  encoded.back() = std::byte{1};
  CHECK(code_of(decode_from<tensor>(encoded)) == errc::malformed);
}

TEST_CASE("tasks take and return tensors") {
  auto rt = start();
  auto turned = rt.task([](const tensor& t) {
                    return *t.permuted({1, 0});
                  }).remote(rt.put(counted({2, 3})));
  auto answer = rt.get(turned);
  REQUIRE(answer.has_value());
  CHECK(values_of(*answer) == numbers{0, 3, 1, 4, 2, 5});
}

}  // namespace tensor_cases
