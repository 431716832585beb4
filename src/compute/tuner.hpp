// SPDX-License-Identifier: Apache-2.0
#pragma once

// The best of the ways in which plans can be made for a device, found by trying them: on memory of
// its own, while the device has nothing else to do, for a bounded time in all; what was found is
// kept for the next start.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "beamlet/compute/ops.hpp"
#include "compute/blob_cache.hpp"
#include "compute/executor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Thread: the device's.   Lifetime: goes before its executor.
class tuner {
 public:
  /// As device_choice has it.
  using work_key = std::uint64_t;
  /// Of what is kept. Grows when the ways of a work, or the keys of works, become others.
  static constexpr std::uint64_t ways_version = 2;
  static constexpr std::size_t works_max = 1024, waiting_max = 16;
  /// Of the operands of a work that is tried, and no more than an eighth of the device's.
  static constexpr std::uint64_t bytes_max = 256 << 20;
  static constexpr std::uint32_t runs_of_way = 3;
  /// Of one run, after which the device is given up.
  static constexpr base::time_ns run_ns_max = 10'000'000'000;

  using clock = std::function<std::uint64_t()>;  // nanoseconds since a fixed time

  /// Reads what an earlier run found. `cache_folder` may be empty: nothing is kept.
  /// `search_ns_max`: for all trials, with what compiling kernels for them takes; the last one may
  /// pass it.
  tuner(executor& on, const std::string& cache_folder, std::uint64_t search_ns_max, clock now_ns);
  tuner(const tuner&) = delete;
  tuner& operator=(const tuner&) = delete;

  /// For plan_for: the best way that is known.
  std::uint32_t way_of(work_key key) const noexcept;
  /// This was run, in one of so many ways. It is worth a search when it comes again.
  void note(work_key key, const op& what, std::span<const operand> inputs,
            std::span<const operand> outputs, std::uint32_t ways);

  bool has_work() const noexcept { return !waiting_.empty() && spent_ns_ < search_ns_max_; }
  /// Runs one trial.
  ///
  /// REQUIRES: has_work(); the executor has recorded nothing.
  /// Blocks: until it has run.   Errors: device_lost, timeout (the device is not to be used any
  /// more). Other errors cost a way.
  result<void> step();

  /// Works for which a way was found, now or earlier.
  std::size_t known() const noexcept { return known_.size(); }

 private:
  static constexpr std::uint64_t never_ns = ~std::uint64_t{0};
  struct search {
    work_key key;
    op what;
    std::vector<operand> operands;
    std::size_t inputs;
    std::uint32_t ways, way = 0, run = 0;  // what comes next
    std::uint32_t best = 0;
    std::uint64_t best_ns = never_ns, way_ns = never_ns;  // way_ns: of the way that is being tried
    std::vector<std::unique_ptr<device_buffer>> memory = {};
  };
  result<void> allocate(search& of);
  result<std::uint64_t> time_of(search& of, std::uint32_t way);
  void end(search& of);
  blob_key key() const;

  executor* on_;
  clock now_ns_;
  blob_cache files_;
  std::unordered_map<work_key, std::uint32_t> known_, seen_;
  std::deque<search> waiting_;
  const std::uint64_t search_ns_max_;
  std::uint64_t spent_ns_ = 0;
  std::size_t kept_ = 0;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
