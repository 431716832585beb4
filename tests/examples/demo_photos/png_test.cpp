// SPDX-License-Identifier: Apache-2.0
#include "png.hpp"

#include <png.h>

#include "test_support.hpp"

namespace demo {
namespace {

// What encode_png does not write: a palette of two colours, four pixels.
file_bytes palette_png() {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = 2;
  image.height = 2;
  image.format = PNG_FORMAT_RGB_COLORMAP;
  image.colormap_entries = 2;
  const std::uint8_t colours[] = {10, 20, 30, 200, 210, 220};
  const std::uint8_t indices[] = {0, 1, 1, 0};
  file_bytes file(4096);
  png_alloc_size_t bytes = file.size();
  REQUIRE(png_image_write_to_memory(&image, file.data(), &bytes, 0, indices, 0, colours));
  file.resize(bytes);
  return file;
}

void append(png_structp png, png_bytep bytes, std::size_t count) {
  auto* file = static_cast<file_bytes*>(png_get_io_ptr(png));
  file->insert(file->end(), bytes, bytes + count);
}

// A header by libpng, and grey rows of 16 bits when `rows` are given.
file_bytes grey16_png(std::uint32_t width, std::uint32_t height, png_bytepp rows) {
  file_bytes file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &file, append, nullptr);
  png_set_IHDR(png, info, width, height, 16, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  if (rows != nullptr) {
    png_write_image(png, rows);
    png_write_end(png, info);
  }
  png_destroy_write_struct(&png, &info);
  return file;
}

}  // namespace

TEST_CASE("a PNG comes back byte for byte") {
  const picture image = busy_picture({33, 21}, 3);
  const file_bytes file = must(encode_png(image));
  CHECK(is_png(file));
  CHECK(must(png_size(file)) == image.size);
  CHECK(must(decode_png(file)) == image);
}

TEST_CASE("a grey PNG becomes RGB with three equal channels") {
  const picture decoded = must(decode_png(must(encode_png(flat_picture({5, 4}, 1, 77)))));
  CHECK(decoded == flat_picture({5, 4}, 3, 77));
}

TEST_CASE("a palette PNG becomes RGB") {
  const picture decoded = must(decode_png(palette_png()));
  CHECK(decoded.channels == 3);
  CHECK(decoded.bytes == file_bytes{10, 20, 30, 200, 210, 220, 200, 210, 220, 10, 20, 30});
}

TEST_CASE("transparent parts of a PNG are laid over white") {
  picture image({2, 1}, 4);
  image.bytes = {10, 20, 30, 255, 10, 20, 30, 0};
  const picture decoded = must(decode_png(must(encode_png(image))));
  CHECK(decoded.bytes == file_bytes{10, 20, 30, 255, 255, 255});
}

TEST_CASE("a PNG of 16 bits keeps the upper ones") {
  std::uint8_t top[] = {0x00, 0x00, 0x80, 0x80};
  std::uint8_t bottom[] = {0x40, 0x40, 0xFF, 0xFF};
  std::uint8_t* rows[] = {top, bottom};
  const picture decoded = must(decode_png(grey16_png(2, 2, rows)));
  CHECK(decoded.bytes == file_bytes{0, 0, 0, 0x80, 0x80, 0x80, 0x40, 0x40, 0x40, 0xFF, 0xFF, 0xFF});
}

TEST_CASE("a PNG cut anywhere before its end is damaged") {
  const file_bytes whole = must(encode_png(busy_picture({64, 64}, 3)));
  const std::size_t end_chunk_bytes = 12;
  for (std::size_t bytes = 8; bytes + end_chunk_bytes < whole.size(); bytes += 97) {
    CAPTURE(bytes);
    const file_bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
    CHECK(must_fail(decode_png(part)).kind == fault::damaged);
  }
}

TEST_CASE("a PNG with a wrong byte in its pixels is damaged") {
  file_bytes file = must(encode_png(busy_picture({64, 64}, 3)));
  file[file.size() / 2] ^= 0x55;
  CHECK(must_fail(decode_png(file)).kind == fault::damaged);
}

TEST_CASE("a PNG that claims an absurd size is refused before memory is taken for it") {
  const std::uint32_t side = 60'000;
  file_bytes file = grey16_png(side, side, nullptr);
  const file_bytes pixels = must(encode_png(flat_picture({1, 1}, 1, 0)));
  file.insert(file.end(), pixels.begin() + 33, pixels.end());  // after signature and header
  CHECK(must_fail(decode_png(file)).kind == fault::too_large);
}

TEST_CASE("a picture without pixels cannot become a PNG") {
  CHECK(std::holds_alternative<failure>(encode_png(picture({0, 0}, 3))));
}

}  // namespace demo
