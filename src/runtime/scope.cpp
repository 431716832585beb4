// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/scope.hpp"

#include <algorithm>

#include "beamlet/sched/cancel.hpp"
#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {

scope::~scope() {
  cancel();
  (void)join();
  for (sched::cell* x : work_) x->release();
}

/// Ended work is dropped whenever the list has doubled, so that a long-lived scope stays small.
void scope::note(sched::cell* x) {
  if (x == nullptr) return;
  std::unique_lock hold(lock_);
  if (work_.size() >= sweep_at_) {
    std::erase_if(work_, [this](sched::cell* old) {
      if (!old->sealed()) return false;
      const error* failed = sched::error_of(*old);
      if (failed != nullptr && first_failure_.code() == errc::ok) first_failure_ = *failed;
      old->release();
      return true;
    });
    sweep_at_ = std::max<std::size_t>(64, 2 * work_.size());
  }
  x->add_reference();
  if (sched::try_push_back(work_, x)) return;
  hold.unlock();
  (void)detail::wait_for(runtime_.scheduler(), x, no_timeout);  // no memory to note it: it ends now
  x->release();
}

std::vector<sched::cell*> scope::counted_copy() const {
  std::lock_guard hold(lock_);
  for (sched::cell* x : work_) x->add_reference();
  return work_;
}

result<void> scope::join(std::chrono::nanoseconds timeout) {
  std::vector<sched::cell*> all = counted_copy();
  auto waited =
      detail::wait_for_some(runtime_.scheduler(), all.data(), all.size(), all.size(), timeout);
  error failure;
  {
    std::lock_guard hold(lock_);
    failure = first_failure_;
  }
  for (sched::cell* x : all) {
    if (waited.has_value() && failure.code() == errc::ok)
      if (const error* e = sched::error_of(*x)) failure = *e;
    x->release();
  }
  if (!waited.has_value()) return waited;
  if (failure.code() != errc::ok) return failure;
  return {};
}

void scope::cancel() {
  sched::context* here = sched::context_in(runtime_.scheduler());
  for (sched::cell* x : counted_copy()) {
    if (here != nullptr) sched::cancel(*here, *x, true);
    x->release();
  }
}

std::size_t scope::pending() const {
  std::lock_guard hold(lock_);
  return static_cast<std::size_t>(
      std::count_if(work_.begin(), work_.end(), [](sched::cell* x) { return !x->sealed(); }));
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
