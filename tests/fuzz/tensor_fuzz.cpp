// SPDX-License-Identifier: Apache-2.0
// Whatever an object's bytes are, there is an error or a tensor whose every element can be read and
// which becomes an object and a tensor again. The first byte chooses where the bytes lie.

#include <beamlet/base/panic.hpp>
#include <beamlet/runtime/tensor.hpp>

#include <cstring>
#include <vector>

#include "fuzz.hpp"

namespace {
using namespace beamlet;

std::vector<std::byte> object_of(const tensor& t) {
  auto placed = *detail::place(t);
  std::vector<std::byte> all(placed.payload.bytes().begin(), placed.payload.bytes().end());
  all.insert(all.end(), placed.trailer_bytes().begin(), placed.trailer_bytes().end());
  return all;
}

buffer elements_of(const tensor& t) {
  tensor dense = *t.contiguous();
  return *buffer::copy_of({dense.data(), dense.elements() * dense.type().bytes()});
}

void check(const tensor& t, std::size_t object_bytes) {
  BEAMLET_ASSERT(t.elements() * t.type().bytes() <= object_bytes, "no more than there is");
  const auto object = object_of(t);
  auto again = detail::tensor_copy_of(object);
  BEAMLET_ASSERT(again.has_value(), "what was read is an object again");
  BEAMLET_ASSERT(again->shape() == t.shape() && again->type() == t.type(), "of the same kind");
  BEAMLET_ASSERT(elements_of(*again) == elements_of(t), "with the same elements");
  BEAMLET_ASSERT(object_of(*again) == object, "and the same bytes");
}
}  // namespace

std::vector<fuzz::input> fuzz::seeds() {
  std::vector<fuzz::input> all;
  auto add = [&](std::uint8_t chosen, const tensor& t) {
    fuzz::input input{chosen};
    for (std::byte b : object_of(t)) input.push_back(std::to_integer<std::uint8_t>(b));
    all.push_back(std::move(input));
  };
  const std::vector<std::int16_t> values(24, 7);
  tensor t = *tensor::copy_of<std::int16_t>(values, {2, 3, 4});
  add(0, t);
  add(1, *t.permuted({2, 0, 1}));
  add(0, *t.slice(2, 3, 4, -1));
  add(2, *tensor::copy_of<double>(std::vector<double>(1), {}));
  add(0, tensor());
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // Of exactly this size, so that a sanitizer sees a read past the end.
  const std::size_t shift = data[0] % 3;
  std::vector<std::byte> kept(shift + size - 1);
  if (size > 1) std::memcpy(kept.data() + shift, data + 1, size - 1);
  int dropped = 0;
  {
    auto t = detail::tensor_from({kept.data() + shift, size - 1,
                                  [](void* count) { ++*static_cast<int*>(count); }, &dropped});
    if (t.has_value()) check(*t, size);
    else
      BEAMLET_ASSERT(t.error() == errc::malformed && dropped == 0,
                     "what is no tensor is malformed and stays its keeper's");
    dropped += !t.has_value();
  }
  BEAMLET_ASSERT(dropped == 1, "the bytes are let go once");
  return 0;
}
