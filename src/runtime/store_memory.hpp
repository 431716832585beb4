// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values of buffers and tensors in the object store: built there, or copied there to leave.

#include <cstddef>
#include <memory>
#include <span>

#include "beamlet/runtime/buffer.hpp"
#include "node/session.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// Thread: any.   Blocks: as session::allocate, for a minute at most.
class store_memory final : public memory_source {
 public:
  explicit store_memory(std::shared_ptr<node::session> session) : session_(std::move(session)) {}

  /// From the heap once the agent is lost.
  result<memory_block> allocate(std::size_t bytes, std::size_t align) override;

  /// The value for the agent. Without a copy where it is all of a block of this source that is no
  /// object yet.
  node::made object_of(const placed_value& value);
  /// The two parts, one behind the other, as a large value for the agent.
  node::made copy_of(std::span<const std::byte> payload, std::span<const std::byte> trailer);

 private:
  struct block;
  block* claim(const buffer& payload) const;

  const std::shared_ptr<node::session> session_;
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
