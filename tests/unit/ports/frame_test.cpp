// SPDX-License-Identifier: Apache-2.0
#include "ports/frame.hpp"

#include <beamlet/base/bytes.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace frame_cases {

namespace {
using namespace beamlet;
using ports::frame_reader;

std::vector<std::byte> frame_of(std::string_view text, std::size_t descriptors = 0) {
  auto header = ports::frame_header(text.size(), descriptors);
  std::vector<std::byte> all(header.begin(), header.end());
  auto bytes = base::bytes_of(text);
  all.insert(all.end(), bytes.begin(), bytes.end());
  all.resize(all.size() + ports::frame_padding(text.size()));
  return all;
}

std::vector<std::byte> start_of_frame(std::size_t kept, std::string_view text,
                                      std::size_t descriptors = 0) {
  auto all = frame_of(text, descriptors);
  all.resize(kept);
  return all;
}

void feed(frame_reader& reader, std::span<const std::byte> bytes,
          std::vector<ports::descriptor> descriptors = {}) {
  auto room = reader.room(bytes.size());
  REQUIRE(room.size() >= bytes.size());
  std::copy(bytes.begin(), bytes.end(), room.begin());
  reader.filled(bytes.size(), std::move(descriptors));
}

// The next frame's text, "-" where there is none yet.
std::string text_of_next(frame_reader& reader) {
  auto next = reader.next();
  REQUIRE(next.has_value());
  return *next ? std::string(base::text_of((*next)->bytes)) : "-";
}

errc error_of_next(frame_reader& reader) {
  auto next = reader.next();
  return next.has_value() ? errc::ok : next.error().code();
}

int open_count = 0;
std::vector<ports::descriptor> some_descriptors(std::size_t count) {
  std::vector<ports::descriptor> all;
  for (std::size_t i = 0; i < count; ++i) all.emplace_back(open("/", O_RDONLY | O_CLOEXEC));
  open_count = all.empty() ? -1 : all.back().number();
  return all;
}
bool last_is_open() { return fcntl(open_count, F_GETFD) >= 0; }

TEST_CASE("frames come out as they went in, however the stream is cut") {
  std::vector<std::byte> stream;
  std::vector<std::string> texts{"", "a", "eight by", std::string(1000, 'x'), "last"};
  for (auto& text : texts) {
    auto bytes = frame_of(text);
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }
  for (std::size_t piece : {1, 2, 7, 8, 9, 100, 5000}) {
    frame_reader reader(1000);
    std::vector<std::string> seen;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      feed(reader, std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
      for (auto text = text_of_next(reader); text != "-"; text = text_of_next(reader)) {
        seen.push_back(text);
      }
    }
    CHECK(seen == texts);
  }
}

TEST_CASE("a frame's bytes are aligned to 8 wherever it lies in the stream") {
  frame_reader reader(100);
  for (std::size_t length = 0; length < 20; ++length) {
    auto both = frame_of(std::string(length, 'a'));
    auto second = frame_of("b");
    both.insert(both.end(), second.begin(), second.end());
    feed(reader, both);
    for (int i = 0; i < 2; ++i) {
      auto next = reader.next();
      REQUIRE(next.has_value());
      REQUIRE(*next);
      CHECK(reinterpret_cast<std::uintptr_t>((*next)->bytes.data()) % 8 == 0);
    }
  }
}

TEST_CASE("a length above the limit is refused before memory is taken for it") {
  frame_reader reader(1000);
  feed(reader, start_of_frame(8, std::string(1001, 'x')));
  CHECK(error_of_next(reader) == errc::too_large);
  CHECK(error_of_next(reader) == errc::too_large);
  frame_reader giant(1000);
  auto header = ports::frame_header(0xffffffff, 0);
  feed(giant, header);
  CHECK(error_of_next(giant) == errc::too_large);
}

TEST_CASE("a promise of much takes memory for what has come only") {
  constexpr std::size_t large = std::size_t{1} << 30;
  frame_reader reader(large);
  feed(reader, ports::frame_header(large, 0));
  CHECK(text_of_next(reader) == "-");
  CHECK(reader.room(100).size() < 10'000);
}

TEST_CASE("bytes that are no frame are malformed, and stay so") {
  frame_reader reader(1000);
  feed(reader, base::bytes_of("GET / HTTP/1.1\r\n"));
  CHECK(error_of_next(reader) == errc::malformed);
  feed(reader, frame_of("fine"));
  CHECK(error_of_next(reader) == errc::malformed);
  frame_reader padded(1000);
  auto dirty = frame_of("abc");
  dirty.back() = std::byte{1};
  feed(padded, dirty);
  CHECK(error_of_next(padded) == errc::malformed);
}

TEST_CASE("the end comes after all frames, and within one it is malformed") {
  frame_reader reader(1000);
  feed(reader, frame_of("one"));
  reader.end();
  CHECK(text_of_next(reader) == "one");
  CHECK(error_of_next(reader) == errc::closed);
  for (std::size_t kept : {1, 7, 8, 10}) {
    frame_reader half(1000);
    feed(half, start_of_frame(kept, "one"));
    CHECK(text_of_next(half) == "-");
    half.end();
    CHECK(error_of_next(half) == errc::malformed);
  }
}

TEST_CASE("descriptors belong to the frame that says so") {
  frame_reader reader(1000);
  auto first = frame_of("plain");
  auto second = frame_of("two", 2);
  first.insert(first.end(), second.begin(), second.end());
  feed(reader, first, some_descriptors(2));
  CHECK(text_of_next(reader) == "plain");
  {
    auto next = reader.next();
    REQUIRE(next.has_value());
    REQUIRE(*next);
    CHECK((*next)->descriptors.size() == 2);
    CHECK(last_is_open());
  }
  CHECK_FALSE(last_is_open());
}

TEST_CASE("descriptors may come with the first byte of a header") {
  frame_reader reader(1000);
  auto bytes = frame_of("one", 1);
  feed(reader, std::span(bytes).first(1), some_descriptors(1));
  CHECK(text_of_next(reader) == "-");
  feed(reader, std::span(bytes).subspan(1));
  auto next = reader.next();
  REQUIRE(next.has_value());
  REQUIRE(*next);
  CHECK((*next)->descriptors.size() == 1);
}

TEST_CASE("descriptors that no frame asks for are malformed, and closed") {
  frame_reader bare(1000);
  feed(bare, {}, some_descriptors(1));
  CHECK(error_of_next(bare) == errc::malformed);
  CHECK_FALSE(last_is_open());

  frame_reader after(1000);
  feed(after, frame_of("none"), some_descriptors(1));
  CHECK(text_of_next(after) == "none");
  CHECK(error_of_next(after) == errc::malformed);
  CHECK_FALSE(last_is_open());

  frame_reader within(1000);
  feed(within, start_of_frame(10, "one", 1), some_descriptors(2));
  CHECK(error_of_next(within) == errc::malformed);
  CHECK_FALSE(last_is_open());
}

TEST_CASE("a frame that says more descriptors than came is malformed") {
  frame_reader reader(1000);
  feed(reader, start_of_frame(8, "two", 2), some_descriptors(1));
  CHECK(error_of_next(reader) == errc::malformed);
  CHECK_FALSE(last_is_open());
}

}  // namespace

}  // namespace frame_cases
