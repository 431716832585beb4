// SPDX-License-Identifier: Apache-2.0
// Whatever the stream is, and however it is cut, the frame reader gives the same frames and the
// same end, and no more bytes than there were. The first byte of an input chooses the cut, the
// second how many descriptors come with each piece.

#include <beamlet/base/bytes.hpp>
#include <beamlet/base/panic.hpp>

#include <algorithm>
#include <string>

#include "fuzz.hpp"
#include "ports/frame.hpp"

namespace {
using namespace beamlet;

constexpr std::size_t fuzz_frame_bytes_max = 256;

struct outcome {
  std::vector<std::string> frames;
  std::size_t descriptors = 0;
  errc end = errc::ok;
};

void take_frames(ports::frame_reader& reader, outcome& seen) {
  while (seen.end == errc::ok) {
    auto next = reader.next();
    if (!next.has_value()) seen.end = next.error().code();
    else if (!*next) return;
    else {
      BEAMLET_ASSERT((*next)->bytes.size() <= fuzz_frame_bytes_max, "the limit holds");
      seen.frames.emplace_back(base::text_of((*next)->bytes));
      seen.descriptors += (*next)->descriptors.size();
    }
  }
}

outcome read_in_pieces(std::span<const std::byte> stream, std::size_t piece,
                       std::size_t descriptors) {
  ports::frame_reader reader(fuzz_frame_bytes_max);
  outcome seen;
  for (std::size_t at = 0; at < stream.size() && seen.end == errc::ok; at += piece) {
    auto part = stream.subspan(at, std::min(piece, stream.size() - at));
    std::copy(part.begin(), part.end(), reader.room(part.size()).begin());
    reader.filled(part.size(), std::vector<ports::descriptor>(descriptors));
    take_frames(reader, seen);
  }
  reader.end();
  take_frames(reader, seen);
  return seen;
}

void add_frame(fuzz::input& input, std::string_view text, std::size_t descriptors) {
  for (std::byte b : ports::frame_header(text.size(), descriptors)) {
    input.push_back(std::to_integer<std::uint8_t>(b));
  }
  input.insert(input.end(), text.begin(), text.end());
  input.resize(input.size() + ports::frame_padding(text.size()));
}
}  // namespace

std::vector<fuzz::input> fuzz::seeds() {
  input plain{8, 0}, given{64, 1};
  for (std::string_view text : {"", "one", "a longer one, of more than 8 bytes", "last"}) {
    add_frame(plain, text, 0);
  }
  add_frame(plain, std::string(fuzz_frame_bytes_max, 'x'), 0);
  add_frame(given, std::string(48, 'y'), 1);
  add_frame(given, "with one", 1);
  return {plain, given};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::size_t piece = data[0] + 1u, descriptors = data[1] % (ports::frame_descriptors_max + 1);
  auto stream = std::as_bytes(std::span(data + 2, size - 2));
  outcome cut = read_in_pieces(stream, piece, descriptors);
  std::size_t bytes = 0;
  for (const std::string& each : cut.frames) bytes += ports::frame_header_bytes + each.size();
  BEAMLET_ASSERT(bytes <= stream.size(), "no frame is made up");
  BEAMLET_ASSERT(
      cut.end == errc::closed || cut.end == errc::malformed || cut.end == errc::too_large,
      "only these can happen");
  if (descriptors == 0) {
    outcome whole = read_in_pieces(stream, stream.size() + 1, 0);
    BEAMLET_ASSERT(whole.frames == cut.frames && whole.end == cut.end, "a cut changes nothing");
    BEAMLET_ASSERT(cut.descriptors == 0, "no descriptor is made up");
  }
  return 0;
}
