// SPDX-License-Identifier: Apache-2.0
#pragma once

// The session's end of a connection to an agent of another process, with a thread of its own that
// reads it: for a program whose other threads have something else to do, or wait.

#include <cstdint>
#include <memory>

#include "node/link.hpp"
#include "ports/local_socket.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// Lifetime: may be destroyed on any thread, in a call of its receiver too: it waits for a call
/// that runs on another thread, so not under a lock that the receiver takes. In a fork it must only
/// be destroyed.
class reading_link final : public agent_link {
 public:
  /// `socket` was made with link_limits. `receiver` must outlive the link; it is called on the
  /// link's thread.
  ///
  /// Thread: any.   Blocks: until the thread runs.   Errors: exhausted (threads, descriptors),
  /// no_memory.
  static result<std::unique_ptr<agent_link>> make(ports::local_socket socket,
                                                  agent_messages& receiver);
  ~reading_link() override;

  result<void> send(wire::to_agent message) override;
  void give_up() override;
  /// Nothing to read for others: returns at once.
  bool pump(std::uint64_t) override { return false; }
  bool read_by_this_thread() const override { return false; }

 private:
  class reader;
  explicit reading_link(std::shared_ptr<reader> reader);

  std::shared_ptr<reader> reader_;  // its thread keeps it too
  ports::thread thread_;
  std::uint32_t generation_;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
