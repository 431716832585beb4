// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the runtime's tests share. No test sleeps: threads meet at gates and tallies, whose waits
// fail the test rather than hang, and watchdog_test.cpp ends a program whose test does not come
// back from a `get`.

#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include "loopback_engine.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace runtime_test {
using namespace beamlet;
using namespace std::chrono_literals;

inline constexpr auto safety = std::chrono::seconds(60);

/// Counts up; waits until a number is reached.
class tally {
 public:
  void add(int n = 1) {
    std::lock_guard hold(lock_);
    count_ += n;
    changed_.notify_all();
  }
  int count() const {
    std::lock_guard hold(lock_);
    return count_;
  }
  bool reaches(int n) const {
    std::unique_lock hold(lock_);
    bool reached = changed_.wait_for(hold, safety, [&] { return count_ >= n; });
    if (!reached) FAIL_CHECK("waited too long for " << n << ", there are " << count_);
    return reached;
  }

 private:
  mutable std::mutex lock_;
  mutable std::condition_variable changed_;
  int count_ = 0;
};

/// Opens once and stays open.
class gate {
 public:
  void open() { opened_.add(); }
  bool wait() const { return opened_.reaches(1); }
  bool is_open() const { return opened_.count() > 0; }

 private:
  tally opened_;
};

/// What happened, in order.
template <class T>
class journal {
 public:
  void add(T what) {
    std::lock_guard hold(lock_);
    entries_.push_back(std::move(what));
  }
  std::vector<T> entries() const {
    std::lock_guard hold(lock_);
    return entries_;
  }

 private:
  mutable std::mutex lock_;
  std::vector<T> entries_;
};

/// With BEAMLET_TEST_ENGINE=loopback in the environment everything goes through the other engine.
inline runtime start(runtime_options options = {.workers = 2}) {
  const char* engine = std::getenv("BEAMLET_TEST_ENGINE");
  if (engine != nullptr && engine == std::string_view("loopback"))
    options.engine = &common_loopback_engine();
  auto rt = runtime::start(options);
  if (!rt.has_value()) FAIL(rt.error().describe());
  return *std::move(rt);
}

template <class T>
errc code_of(const result<T>& r) {
  return r.has_value() ? errc::ok : r.error().code();
}

/// Success or failure without the value.
template <class T>
result<void> outcome_of(const result<T>& r) {
  return r.has_value() ? result<void>() : result<void>(r.error());
}

/// The code that the object failed with.
template <class T>
errc failure(const runtime_handle& rt, const ref<T>& object) {
  return code_of(rt.get(object));
}

inline bool mentions(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

/// Keeps a runtime's only worker busy until it is told otherwise.
class busy_worker {
 public:
  explicit busy_worker(const runtime_handle& rt)
      : task_(rt.task([this] {
                  started_.open();
                  leave_.wait();
                }).remote()) {
    started_.wait();
  }
  void leave() { leave_.open(); }
  ~busy_worker() {
    leave();
    while (!task_.ready()) std::this_thread::yield();
  }

 private:
  gate started_, leave_;
  ref<void> task_;
};

#if BEAMLET_THREAD_SANITIZER || BEAMLET_ADDRESS_SANITIZER
inline constexpr int frame_factor = 8;  // frames of code under a sanitizer are larger
#else
inline constexpr int frame_factor = 1;
#endif

}  // namespace runtime_test
