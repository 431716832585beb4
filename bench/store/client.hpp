// SPDX-License-Identifier: Apache-2.0
// What the programs of this folder share: sessions of an agent, and a clock.
#pragma once

#include <beamlet/beamlet.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "node/agent_thread.hpp"
#include "node/session.hpp"

namespace beamlet::store_bench {

using steady = std::chrono::steady_clock;

constexpr base::time_ns long_enough = 60'000'000'000;

template <class T>
T must(result<T> r, const char* what) {
  if (r.has_value()) return *std::move(r);
  std::fprintf(stderr, "%s: %s\n", what, r.error().describe().c_str());
  std::exit(1);
}
inline void must(const result<void>& r, const char* what) {
  if (r.has_value()) return;
  std::fprintf(stderr, "%s: %s\n", what, r.error().describe().c_str());
  std::exit(1);
}

inline double seconds(const std::function<void()>& work) {
  auto start = steady::now();
  work();
  return std::chrono::duration<double>(steady::now() - start).count();
}
inline double median(std::vector<double> all) {
  std::nth_element(all.begin(), all.begin() + static_cast<long>(all.size() / 2), all.end());
  return all[all.size() / 2];
}

struct silent final : node::session_host {
  void on_execute(wire::call, std::vector<node::arrived>) override {}
  void on_abort(const object_id&, std::uint32_t) override {}
  void on_sealed(const object_id&, const error&, std::optional<node::arrived> value) override {
    if (value.has_value()) drop(*value);
  }
  void on_actor_ended(const object_id&, const error&) override {}
  void on_pressure(std::uint64_t) override {}
  void on_drain() override {}
  void on_lost(const error&) override {}
  static void drop(node::arrived& one) {
    if (one.bytes.drop != nullptr) one.bytes.drop(one.bytes.keeper);
  }
};

/// A program of the box, with a session of its own.
struct client {
  silent host;
  node::session session{host};

  explicit client(const std::string& path) {
    auto link = must(node::connect_to_box(path, session), "connect");
    std::uint64_t secret = static_cast<std::uint64_t>(getpid());
    must(session.open(std::move(link),
                      {.program = "bench",
                       .now_ns =
                           [] {
                             return static_cast<base::time_ns>(
                                 steady::now().time_since_epoch().count());
                           },
                       .secret = {secret, secret * 7919}},
                      long_enough),
         "open");
  }
  object_id put(std::size_t bytes, const std::byte* from) {
    auto room = must(session.allocate(bytes, long_enough), "allocate");
    std::memcpy(room.data, from, bytes);
    object_id id = session.mint();
    session.publish(id);
    session.fulfil(id, {.place = room, .size = bytes});
    return id;
  }
  std::vector<node::arrived> fetch(std::span<const object_id> ids) {
    return must(session.fetch(ids, 0, long_enough), "fetch");
  }
};

}  // namespace beamlet::store_bench
