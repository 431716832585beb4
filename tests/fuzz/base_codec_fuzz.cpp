// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes are, decoding gives an error or a value that encodes to the same bytes again
// and again. The first byte of an input chooses the type.

#include <beamlet/base/codec.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "fuzz.hpp"

namespace {
using namespace beamlet;

struct shape {
  std::string label;
  std::vector<std::pair<float, double>> points;
  std::optional<std::int16_t> rank;
  std::map<std::string, std::vector<std::byte>> extra;
  BEAMLET_FIELDS(label, points, rank, extra);
};

struct tree {
  std::variant<std::monostate, bool, long, std::string, std::vector<tree>,
               std::map<std::string, tree>>
      value;
  BEAMLET_FIELDS(value);
};

struct without_default {
  without_default(std::string first, std::uint8_t second) : a(std::move(first)), b(second) {}
  std::string a;
  std::uint8_t b;
  BEAMLET_FIELDS(a, b);
};

using fuzzed =
    std::tuple<shape, tree, std::vector<without_default>, error, result<std::string>, object_id,
               std::set<std::string>, std::array<std::vector<std::uint16_t>, 2>, std::vector<bool>,
               std::deque<std::optional<tree>>, std::chrono::nanoseconds,
               std::vector<std::monostate>>;

std::vector<std::byte> sorted(std::vector<std::byte> bytes) {
  std::sort(bytes.begin(), bytes.end());
  return bytes;
}

template <class T>
void decode_and_check(std::span<const std::byte> bytes) {
  auto value = decode_from<T>(bytes);
  if (!value.has_value()) {
    BEAMLET_ASSERT(value.error() == errc::malformed || value.error() == errc::too_deep,
                   "only these can happen");
    return;
  }
  auto once = encode_to(*value);
  BEAMLET_ASSERT(once.has_value(), "what was decoded encodes");
  BEAMLET_ASSERT(sorted(*once) == sorted({bytes.begin(), bytes.end()}),
                 "only the order of keys is free");
  auto again = decode_from<T>(*once);
  BEAMLET_ASSERT(again.has_value(), "what was encoded decodes");
  BEAMLET_ASSERT(*encode_to(*again) == *once, "a value has one format");
}

template <std::size_t... Index>
void decode_chosen(std::size_t chosen, std::span<const std::byte> bytes,
                   std::index_sequence<Index...>) {
  ((Index == chosen ? decode_and_check<std::tuple_element_t<Index, fuzzed>>(bytes) : void()), ...);
}

template <class T>
void add_seed(std::vector<fuzz::input>& seeds, std::uint8_t chosen, const T& value) {
  std::vector<std::byte> bytes = *encode_to(value);
  fuzz::input input{chosen};
  for (std::byte b : bytes) input.push_back(std::to_integer<std::uint8_t>(b));
  seeds.push_back(std::move(input));
}
}  // namespace

std::vector<fuzz::input> fuzz::seeds() {
  std::vector<fuzz::input> all;
  tree leaf{.value = std::string("leaf")};
  tree branch{.value = std::vector<tree>{
                  leaf, {.value = true}, {.value = std::map<std::string, tree>{{"k", leaf}}}}};
  shape some{.label = "label",
             .points = {{1.0f, 2.0}},
             .rank = 3,
             .extra = {{"a", {std::byte{1}}}, {"b", {}}}};
  error detailed(errc::io, error_layer::ports,
                 error_detail{.message = "m", .type = "t", .function = "f", .cause = "c"}, 5);
  add_seed(all, 0, some);
  add_seed(all, 1, branch);
  add_seed(all, 2, std::vector<without_default>{{"a", 1}, {"b", 2}});
  add_seed(all, 3, detailed);
  add_seed(all, 4, result<std::string>(detailed));
  add_seed(all, 4, result<std::string>(std::string("value")));
  add_seed(all, 5, object_id{1, 2, 3, 4, 5});
  add_seed(all, 6, std::set<std::string>{"a", "b"});
  add_seed(all, 7, std::array<std::vector<std::uint16_t>, 2>{{{1, 2}, {3}}});
  add_seed(all, 8, std::vector<bool>{true, false});
  add_seed(all, 9, std::deque<std::optional<tree>>{leaf, std::nullopt, branch});
  add_seed(all, 10, std::chrono::nanoseconds(7));
  add_seed(all, 11, std::vector<std::monostate>(3));
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::size_t types = std::tuple_size_v<fuzzed>;
  decode_chosen(data[0] % types, std::as_bytes(std::span(data + 1, size - 1)),
                std::make_index_sequence<types>());
  return 0;
}
