// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image.hpp"

namespace demo {

bool is_png(byte_view file);

/// Reads the header only.
outcome<picture_size> png_size(byte_view file);

/// Always gives 3 channels of 8 bits: grey, palette and 16-bit files become RGB, and transparent
/// parts are laid over white.
outcome<picture> decode_png(byte_view file);

/// 1 channel becomes a grey file, 3 RGB, 4 RGB with alpha.
outcome<file_bytes> encode_png(const picture& image);

}  // namespace demo
