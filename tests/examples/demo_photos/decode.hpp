// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image.hpp"

namespace demo {

/// The first step of every photo: reads the file and decodes it, as JPEG or PNG by its first
/// bytes, whatever its name says. Always gives 3 channels.
outcome<picture> decode(const std::string& path);

/// What the file's header says, without decoding: tells how much work lies ahead.
outcome<picture_size> measure(const std::string& path);

}  // namespace demo
