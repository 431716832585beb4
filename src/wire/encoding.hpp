// SPDX-License-Identifier: Apache-2.0
#pragma once

// Messages as bytes and back. session.fbs describes the bytes; they are FlatBuffers, written and
// read here without that project's library. It has one C++ namespace for all its versions, so that
// a program which links another one beside ours would break in both; its headers print and abort
// where a caller errs; its generated code reads aligned memory only, after a walk of its own to
// verify. What we need of the format is small, and Debian's flatbuffers is the tests' witness that
// it is the format.

#include <cstddef>
#include <cstdint>
#include <span>

#include "beamlet/base/result.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {

/// Raised when old programs would misread what new ones say. An appended field or kind of message
/// does not raise it: the former is ignored, the latter is `unsupported`.
inline constexpr std::uint8_t format_version = 1;

/// A message as bytes of its own. Every message that this encodes is decoded by the other side.
///
/// Thread: any.   Blocks: no.   Cost: one pass; one allocation for most messages.
/// Errors: too_large (past a number in wire/limits.hpp; the error names the field),
/// invalid_argument (a field that contradicts itself), no_memory.
result<bytes> encode(const to_agent& message);
result<bytes> encode(const to_session& message);

/// The message that `encoded` is, copied out of it. Trusts nothing: each read is checked, all that
/// is copied together is no more than `encoded`, numbers and counts keep to wire/limits.hpp.
///
/// REQUIRES: nobody changes `encoded` meanwhile; the result would be some other message.
/// Thread: any.   Blocks: no.   Cost: one pass; what the message's vectors and texts allocate.
/// Errors: unsupported (a newer version or an unknown kind of message), malformed, no_memory.
/// Limits: any alignment.
result<to_agent> decode_to_agent(std::span<const std::byte> encoded);
result<to_session> decode_to_session(std::span<const std::byte> encoded);

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
