// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a function costs: one call in 64 is timed, or all of them when the timeline is on. The
// timeline is a ring of fixed records per thread, which the newest overwrite.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "beamlet/sched/core.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

struct timeline_record {
  std::uint64_t start_ns;
  std::uint32_t duration_ns;
  std::uint32_t function;
};

/// Written by its thread; read when that thread is quiet or with the newest records possibly torn
/// (they are atomic words, so nothing worse than a wrong bar can come of it).
class timeline_ring {
 public:
  explicit timeline_ring(std::size_t capacity)
      : capacity_(capacity), words_(new std::atomic<std::uint64_t>[2 * capacity]()) {}
  void add(const timeline_record& r) noexcept {
    std::uint64_t n = written_.load(std::memory_order_relaxed);
    auto at = static_cast<std::size_t>(n % capacity_) * 2;
    words_[at].store(r.start_ns, std::memory_order_relaxed);
    words_[at + 1].store(std::uint64_t{r.duration_ns} << 32 | r.function,
                         std::memory_order_relaxed);
    written_.store(n + 1, std::memory_order_release);
  }
  template <class F>
  void for_each(F visit) const {
    std::uint64_t end = written_.load(std::memory_order_acquire);
    for (std::uint64_t n = end > capacity_ ? end - capacity_ : 0; n < end; ++n) {
      auto at = static_cast<std::size_t>(n % capacity_) * 2;
      std::uint64_t second = words_[at + 1].load(std::memory_order_relaxed);
      visit(timeline_record{words_[at].load(std::memory_order_relaxed),
                            static_cast<std::uint32_t>(second >> 32),
                            static_cast<std::uint32_t>(second)});
    }
  }

 private:
  std::size_t capacity_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> words_;
  std::atomic<std::uint64_t> written_{0};
};

inline constexpr std::uint32_t sample_every = 64;

void end_sample(context& here, std::uint32_t function, std::uint64_t start_ns,
                bool counted) noexcept;
function_counter* counter_of(context& here, std::uint32_t function) noexcept;

/// Around one run of a cell's body.
class task_sample {
 public:
  task_sample(context& here, const cell& x) noexcept : here_(here), function_(x.function) {
    function_counter* table = here.table.load(std::memory_order_relaxed);
    counter_ = function_ < here.table_size ? &table[function_] : counter_of(here, function_);
    if (counter_ == nullptr) return;
    std::uint32_t calls = counter_->calls.load(std::memory_order_relaxed);
    counter_->calls.store(calls + 1, std::memory_order_relaxed);
    sampled_ = calls % sample_every == 0;
    if (sampled_ || here.timeline != nullptr) [[unlikely]]
      start_ns_ = now_ns(here);
  }
  void end(bool failed) noexcept {
    if (counter_ != nullptr && failed)
      counter_->errors.store(counter_->errors.load(std::memory_order_relaxed) + 1,
                             std::memory_order_relaxed);
    if (start_ns_ != 0) [[unlikely]]
      end_sample(here_, function_, start_ns_, sampled_);
  }

 private:
  context& here_;
  std::uint32_t function_;
  bool sampled_ = false;
  function_counter* counter_;
  std::uint64_t start_ns_ = 0;
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
