// SPDX-License-Identifier: Apache-2.0
#include "jpeg.hpp"

#include <algorithm>
#include <cstdlib>

#include "test_support.hpp"

namespace demo {
namespace {

int largest_difference(const picture& a, const picture& b) {
  REQUIRE(a.bytes.size() == b.bytes.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.bytes.size(); ++i) {
    largest = std::max(largest, std::abs(a.bytes[i] - b.bytes[i]));
  }
  return largest;
}

// Overwrites height and width in the first frame header (marker FF C0).
void claim_size(file_bytes& file, std::uint16_t height, std::uint16_t width) {
  const std::uint8_t marker[] = {0xFF, 0xC0};
  auto at = std::search(file.begin(), file.end(), std::begin(marker), std::end(marker));
  REQUIRE(file.end() - at > 9);
  const std::uint8_t claim[] = {
      static_cast<std::uint8_t>(height >> 8), static_cast<std::uint8_t>(height),
      static_cast<std::uint8_t>(width >> 8), static_cast<std::uint8_t>(width)};
  std::copy_n(claim, 4, at + 5);
}

}  // namespace

TEST_CASE("a JPEG comes back as three channels of its own size and colour") {
  picture red({40, 24}, 3);
  for (std::size_t i = 0; i < red.bytes.size(); i += 3) red.bytes[i] = 200;
  const file_bytes file = must(encode_jpeg(red, 95));
  CHECK(is_jpeg(file));
  CHECK(must(jpeg_size(file)) == picture_size{40, 24});
  const picture decoded = must(decode_jpeg(file));
  CHECK(decoded.size == red.size);
  CHECK(decoded.channels == 3);
  CHECK(largest_difference(decoded, red) <= 4);
}

TEST_CASE("a grey JPEG becomes RGB with three equal channels") {
  const picture decoded = must(decode_jpeg(must(encode_jpeg(flat_picture({17, 9}, 1, 90), 95))));
  CHECK(largest_difference(decoded, flat_picture({17, 9}, 3, 90)) <= 2);
}

TEST_CASE("a CMYK JPEG becomes RGB") {
  picture inks({16, 16}, 4);  // inverted, as Adobe writes it: no cyan, all magenta, no yellow
  for (std::size_t i = 0; i < inks.bytes.size(); i += 4) {
    inks.bytes[i] = 255;
    inks.bytes[i + 2] = 255;
    inks.bytes[i + 3] = 255;
  }
  const picture decoded = must(decode_jpeg(must(encode_jpeg(inks, 95))));
  REQUIRE(decoded.channels == 3);
  CHECK(decoded.bytes[0] >= 250);
  CHECK(decoded.bytes[1] <= 5);
  CHECK(decoded.bytes[2] >= 250);
}

TEST_CASE("a JPEG cut anywhere is damaged") {
  const file_bytes whole = must(encode_jpeg(busy_picture({64, 64}, 3), 90));
  for (std::size_t bytes = 2; bytes < whole.size() - 2; bytes += 13) {
    CAPTURE(bytes);
    const file_bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
    CHECK(must_fail(decode_jpeg(part)).kind == fault::damaged);
  }
}

TEST_CASE("a JPEG cut in its pixels is called premature") {
  file_bytes file = must(encode_jpeg(busy_picture({64, 64}, 3), 90));
  file.resize(file.size() * 3 / 4);
  CHECK(must_fail(decode_jpeg(file)).message == "Premature end of JPEG file");
}

TEST_CASE("a JPEG without its end marker is damaged though all pixels are there") {
  file_bytes file = must(encode_jpeg(busy_picture({64, 64}, 3), 90));
  file.resize(file.size() - 2);
  CHECK(must_fail(decode_jpeg(file)).kind == fault::damaged);
}

TEST_CASE("a JPEG with any of its bytes overwritten decodes or fails but never ends the program") {
  const file_bytes whole = must(encode_jpeg(busy_picture({32, 32}, 3), 80));
  std::size_t failures = 0;
  for (std::size_t i = 3; i < whole.size(); ++i) {
    file_bytes file = whole;
    file[i] = 0xFF;
    failures += std::holds_alternative<failure>(decode_jpeg(file)) ? 1 : 0;
  }
  CHECK(failures > 0);
}

TEST_CASE("a JPEG that claims an absurd size is refused before memory is taken for it") {
  file_bytes file = must(encode_jpeg(busy_picture({16, 16}, 3), 90));
  claim_size(file, 65500, 65500);
  CHECK(must(jpeg_size(file)) == picture_size{65500, 65500});
  CHECK(must_fail(decode_jpeg(file)).kind == fault::too_large);
}

TEST_CASE("a picture without pixels cannot become a JPEG") {
  CHECK(must_fail(encode_jpeg(picture({0, 0}, 3), 90)).message.find("Empty") == 0);
}

}  // namespace demo
