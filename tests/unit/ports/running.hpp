// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <utility>

#include "ports/threads.hpp"

/// A thread that runs a callable, for tests.
class running {
 public:
  explicit running(std::function<void()> body, const beamlet::ports::thread_options& options = {})
      : body_(std::move(body)), thread_(start(options)) {}
  ~running() {
    if (thread_.joinable()) thread_.join();
  }
  running(const running&) = delete;
  running& operator=(const running&) = delete;

  void join() { thread_.join(); }
  beamlet::ports::thread& thread() { return thread_; }

 private:
  beamlet::ports::thread start(const beamlet::ports::thread_options& options) {
    auto call = [](void* body) { (*static_cast<std::function<void()>*>(body))(); };
    auto started = beamlet::ports::thread::start(options, call, &body_);
    REQUIRE(started.has_value());
    return *std::move(started);
  }

  std::function<void()> body_;
  beamlet::ports::thread thread_;
};
