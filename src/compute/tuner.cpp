// SPDX-License-Identifier: Apache-2.0
#include "compute/tuner.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "beamlet/base/codec.hpp"
#include "compute/op_functions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

bool ends_device(const error& why) {
  return why.code() == errc::device_lost || why.code() == errc::timeout;
}

// All of an operand's elements, with what lies between them.
std::uint64_t bytes_of(const operand& one) { return std::max<std::uint64_t>(one.bytes().end, 4); }

}  // namespace

tuner::tuner(executor& on, const std::string& cache_folder, std::uint64_t search_ns_max,
             clock now_ns)
    : on_(&on), now_ns_(std::move(now_ns)), search_ns_max_(search_ns_max) {
  if (!cache_folder.empty())
    if (auto opened = blob_cache::open(cache_folder); opened.has_value())
      files_ = *std::move(opened);
  const auto bytes = files_.find(key());
  if (!bytes.has_value()) return;
  auto kept = decode_from<std::vector<std::pair<work_key, std::uint32_t>>>(*bytes);
  if (!kept.has_value() || kept->size() > works_max) return;
  known_.insert(kept->begin(), kept->end());
  kept_ = known_.size();
}

blob_key tuner::key() const {
  const device_info& info = on_->on().info();
  blob_key made;
  made.add("ways").add(ways_version);
  return made.add(info.backend).add(info.vendor).add(info.name).add(info.driver);
}

std::uint32_t tuner::way_of(work_key key) const noexcept {
  const auto found = known_.find(key);
  return found == known_.end() ? 0 : found->second;
}

void tuner::note(work_key key, const op& what, std::span<const operand> inputs,
                 std::span<const operand> outputs, std::uint32_t ways) {
  if (ways < 2 || known_.contains(key) || known_.size() + waiting_.size() >= works_max) return;
  if (spent_ns_ >= search_ns_max_ || waiting_.size() >= waiting_max) return;
  if (seen_.size() >= works_max) seen_.clear();
  if (++seen_[key] != 2) return;
  search made{key, what, {inputs.begin(), inputs.end()}, inputs.size(), ways};
  made.operands.insert(made.operands.end(), outputs.begin(), outputs.end());
  std::uint64_t bytes = 0;
  for (const operand& one : made.operands) bytes += bytes_of(one);
  const std::uint64_t there = on_->on().info().limits.memory_bytes;
  if (bytes <= std::min(bytes_max, there == 0 ? bytes_max : there / 8))
    waiting_.push_back(std::move(made));
}

/// Zeros, so that no numbers take longer than others.
result<void> tuner::allocate(search& of) {
  std::uint64_t most = 0;
  for (const operand& one : of.operands) {
    const std::uint64_t bytes = (bytes_of(one) + 3) / 4 * 4;
    BEAMLET_TRY(auto made, on_->on().allocate(bytes, memory_place::device));
    of.memory.push_back(std::move(made));
    most = std::max(most, bytes);
  }
  BEAMLET_TRY(auto zeros, on_->on().allocate(most, memory_place::host));
  BEAMLET_TRY(std::byte * at, zeros->map(memory_access::write, run_ns_max));
  std::memset(at, 0, most);
  BEAMLET_TRY_VOID(zeros->unmap());
  result<void> copied;
  for (const auto& one : of.memory)
    if (copied.has_value())
      copied = on_->work().copy({zeros.get(), 0, one->bytes()}, {one.get(), 0, one->bytes()});
  // What was recorded before an error runs, too: it needs its memory until then.
  auto ticket = on_->submit();
  auto waited = ticket.has_value() ? on_->wait(*ticket, run_ns_max) : ticket.error();
  if (waited.has_value()) return copied;
  (void)zeros.release();  // the device may still read it
  return waited;
}

result<std::uint64_t> tuner::time_of(search& of, std::uint32_t way) {
  const std::span all(of.operands);
  BEAMLET_TRY(const plan made, plan_for(of.what, on_->on().info(), all.first(of.inputs),
                                        all.subspan(of.inputs), way));
  std::vector<device_buffer*> memory;
  for (const auto& one : of.memory) memory.push_back(one.get());
  const std::uint64_t since = now_ns_();
  auto recorded = on_->record(made, memory);  // as far as it came, it runs
  BEAMLET_TRY(const std::uint64_t ticket, on_->submit());
  BEAMLET_TRY_VOID(on_->wait(ticket, run_ns_max));
  if (!recorded.has_value()) return recorded.error();
  return now_ns_() - since;
}

result<void> tuner::step() {
  search& of = waiting_.front();
  const std::uint64_t since = now_ns_();
  result<void> ready;
  if (of.memory.empty()) ready = allocate(of);
  const auto took = ready.has_value() ? time_of(of, of.way) : result<std::uint64_t>(ready.error());
  spent_ns_ += now_ns_() - since;
  if (!took.has_value() && ends_device(took.error())) {
    for (auto& one : of.memory) (void)one.release();  // the device may still use it
    waiting_.clear();
    return took.error();
  }
  if (!ready.has_value()) {  // there is no memory for it
    waiting_.pop_front();
    return {};
  }
  // The first run of each compiles. A way counts once all of its runs have come to their end.
  if (took.has_value() && of.run > 0) of.way_ns = std::min(of.way_ns, *took);
  if (!took.has_value() || ++of.run > runs_of_way) {
    if (took.has_value() && of.way_ns < of.best_ns) {
      of.best_ns = of.way_ns;
      of.best = of.way;
    }
    ++of.way;
    of.run = 0;
    of.way_ns = never_ns;
  }
  if (of.way >= of.ways) end(of);
  else if (spent_ns_ >= search_ns_max_) waiting_.clear();
  return {};
}

void tuner::end(search& of) {
  if (of.best_ns != never_ns) known_[of.key] = of.best;  // else none of them ran
  waiting_.pop_front();
  if (known_.size() == kept_) return;
  std::vector<std::pair<work_key, std::uint32_t>> all(known_.begin(), known_.end());
  if (auto bytes = encode_to(all); bytes.has_value()) files_.store(key(), *bytes);
  kept_ = known_.size();
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
