// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes are, decoding a message gives malformed, unsupported, or a message that
// encodes and arrives the same. The first byte of an input chooses the direction.

#include <cstring>
#include <span>

#include "fuzz.hpp"
#include "tests/unit/wire/samples.hpp"
#include "wire/encoding.hpp"

namespace {
using namespace beamlet;

template <class Decode>
void check(Decode decode, std::span<const std::byte> encoded) {
  auto message = decode(encoded);
  if (!message.has_value()) {
    BEAMLET_ASSERT(message.error() == errc::malformed || message.error() == errc::unsupported,
                   "what is no message is malformed or unsupported");
    return;
  }
  auto again = wire::encode(*message);
  BEAMLET_ASSERT(again.has_value(), "what was decoded encodes");
  auto same = decode(*again);
  BEAMLET_ASSERT(same.has_value() && samples::same(*same, *message), "and arrives the same");
}

template <class Message>
void add_seeds(std::vector<fuzz::input>& all, std::uint8_t chosen,
               const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    auto encoded = wire::encode(message);
    BEAMLET_ASSERT(encoded.has_value(), "samples encode");
    fuzz::input input(1 + encoded->size(), chosen);
    std::memcpy(input.data() + 1, encoded->data(), encoded->size());
    all.push_back(std::move(input));
  }
}
}  // namespace

std::vector<fuzz::input> fuzz::seeds() {
  std::vector<fuzz::input> all;
  add_seeds(all, 0, samples::to_agents());
  add_seeds(all, 1, samples::to_sessions());
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto encoded = std::as_bytes(std::span(data + 1, size - 1));
  if (data[0] % 2 == 0) check(wire::decode_to_agent, encoded);
  else check(wire::decode_to_session, encoded);
  return 0;
}
