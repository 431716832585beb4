// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a function costs: one call in 64 is timed, or all of them when the timeline is on. The
// timeline is a ring of fixed records per thread, which the newest overwrite.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "beamlet/sched/core.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

/// Functions past so many are neither counted nor timed.
inline constexpr std::uint32_t functions_max = 1u << 16;

struct timeline_record {
  static constexpr std::uint64_t duration_ns_max = (std::uint64_t{1} << 48) - 1;  // three days
  std::uint64_t start_ns;
  std::uint64_t duration_ns;  // at most duration_ns_max
  std::uint32_t function;     // below functions_max
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
    words_[at + 1].store(r.duration_ns << 16 | r.function, std::memory_order_relaxed);
    written_.store(n + 1, std::memory_order_release);
  }
  template <class F>
  void for_each(F visit) const {
    visit_from(0, visit);
  }
  /// Those that were added since the last take.   Thread: one at a time.
  template <class F>
  void take(F visit) {
    taken_ = visit_from(taken_, visit);
  }

 private:
  template <class F>
  std::uint64_t visit_from(std::uint64_t begin, F& visit) const {
    std::uint64_t end = written_.load(std::memory_order_acquire);
    for (std::uint64_t n = std::max(begin, end > capacity_ ? end - capacity_ : 0); n < end; ++n) {
      auto at = static_cast<std::size_t>(n % capacity_) * 2;
      std::uint64_t second = words_[at + 1].load(std::memory_order_relaxed);
      visit(timeline_record{words_[at].load(std::memory_order_relaxed), second >> 16,
                            static_cast<std::uint32_t>(second & 0xffff)});
    }
    return end;
  }

  std::size_t capacity_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> words_;
  std::atomic<std::uint64_t> written_{0};
  std::uint64_t taken_ = 0;
};

/// Of runs in another process, or of a call on its way there and back.
struct run_elsewhere {
  std::uint32_t process = 0;  // 0: a call of this process, from when it left to when it was back
  std::uint32_t thread = 0;
  std::uint64_t start_ns = 0, duration_ns = 0;
  std::uint32_t function = 0;
};

inline constexpr std::uint32_t sample_every = 64;

void end_sample(context& here, std::uint32_t function, std::uint64_t start_ns,
                bool counted) noexcept;
function_counter* counter_of(context& here, std::uint32_t function) noexcept;

/// For who tells another process what runs here.
struct taken_run {
  std::uint32_t thread;
  timeline_record what;
};
/// What was timed on all threads since the last time, thread by thread.   Thread: one at a time.
std::vector<taken_run> take_runs(scheduler& home);
/// One that another process tells. What cannot be is left out: nothing begins before this runtime
/// or ends after now.
void note_run(context& here, std::uint32_t process, std::uint32_t thread, std::uint64_t start_ns,
              std::uint64_t duration_ns, std::string_view function) noexcept;
/// A call has come back from another process, where it went at `since_ns`; 0: not known.
void note_call_away(context& here, const cell& x, std::uint64_t since_ns, bool failed) noexcept;

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
    if (sampled_ || here.face->traces.load(std::memory_order_relaxed)) [[unlikely]]
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
