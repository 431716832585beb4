// SPDX-License-Identifier: Apache-2.0
#include "ports/frame.hpp"

#include <beamlet/base/bytes.hpp>

#include <algorithm>
#include <cstring>
#include <string>

#include "ports/port_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

constexpr std::uint16_t frame_mark = 0xbea3;
// A buffer that one large frame made larger than this is given back when it is empty.
constexpr std::size_t frame_buffer_kept_max = std::size_t{256} << 10;

}  // namespace

std::array<std::byte, frame_header_bytes> frame_header(std::size_t bytes, std::size_t descriptors) {
  std::array<std::byte, frame_header_bytes> header;
  base::store_le(header.data(), static_cast<std::uint32_t>(bytes));
  base::store_le(header.data() + 4, static_cast<std::uint16_t>(descriptors));
  base::store_le(header.data() + 6, frame_mark);
  return header;
}

std::span<std::byte> frame_reader::room(std::size_t bytes) {
  if (begin_ == end_ && buffer_.size() > frame_buffer_kept_max) buffer_ = {};
  if (begin_ != 0) {
    // begin_ is a multiple of 8 and so is each frame: what moves stays aligned.
    std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
    end_ -= std::exchange(begin_, 0);
  }
  if (buffer_.size() - end_ < bytes) {
    buffer_.resize(std::max(end_ + bytes, buffer_.size() * 2));
  }
  return std::span(buffer_).subspan(end_);
}

void frame_reader::filled(std::size_t bytes, std::vector<descriptor> descriptors) {
  end_ += bytes;
  for (descriptor& each : descriptors) descriptors_.push_back(std::move(each));
}

result<std::optional<frame>> frame_reader::next() {
  if (failed_.code() != errc::ok) return failed_;
  if (held() < frame_header_bytes) {
    if (held() == 0 && !descriptors_.empty()) {
      return fail(port_error(errc::malformed, "descriptors came without a frame"));
    }
    if (!ended_) return std::optional<frame>();
    if (held() != 0) return fail(port_error(errc::malformed, "the stream ended within a frame"));
    return fail(port_error(errc::closed, "the other end has closed"));
  }
  const std::byte* header = buffer_.data() + begin_;
  auto bytes = base::load_le<std::uint32_t>(header);
  auto descriptors = base::load_le<std::uint16_t>(header + 4);
  if (base::load_le<std::uint16_t>(header + 6) != frame_mark) {
    return fail(port_error(errc::malformed, "these bytes are no frame"));
  }
  if (bytes > frame_bytes_max_) {
    return fail(port_error(errc::too_large, "a frame of " + std::to_string(bytes) +
                                                " bytes; the limit is " +
                                                std::to_string(frame_bytes_max_)));
  }
  return take(bytes, descriptors);
}

result<std::optional<frame>> frame_reader::take(std::size_t bytes, std::size_t descriptors) {
  std::size_t total = frame_header_bytes + bytes + frame_padding(bytes);
  bool whole = held() >= total;
  // They come with the header, so none may be missing; and before the next header no others may
  // come.
  if (descriptors > descriptors_.size() || (!whole && descriptors < descriptors_.size())) {
    return fail(port_error(errc::malformed, "a frame of " + std::to_string(descriptors) +
                                                " descriptors came with " +
                                                std::to_string(descriptors_.size())));
  }
  if (!whole) {
    if (!ended_) return std::optional<frame>();
    return fail(port_error(errc::malformed, "the stream ended within a frame"));
  }
  std::span<const std::byte> content(buffer_.data() + begin_ + frame_header_bytes, bytes);
  const std::byte* padding = content.data() + bytes;
  if (std::any_of(padding, padding + frame_padding(bytes),
                  [](std::byte b) { return b != std::byte{0}; })) {
    return fail(port_error(errc::malformed, "a frame's padding is not zero"));
  }
  begin_ += total;
  frame taken{.bytes = content, .descriptors = {}};
  auto split = descriptors_.begin() + static_cast<std::ptrdiff_t>(descriptors);
  std::move(descriptors_.begin(), split, std::back_inserter(taken.descriptors));
  descriptors_.erase(descriptors_.begin(), split);
  return std::optional<frame>(std::move(taken));
}

result<std::optional<frame>> frame_reader::fail(error why) {
  descriptors_.clear();
  failed_ = std::move(why);
  return failed_;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
