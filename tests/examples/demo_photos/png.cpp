// SPDX-License-Identifier: Apache-2.0
#include "png.hpp"

#include <png.h>

namespace demo {
namespace {

// libpng's simplified interface keeps its setjmp to itself: it answers 0 and leaves a message, and
// it converts every kind of PNG to the one format we ask for.
struct png_file {
  png_image image{};

  png_file() { image.version = PNG_IMAGE_VERSION; }
  png_file(const png_file&) = delete;
  png_file& operator=(const png_file&) = delete;
  ~png_file() { png_image_free(&image); }

  bool read_header(byte_view file) {
    return png_image_begin_read_from_memory(&image, file.data(), file.size()) != 0;
  }
  picture_size size() const {
    return {static_cast<int>(image.width), static_cast<int>(image.height)};
  }
  failure why() const { return {fault::damaged, image.message}; }
};

}  // namespace

bool is_png(byte_view file) { return file.size() >= 8 && png_sig_cmp(file.data(), 0, 8) == 0; }

outcome<picture_size> png_size(byte_view file) {
  png_file png;
  if (!png.read_header(file)) return png.why();
  return png.size();
}

outcome<picture> decode_png(byte_view file) {
  png_file png;
  if (!png.read_header(file)) return png.why();
  if (png.size().pixels() > photo_pixels_max) {
    return failure{fault::too_large, "claims more pixels than this program decodes"};
  }
  png.image.format = PNG_FORMAT_RGB;
  // 16 bits without a gamma are a photo's, not linear light.
  png.image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  picture decoded(png.size(), 3);
  const png_color white{255, 255, 255};
  if (!png_image_finish_read(&png.image, &white, decoded.bytes.data(), 0, nullptr)) {
    return png.why();
  }
  return decoded;
}

outcome<file_bytes> encode_png(const picture& image) {
  png_file png;
  png.image.width = static_cast<png_uint_32>(image.size.width);
  png.image.height = static_cast<png_uint_32>(image.size.height);
  png.image.format = image.channels == 1   ? PNG_FORMAT_GRAY
                     : image.channels == 3 ? PNG_FORMAT_RGB
                                           : PNG_FORMAT_RGBA;
  file_bytes file(PNG_IMAGE_PNG_SIZE_MAX(png.image));
  png_alloc_size_t bytes = file.size();
  if (!png_image_write_to_memory(&png.image, file.data(), &bytes, 0, image.bytes.data(), 0,
                                 nullptr)) {
    return png.why();
  }
  file.resize(bytes);
  return file;
}

}  // namespace demo
