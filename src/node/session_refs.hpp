// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which ids this session holds at its agent, and what it has to say about them. Within the process
// an id is counted; the agent is told of the first reference and of the last only.

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "beamlet/base/panic.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// Thread: one at a time.   Cost: a step in an ordered tree: ids are chosen by strangers, who could
/// make a hash table slow.
class ref_counts {
 public:
  /// One more. True: the agent does not know that this session holds it.
  bool retain(const object_id& id) {
    auto [at, is_new] = held_.try_emplace(id);
    ++at->second.count;
    return is_new;
  }
  /// One more, if it is held anyway.
  bool retain_held(const object_id& id) {
    auto at = held_.find(id);
    if (at == held_.end()) return false;
    ++at->second.count;
    return true;
  }
  /// The agent mentioned it, and so counts it as held.
  void mention(const object_id& id) {
    entry& e = held_[id];
    ++e.count;
    ++e.mentions;
  }
  /// The last one makes it due for a release; until that is taken it may come back unnoticed.
  void let_go(const object_id& id) {
    auto at = held_.find(id);
    BEAMLET_ASSERT(at != held_.end() && at->second.count > 0, "an id was let go more than held");
    if (--at->second.count > 0 || at->second.due) return;
    at->second.due = true;
    due_.push_back(id);
  }
  /// Sends what is due until `send(const wire::release&)` says false.
  template <class Send>
  void release_due(Send&& send) {
    while (!due_.empty()) {
      auto at = held_.find(due_.back());
      if (at->second.count > 0) {
        at->second.due = false;
      } else {
        if (!send(wire::release{.id = at->first, .mentions = at->second.mentions})) return;
        held_.erase(at);
      }
      due_.pop_back();
    }
  }
  std::size_t due() const noexcept { return due_.size(); }
  std::size_t size() const noexcept { return held_.size(); }

 private:
  struct entry {
    std::uint64_t count = 0;
    std::uint32_t mentions = 0;  // since the last release
    bool due = false;
  };
  std::map<object_id, entry> held_;
  std::vector<object_id> due_;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
