// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/thread_team.hpp"

#include "beamlet/base/time.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {
// Rounds of looking before a helper sleeps: launches come one after the other.
constexpr int looks_before_sleep = 2000;

void await_change(std::atomic<std::uint32_t>& word, std::uint32_t seen) {
  for (int look = 0; look < looks_before_sleep; ++look) {
    if (word.load(std::memory_order_acquire) != seen) return;
    ports::pause();
  }
  while (word.load(std::memory_order_acquire) == seen) ports::wait_on(word, seen, base::never_ns);
}
}  // namespace

result<std::unique_ptr<thread_team>> thread_team::make(std::uint32_t threads) {
  std::unique_ptr<thread_team> made(new thread_team(threads));
  for (std::uint32_t i = 1; i < threads; ++i) {
    BEAMLET_TRY(auto helper,
                ports::thread::start(
                    {.name = "beamlet-compute"},
                    [](void* team) { static_cast<thread_team*>(team)->work(); }, made.get()));
    made->helpers_.push_back(std::move(helper));
  }
  return made;
}

thread_team::~thread_team() {
  ending_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  ports::wake_all(round_);
  for (ports::thread& helper : helpers_) helper.join();
}

void thread_team::take_pieces(const std::function<void(std::size_t)>& piece, std::size_t count) {
  for (std::size_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count;) piece(i);
}

void thread_team::work() {
  std::uint32_t seen = 0;
  for (;;) {
    await_change(round_, seen);
    if (ending_.load(std::memory_order_relaxed)) return;
    ++seen;  // the next round does not begin before this thread has finished this one
    take_pieces(*piece_, count_);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) ports::wake_all(busy_);
  }
}

void thread_team::run(std::size_t count, const std::function<void(std::size_t)>& piece) {
  if (helpers_.empty() || count < 2) {
    for (std::size_t i = 0; i < count; ++i) piece(i);
    return;
  }
  piece_ = &piece;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<std::uint32_t>(helpers_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  ports::wake_all(round_);
  take_pieces(piece, count);
  for (std::uint32_t left; (left = busy_.load(std::memory_order_acquire)) != 0;)
    await_change(busy_, left);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
