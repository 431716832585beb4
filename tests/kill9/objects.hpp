// SPDX-License-Identifier: Apache-2.0
#pragma once

// Objects whose size and bytes follow from their ids: every reader can tell a wrong byte.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "beamlet/base/id.hpp"
#include "beamlet/base/result.hpp"
#include "node/session.hpp"

namespace kill9 {
using namespace beamlet;

inline constexpr base::time_ns wait_ns = 120'000'000'000;  // much longer than anything here lasts

/// Nanoseconds of a clock that all processes of the machine share.
base::time_ns now_ns();

/// From 1 KiB to 1 MiB, each power of two as likely as another.
std::size_t size_of(const object_id& id);
void fill(std::byte* bytes, const object_id& id);
/// Empty, or what is wrong.
std::string compare(const object_id& id, const std::byte* bytes, std::size_t count);
error wrong(std::string what);

/// What a session is told and does not care about.
struct quiet_host final : node::session_host {
  void on_execute(wire::call, std::vector<node::arrived> objects) override {
    for (node::arrived& each : objects) each.bytes.drop(each.bytes.keeper);
  }
  void on_abort(const object_id&, std::uint32_t) override {}
  void on_sealed(const object_id&, const error&, std::optional<node::arrived> value) override {
    if (value) value->bytes.drop(value->bytes.keeper);
  }
  void on_actor_ended(const object_id&, const error&) override {}
  void on_pressure(std::uint64_t) override {}
  void on_drain() override {}
  void on_lost(const error&) override {}
};

/// A session that makes and checks such objects.
class worker {
 public:
  explicit worker(std::uint64_t seed) : random(seed), session(host_) {}
  /// Errors: those of session::open().
  result<void> open(std::unique_ptr<node::agent_link> link);

  /// Memory for an object, written by `fill`, sealed and known to the agent.
  result<node::block> create(const object_id& id) { return session.allocate(size_of(id), wait_ns); }
  result<void> seal(const object_id& id, const node::block& at);
  /// Fetches an object that this session holds and checks every byte.
  ///
  /// Errors: malformed for a wrong byte, and what came instead of the object.
  result<void> get(const object_id& id);
  /// The same for what another session has made and may have dropped, which is no error.
  result<bool> get_if_there(const object_id& id);

  std::size_t below(std::size_t end) { return random() % end; }

  std::mt19937_64 random;

 private:
  quiet_host host_;

 public:
  node::session session;
};

}  // namespace kill9
