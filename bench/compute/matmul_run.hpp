// SPDX-License-Identifier: Apache-2.0
#pragma once

// ops::matmul on one device, as a program runs it: planned once, recorded and waited for each time.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "compute/executor.hpp"
#include "compute/op_functions.hpp"

namespace bench {
using beamlet::result;
using beamlet::compute::device;
using beamlet::compute::device_buffer;
using beamlet::compute::executor;
using beamlet::compute::memory_access;
using beamlet::compute::memory_place;
using beamlet::compute::operand;

/// What a result holds; ends the program where it holds an error.
template <class T>
T value_of(result<T> made) {
  if (!made.has_value()) {
    std::fprintf(stderr, "%s\n", made.error().describe().c_str());
    std::exit(2);
  }
  return std::move(*made);
}
inline void check(result<void> done) {
  if (done.has_value()) return;
  std::fprintf(stderr, "%s\n", done.error().describe().c_str());
  std::exit(2);
}

class matmul_run {
 public:
  static constexpr beamlet::base::time_ns timeout_ns = 600'000'000'000;

  /// `on` was opened.
  matmul_run(std::shared_ptr<device> on, std::size_t m, std::size_t n, std::size_t k,
             const float* a, const float* b)
      : on_(std::move(on)), runs_(value_of(executor::make(*on_))) {
    const auto of = [](std::size_t rows, std::size_t columns) {
      return operand::dense(beamlet::dtypes::f32,
                            {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
    };
    const operand in[] = {of(m, k), of(k, n)}, out[] = {of(m, n)};
    plan_ = value_of(beamlet::compute::plan_for(beamlet::compute::op(beamlet::ops::matmul{}),
                                                on_->info(), in, out));
    upload(m * k, a);
    upload(k * n, b);
    upload(m * n, nullptr);
    for (const auto& one : held_) memory_.push_back(one.get());
  }

  void run() {
    check(runs_->record(plan_, memory_));
    check(runs_->wait(value_of(runs_->submit()), timeout_ns));
  }

  const float* product() {
    const device_buffer& c = *held_[2];
    copy_.resize(static_cast<std::size_t>(c.bytes()) / sizeof(float));
    const std::byte* at = value_of(held_[2]->map(memory_access::read, timeout_ns));
    std::memcpy(copy_.data(), at, copy_.size() * sizeof(float));
    check(held_[2]->unmap());
    return copy_.data();
  }

 private:
  void upload(std::size_t floats, const float* from) {
    held_.push_back(value_of(on_->allocate(floats * sizeof(float), memory_place::host)));
    std::byte* at = value_of(held_.back()->map(memory_access::write, timeout_ns));
    if (from == nullptr) std::memset(at, 0, floats * sizeof(float));
    else std::memcpy(at, from, floats * sizeof(float));
    check(held_.back()->unmap());
  }

  std::shared_ptr<device> on_;
  beamlet::compute::plan plan_;
  std::vector<std::unique_ptr<device_buffer>> held_;
  std::vector<device_buffer*> memory_;
  std::vector<float> copy_;
  std::unique_ptr<executor> runs_;  // ends first: it waits for what uses the memory
};

}  // namespace bench
