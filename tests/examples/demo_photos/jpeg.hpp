// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image.hpp"

namespace demo {

bool is_jpeg(byte_view file);

/// Reads the header only.
outcome<picture_size> jpeg_size(byte_view file);

/// Always gives 3 channels; grey and CMYK become RGB. A truncated file is `damaged`: libjpeg would
/// fill the missing part with grey, and every figure computed from it would be wrong.
outcome<picture> decode_jpeg(byte_view file);

/// 1 channel becomes a grey file, 3 RGB, 4 CMYK (inverted, as Adobe writes it). `quality` 1 to 100.
outcome<file_bytes> encode_jpeg(const picture& image, int quality);

}  // namespace demo
