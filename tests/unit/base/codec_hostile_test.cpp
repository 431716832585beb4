// SPDX-License-Identifier: Apache-2.0
// Bytes that nobody vouches for: cut, lengthened, random, with lengths that lie.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/rng.hpp"
#include "codec_types.hpp"

using namespace beamlet;
using namespace codec_test;

namespace {
using bytes_vector = std::vector<std::byte>;
using everything =
    std::tuple<bool, labelled, tree, std::variant<std::monostate, int, std::string>, std::set<int>,
               std::unordered_map<int, std::string>, std::deque<point>, std::array<std::string, 2>,
               std::vector<bool>, result<int>, colour, std::chrono::seconds, object_id>;

everything sample() {
  return {
      true,
      {.label = "label", .outline = {{1, 2}, {3, 4}}, .rank = 5, .extra = {{"k", {std::byte{1}}}}},
      {.value = 1, .children = {{.value = 2, .children = {{}}}}},
      std::string("variant"),
      {1, 2, 3},
      {{1, "one"}, {2, "two"}},
      {{5, 6}},
      {"first", "second"},
      {true, false},
      error(errc::user_error, error_layer::user,
            error_detail{.message = "m", .type = {}, .function = {}, .cause = {}}),
      colour::red,
      std::chrono::seconds(9),
      {1, 2, 3, 4, 5}};
}

bytes_vector count_then(std::uint64_t count, const bytes_vector& rest = {}) {
  bytes_vector bytes;
  writer out(bytes);
  out.number(count);
  out.bytes(rest);
  return bytes;
}

template <class T>
void check_refuses_counts() {
  for (std::uint64_t count :
       {std::uint64_t{17}, std::uint64_t{1} << 31, (std::uint64_t{1} << 32) + 1,
        std::uint64_t{1} << 61, std::uint64_t{1} << 62, std::uint64_t{1} << 63, ~std::uint64_t{0}})
    CHECK(decode_from<T>(count_then(count, bytes_vector(16))).error() == errc::malformed);
}
}  // namespace

TEST_CASE("a value cut at any byte is malformed") {
  bytes_vector bytes = *encode_to(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // An allocation of its own, so that the address sanitizer sees a read past the end.
    bytes_vector cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    cut.shrink_to_fit();
    CHECK(decode_from<everything>(cut).error() == errc::malformed);
  }
}

TEST_CASE("trailing bytes are malformed") {
  bytes_vector bytes = *encode_to(sample());
  CHECK(decode_from<everything>(bytes).has_value());
  bytes.push_back(std::byte{0});
  CHECK(decode_from<everything>(bytes).error() == errc::malformed);
  CHECK(decode_from<int>(bytes_vector(5)).error() == errc::malformed);
}

TEST_CASE("a count beyond the bytes that are left is malformed for every container") {
  check_refuses_counts<std::string>();
  check_refuses_counts<std::vector<std::byte>>();
  check_refuses_counts<std::vector<double>>();
  check_refuses_counts<std::vector<bool>>();
  check_refuses_counts<std::vector<std::string>>();
  check_refuses_counts<std::vector<nothing>>();
  check_refuses_counts<std::vector<std::monostate>>();
  check_refuses_counts<std::deque<int>>();
  check_refuses_counts<std::set<int>>();
  check_refuses_counts<std::map<int, int>>();
  check_refuses_counts<std::unordered_map<int, int>>();
}

TEST_CASE("bytes that stand for no value are malformed") {
  auto byte = [](int value) { return bytes_vector{static_cast<std::byte>(value)}; };
  CHECK(decode_from<bool>(byte(2)).error() == errc::malformed);
  CHECK(decode_from<std::optional<std::monostate>>(byte(2)).error() == errc::malformed);
  CHECK(decode_from<std::variant<std::monostate>>(byte(1)).error() == errc::malformed);
  CHECK(decode_from<std::variant<std::monostate>>(byte(255)).error() == errc::malformed);
  CHECK(decode_from<std::monostate>(byte(1)).error() == errc::malformed);
  CHECK(decode_from<nothing>(byte(1)).error() == errc::malformed);
  CHECK(decode_from<std::tuple<>>(byte(1)).error() == errc::malformed);
  CHECK(decode_from<std::vector<bool>>(count_then(1, byte(2))).error() == errc::malformed);
}

TEST_CASE("a key that comes twice is malformed") {
  CHECK(decode_from<std::set<int>>(*encode_to(std::vector<int>{1, 2, 1})).error() ==
        errc::malformed);
  using pairs = std::vector<std::pair<int, int>>;
  CHECK(decode_from<std::map<int, int>>(*encode_to(pairs{{1, 2}, {1, 3}})).error() ==
        errc::malformed);
  CHECK(decode_from<std::map<int, int>>(*encode_to(pairs{{1, 2}, {2, 3}})).has_value());
}

