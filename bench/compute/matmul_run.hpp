// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ops on one device, as a program runs them.

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

/// An op of tensors of f32 on one device, as a program runs it: planned once, recorded and waited
/// for each time.
class op_run {
 public:
  static constexpr beamlet::base::time_ns timeout_ns = 600'000'000'000;

  /// `on` was opened. `from`: the elements of each input.
  op_run(std::shared_ptr<device> on, const beamlet::compute::op& what,
         const std::vector<operand>& inputs, const operand& output,
         const std::vector<const float*>& from, std::uint32_t way = 0)
      : on_(std::move(on)), runs_(value_of(executor::make(*on_))) {
    plan_ = value_of(
        beamlet::compute::plan_for(what, on_->info(), inputs, std::vector<operand>{output}, way));
    for (std::size_t i = 0; i < inputs.size(); ++i) upload(inputs[i].elements(), from[i]);
    upload(output.elements(), nullptr);
    for (const auto& one : held_) memory_.push_back(one.get());
  }

  void run() {
    check(runs_->record(plan_, memory_));
    check(runs_->wait(value_of(runs_->submit()), timeout_ns));
  }

  const float* made() {
    device_buffer& out = *held_.back();
    copy_.resize(static_cast<std::size_t>(out.bytes()) / sizeof(float));
    const std::byte* at = value_of(out.map(memory_access::read, timeout_ns));
    std::memcpy(copy_.data(), at, copy_.size() * sizeof(float));
    check(out.unmap());
    return copy_.data();
  }

 private:
  void upload(std::uint64_t floats, const float* from) {
    const auto bytes = static_cast<std::size_t>(floats) * sizeof(float);
    held_.push_back(value_of(on_->allocate(bytes, memory_place::host)));
    std::byte* at = value_of(held_.back()->map(memory_access::write, timeout_ns));
    if (from == nullptr) std::memset(at, 0, bytes);
    else std::memcpy(at, from, bytes);
    check(held_.back()->unmap());
  }

  std::shared_ptr<device> on_;
  beamlet::compute::plan plan_;
  std::vector<std::unique_ptr<device_buffer>> held_;
  std::vector<device_buffer*> memory_;
  std::vector<float> copy_;
  std::unique_ptr<executor> runs_;  // ends first: it waits for what uses the memory
};

/// ops::matmul of two matrices.
class matmul_run : public op_run {
 public:
  matmul_run(std::shared_ptr<device> on, std::size_t m, std::size_t n, std::size_t k,
             const float* a, const float* b)
      : op_run(std::move(on), beamlet::ops::matmul{}, {of(m, k), of(k, n)}, of(m, n), {a, b}) {}
  const float* product() { return made(); }

 private:
  static operand of(std::size_t rows, std::size_t columns) {
    return operand::dense(beamlet::dtypes::f32,
                          {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
  }
};

}  // namespace bench
