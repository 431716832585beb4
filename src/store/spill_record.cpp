// SPDX-License-Identifier: Apache-2.0
#include "store/spill_record.hpp"

#include <string>

#include "beamlet/base/bytes.hpp"
#include "store/crc32c.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
constexpr std::uint32_t spill_magic = 0x50534c42;  // "BLSP", little-endian

object_id read_id(const std::byte* at) noexcept {
  return {.node = base::load_le<std::uint64_t>(at),
          .boot = base::load_le<std::uint32_t>(at + 8),
          .session = base::load_le<std::uint32_t>(at + 12),
          .sequence = base::load_le<std::uint64_t>(at + 16),
          .guard = base::load_le<std::uint64_t>(at + 24)};
}

std::uint32_t checksum(std::span<const std::byte> head, std::span<const std::byte> payload) {
  return crc32c(payload, crc32c(head.subspan(8, spill_head_bytes - 8)));
}

error damaged(const object_id& id, const char* what) {
  return error(errc::malformed, error_layer::store,
               {.message = "spill record of object " + id.to_string() + ": " + what,
                .type = {},
                .function = {},
                .cause = {}});
}
}  // namespace

std::array<std::byte, spill_head_bytes> make_spill_head(const object_id& id,
                                                        std::span<const std::byte> payload) {
  std::array<std::byte, spill_head_bytes> head{};
  base::store_le(&head[0], spill_magic);
  base::store_le(&head[8], std::uint64_t{payload.size()});
  base::store_le(&head[16], id.node);
  base::store_le(&head[24], id.boot);
  base::store_le(&head[28], id.session);
  base::store_le(&head[32], id.sequence);
  base::store_le(&head[40], id.guard);
  base::store_le(&head[4], checksum(head, payload));
  return head;
}

result<void> check_spill_record(const object_id& id, std::span<const std::byte> head,
                                std::span<const std::byte> payload) {
  if (head.size() != spill_head_bytes) return damaged(id, "its head is cut short");
  if (base::load_le<std::uint32_t>(&head[0]) != spill_magic) return damaged(id, "it is no record");
  if (base::load_le<std::uint64_t>(&head[8]) != payload.size())
    return damaged(id, "its length differs");
  if (read_id(&head[16]) != id) return damaged(id, "it is another object's");
  if (base::load_le<std::uint32_t>(&head[4]) != checksum(head, payload))
    return damaged(id, "its checksum differs");
  return {};
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