TEST_CASE("an error's texts have a limit and a failure has a code") {
  using image = std::tuple<std::uint16_t, std::uint16_t, std::int32_t, bool, std::string,
                           std::string, std::string, std::string>;
  CHECK(decode_from<error>(*encode_to(image(1, 0, 0, true, "a", "b", "c", std::string(1024, 'd'))))
            .has_value());
  CHECK(decode_from<error>(*encode_to(image(1, 0, 0, true, "a", "b", "c", std::string(1025, 'd'))))
            .error() == errc::malformed);
  CHECK(decode_from<result<int>>(*encode_to(std::tuple(false, error()))).error() ==
        errc::malformed);
  CHECK(decode_from<result<void>>(*encode_to(std::tuple(false, error()))).error() ==
        errc::malformed);
}

TEST_CASE("nesting has the same limit in both directions") {
  auto chain = [](unsigned depth) {
    tree t;
    for (unsigned i = 0; i + 1 < depth; ++i) {
      tree parent;
      parent.children.push_back(std::move(t));
      t = std::move(parent);
    }
    return t;
  };
  tree deepest = chain(limits::codec_depth_max);
  CHECK(*decode_from<tree>(*encode_to(deepest)) == deepest);
  CHECK(encode_to(chain(limits::codec_depth_max + 1)).error() == errc::too_deep);

  bytes_vector hostile;
  writer out(hostile);
  for (int i = 0; i < 100'000; ++i) {
    out.number(std::int32_t{1});
    out.count(1);
  }
  CHECK(decode_from<tree>(hostile).error() == errc::too_deep);
}

TEST_CASE("a reader stays failed and gives zeroes") {
  bytes_vector bytes(12, std::byte{1});
  reader in(bytes);
  CHECK(in.number<std::uint64_t>() == 0x0101010101010101);
  CHECK(in.number<std::uint64_t>() == 0);
  CHECK(in.failure() == errc::malformed);
  CHECK(in.remaining() == 0);
  CHECK(in.number<std::uint8_t>() == 0);
  CHECK(in.bytes(1).empty());
  CHECK(in.count() == 0);
  in.fail(errc::unsupported);
  CHECK(in.failure() == errc::malformed);
}

TEST_CASE("random and mutated bytes decode to a value that encodes again, or to an error") {
  base::rng random(2024);
  bytes_vector good = *encode_to(sample());
  std::size_t decoded = 0;
  for (int round = 0; round < 20'000; ++round) {
    bytes_vector bytes = good;
    for (std::uint32_t i = 1 + random.below(3); i > 0; --i)
      bytes[random.below(static_cast<std::uint32_t>(bytes.size()))] =
          static_cast<std::byte>(random.next());
    if (random.below(8) == 0) bytes.resize(random.below(static_cast<std::uint32_t>(bytes.size())));
    auto value = decode_from<everything>(bytes);
    if (!value.has_value()) continue;
    ++decoded;
    REQUIRE(encode_to(*value)->size() == bytes.size());
  }
  CHECK(decoded > 100);
  CHECK(decoded < 20'000);
}

#if BEAMLET_HAS_EXCEPTIONS
namespace {
template <class T>
struct failing_allocator {
  using value_type = T;
  failing_allocator() = default;
  template <class U>
  failing_allocator(const failing_allocator<U>&) {}
  T* allocate(std::size_t) { throw std::bad_alloc(); }
  void deallocate(T*, std::size_t) {}
  friend bool operator==(failing_allocator, failing_allocator) { return true; }
};

struct picky {
  int value = 0;
  picky() = default;
  picky(const picky& other) : value(other.value) {
    if (value == 13) throw value;
  }
  picky& operator=(const picky& other) = default;
  BEAMLET_FIELDS(value);
};
}  // namespace

TEST_CASE("memory that cannot be had is an error") {
  using greedy = std::vector<int, failing_allocator<int>>;
  CHECK(decode_from<greedy>(*encode_to(std::vector<int>{1})).error() == errc::no_memory);
  using greedy_points = std::vector<point, failing_allocator<point>>;
  CHECK(decode_from<greedy_points>(*encode_to(std::vector<point>(2))).error() == errc::no_memory);
}

TEST_CASE("a constructor that throws does not throw out of the library") {
  CHECK(decode_from<std::vector<picky>>(*encode_to(std::vector<int>{1, 2})).has_value());
  CHECK(decode_from<std::vector<picky>>(*encode_to(std::vector<int>{1, 13})).error() ==
        errc::user_exception);
}
#endif
