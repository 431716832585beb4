// SPDX-License-Identifier: Apache-2.0
#include "decode.hpp"

#include "files.hpp"
#include "jpeg.hpp"
#include "png.hpp"

namespace demo {
namespace {

template <class Jpeg, class Png>
auto read_as(const std::string& path, Jpeg jpeg, Png png) -> decltype(jpeg(byte_view())) {
  auto content = read_file(path);
  if (auto* failed = std::get_if<failure>(&content)) return std::move(*failed);
  const auto& file = std::get<file_bytes>(content);
  if (is_jpeg(file)) return jpeg(file);
  if (is_png(file)) return png(file);
  if (file.empty()) return failure{fault::not_an_image, "the file is empty"};
  return failure{fault::not_an_image, "neither JPEG nor PNG"};
}

}  // namespace

outcome<picture> decode(const std::string& path) { return read_as(path, decode_jpeg, decode_png); }

outcome<picture_size> measure(const std::string& path) {
  return read_as(path, jpeg_size, png_size);
}

}  // namespace demo
