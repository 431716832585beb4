// SPDX-License-Identifier: Apache-2.0
#pragma once

// The processor as a device with a driver that fails on request, and that tells what it was asked.

#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "compute/cpu/cpu_device.hpp"
#include "runtime/device_service.hpp"
#include "tests/unit/devices/floats.hpp"

namespace device_tests {
using namespace beamlet;
using namespace std::chrono_literals;

/// What a device leaves where results belong: also one number that is wrong, or nothing at all.
enum class answers { right, wrong, missing };

/// What one device is to do wrong, and what it did.
struct switches {
  std::atomic<bool> opens{true}, allocates{true}, imports{true}, launches{true}, submits{true},
      waits{true}, is_lost{false};
  std::atomic<answers> gives{answers::right};
  std::atomic<errc> launch_error{errc::ok}, wait_error{errc::ok};  // of one launch, or wait
  std::atomic<int> good_waits{0};                                  // before that
  std::uint64_t now_ns = 0, wait_ns = 0;  // a clock that only waits move, by so much
  std::atomic<int> opened{0}, allocated{0}, refused{0}, imported{0}, submitted{0}, waited{0};
  std::atomic<std::uint64_t> room_bytes{UINT64_MAX}, least_room_bytes{UINT64_MAX};  // not allocated

  /// While it is closed the device does not finish.
  void close() { let_pass(0); }
  void open() { let_pass(INT_MAX); }
  /// So many waits end, then it is closed.
  void let_pass(int waits) {
    std::lock_guard hold(lock_);
    passes_ = waits;
    changed_.notify_all();
  }
  bool pass(std::uint64_t timeout_ns) {
    std::unique_lock hold(lock_);
    const auto limit =
        std::chrono::nanoseconds(std::min<std::uint64_t>(timeout_ns, 60'000'000'000));
    if (!changed_.wait_for(hold, limit, [&] { return passes_ > 0; })) return false;
    if (passes_ != INT_MAX) --passes_;
    return true;
  }
  void note(const std::string& what) {
    std::lock_guard hold(lock_);
    log_ += what;
    changed_.notify_all();
  }
  std::string log() const {
    std::lock_guard hold(lock_);
    return log_;
  }
  bool logs(const std::string& text) {
    std::unique_lock hold(lock_);
    return changed_.wait_for(hold, 60s, [&] { return log_.find(text) != log_.npos; });
  }
  /// Buffers that went, by their bytes.
  void note_freed(std::uint64_t bytes) {
    std::lock_guard hold(lock_);
    freed_.push_back(bytes);
  }
  std::vector<std::uint64_t> freed() const {
    std::lock_guard hold(lock_);
    return freed_;
  }

 private:
  mutable std::mutex lock_;
  std::condition_variable changed_;
  int passes_ = INT_MAX;
  std::string log_;
  std::vector<std::uint64_t> freed_;
};

inline error broken(errc code) {
  return error(code, error_layer::compute, {"the test's device was told to fail", "", "", ""});
}

/// What a lost device may still use is never freed, on purpose. The leak sanitizer finds it here.
inline void remember(const compute::device_buffer* memory) {
  static std::mutex lock;
  static auto* const all = new std::vector<const compute::device_buffer*>;
  std::lock_guard hold(lock);
  all->push_back(memory);
}

class switched_buffer final : public compute::device_buffer {
 public:
  switched_buffer(std::unique_ptr<compute::device_buffer> real, std::shared_ptr<switches> s)
      : device_buffer(real->bytes(), real->is_mappable(), real->is_imported()),
        real_(std::move(real)),
        how_(std::move(s)) {
    if (!is_imported()) how_->room_bytes -= bytes();
    how_->least_room_bytes = std::min<std::uint64_t>(how_->least_room_bytes, how_->room_bytes);
    remember(this);
  }
  ~switched_buffer() override {
    how_->note_freed(bytes());
    if (!is_imported()) how_->room_bytes += bytes();
  }
  result<std::byte*> map(compute::memory_access access, base::time_ns timeout_ns) override {
    return real_->map(access, timeout_ns);
  }
  result<void> unmap() override { return real_->unmap(); }
  static compute::binding real(compute::binding one) {
    one.memory = static_cast<switched_buffer*>(one.memory)->real_.get();
    return one;
  }

 private:
  std::unique_ptr<compute::device_buffer> real_;
  std::shared_ptr<switches> how_;
};

class switched_queue final : public compute::device_queue {
 public:
  switched_queue(std::unique_ptr<compute::device_queue> real, std::shared_ptr<switches> s)
      : real_(std::move(real)), how_(std::move(s)) {}
  result<void> launch(const compute::kernel& what, const compute::kernel_launch& how) override {
    if (how_->is_lost) return broken(errc::device_lost);
    if (!how_->launches) return broken(errc::unsupported);
    if (const errc why = how_->launch_error.exchange(errc::ok); why != errc::ok) return broken(why);
    if (how_->gives == answers::missing) return {};
    std::vector<compute::binding> bindings;
    for (const compute::binding& one : how.bindings) bindings.push_back(switched_buffer::real(one));
    compute::kernel_launch real = how;
    real.bindings = bindings;
    BEAMLET_TRY_VOID(real_->launch(what, real));
    return how_->gives == answers::wrong ? spoil(bindings.back()) : result<void>();
  }
  result<void> copy(const compute::binding& from, const compute::binding& to) override {
    return real_->copy(switched_buffer::real(from), switched_buffer::real(to));
  }
  result<std::uint64_t> submit() override {
    if (!how_->submits) return broken(errc::device_lost);
    ++how_->submitted;
    how_->note("s");
    return real_->submit();
  }
  result<void> wait(std::uint64_t ticket, base::time_ns timeout_ns) override {
    how_->note("w");
    how_->now_ns += how_->wait_ns;
    if (!how_->pass(timeout_ns)) return broken(errc::timeout);
    if (!how_->waits || how_->is_lost) return broken(errc::device_lost);
    if (how_->wait_error != errc::ok && how_->good_waits-- == 0)
      return broken(how_->wait_error.exchange(errc::ok));
    ++how_->waited;
    return real_->wait(ticket, timeout_ns);
  }

 private:
  /// Makes the first number of the last binding wrong, where the kernels that the tests run write.
  static result<void> spoil(const compute::binding& what) {
    const float wrong = 12345;
    BEAMLET_TRY(std::byte * at, what.memory->map(compute::memory_access::read_write, 0));
    std::memcpy(at + what.offset, &wrong, std::min<std::uint64_t>(sizeof wrong, what.bytes));
    return what.memory->unmap();
  }

  std::unique_ptr<compute::device_queue> real_;
  std::shared_ptr<switches> how_;
};

class switched_device final : public compute::device {
 public:
  switched_device(compute::device_info info, std::shared_ptr<switches> s)
      : real_(compute::make_cpu_device(compute::best_isa(), {})),
        info_(std::move(info)),
        how_(std::move(s)) {}
  const compute::device_info& info() const noexcept override { return info_; }
  result<void> open() override {
    ++how_->opened;
    if (!how_->opens) return broken(errc::device_lost);
    return real_->open();
  }
  result<std::unique_ptr<compute::device_buffer>> allocate(std::uint64_t bytes,
                                                           compute::memory_place place) override {
    if (!how_->allocates || bytes > how_->room_bytes) {
      ++how_->refused;
      return broken(errc::no_memory);
    }
    ++how_->allocated;
    return switched(real_->allocate(bytes, place));
  }
  result<std::unique_ptr<compute::device_buffer>> import(std::span<std::byte> memory,
                                                         compute::memory_access access) override {
    if (!how_->imports) return broken(errc::unsupported);
    ++how_->imported;
    return switched(real_->import(memory, access));
  }
  result<std::unique_ptr<compute::kernel>> compile(
      const compute::kernel_source& source, const compute::kernel_constants& constants) override {
    return real_->compile(source, constants);
  }
  result<std::unique_ptr<compute::device_queue>> make_queue() override {
    BEAMLET_TRY(auto queue, real_->make_queue());
    return std::unique_ptr<compute::device_queue>(new switched_queue(std::move(queue), how_));
  }

 private:
  result<std::unique_ptr<compute::device_buffer>> switched(
      result<std::unique_ptr<compute::device_buffer>> made) {
    if (!made.has_value()) return made;
    return std::unique_ptr<compute::device_buffer>(new switched_buffer(*std::move(made), how_));
  }
  std::unique_ptr<compute::device> real_;
  compute::device_info info_;
  std::shared_ptr<switches> how_;
};

/// Devices "test:0", ... for runtime_options::given_devices. `is_unified`: as on a phone; else they
/// have memory of their own.
struct test_devices {
  std::vector<detail::given_device> given;
  std::vector<std::shared_ptr<switches>> how;

  explicit test_devices(std::size_t count, bool is_unified = true) {
    for (std::size_t i = 0; i < count; ++i) {
      auto s = std::make_shared<switches>();
      compute::device_info info = compute::make_cpu_device(compute::best_isa(), {})->info();
      info.backend = "test";
      info.index = static_cast<std::uint32_t>(i);
      info.name = "a device of the test's";
      info.features.unified_memory = is_unified;
      info.limits.import_alignment = is_unified ? 4096 : 0;
      compute::device_record record;
      record.info = info;
      given.push_back({record, [info, s]() -> result<std::unique_ptr<compute::device>> {
                         auto made = std::make_unique<switched_device>(info, s);
                         BEAMLET_TRY_VOID(made->open());
                         return std::unique_ptr<compute::device>(std::move(made));
                       }});
      how.push_back(std::move(s));
    }
  }
  runtime_options options() {
    runtime_options made;
    made.workers = 2;
    made.given_devices = &given;
    return made;
  }
};

/// a x + b of each element.
inline compute::op scaled(float a, float b) {
  return ops::elementwise{{{ops::function::affine, 1, a, b}}};
}

inline const device_status& status_of(const devices_report& all, const std::string& id) {
  for (const device_status& one : all.devices)
    if (one.info.id() == id) return one;
  FAIL("there is no device " << id);
  return all.devices.front();
}

/// Until so many tasks are in the queue of test:0, which is closed.
inline void wait_for_queue(const runtime& rt, std::uint64_t tasks) {
  wait_until([&] { return status_of(rt.devices().value(), "test:0").queued >= tasks; });
}

}  // namespace device_tests
