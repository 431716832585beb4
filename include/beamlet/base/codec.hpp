// SPDX-License-Identifier: Apache-2.0
#pragma once

// How values become bytes: `codec<T>`, with codecs for scalars, containers, the other value types
// of the standard library, and structs that list their fields:
//
//   struct point { double x, y;  BEAMLET_FIELDS(x, y); };
//
// A codec of your own is a specialisation in namespace beamlet:
//
//   template <> struct codec<colour> {
//     static void encode(writer& out, const colour& c) { out.number(c.rgb()); }
//     static result<colour> decode(reader& in) { return colour(in.number<std::uint32_t>()); }
//     static void name(std::string& out) { out += "colour"; }
//   };
//
// - `encode` appends at least one byte, so that no count can promise more elements than there are
//   bytes.
// - `decode` returns a value or fails; it may return anything after the reader failed. Bytes are
//   hostile.
// - `name` is part of the wire name of functions that take a `T`. Two types with one name must have
//   one format.
//
// The bytes and names are the same from every compiler and word size. `long` is therefore an i64
// everywhere; `std::size_t` is whatever integer the platform made it, so send std::uint64_t in its
// place. `wchar_t` and `long double` have no codec.

#include <beamlet/base/codec_containers.hpp>
#include <beamlet/base/codec_core.hpp>
#include <beamlet/base/codec_fields.hpp>
#include <beamlet/base/codec_io.hpp>
#include <beamlet/base/codec_std.hpp>
