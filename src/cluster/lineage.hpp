// SPDX-License-Identifier: Apache-2.0
#pragma once

// How to make an object again: the calls that have ended and whose results are still held, or are
// arguments of such calls. A call kept here holds no object: values may go, how they were made
// stays.

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "cluster/records.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// Thread: one.   Blocks: no.   Cost: logarithmic; forgetting never recurses.
class lineage {
 public:
  struct entry {
    task ended;
    std::size_t held = 0;        ///< results that exist
    std::size_t dependents = 0;  ///< arguments of kept calls that are results of this one
    std::size_t bytes = 0;
    std::uint64_t order = 0;
    std::vector<std::pair<object_id, std::uint64_t>> depends_on;  ///< kept calls, with their order
  };

  explicit lineage(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Keeps an ended call of which `held` results exist, or takes over what is new of one that ran
  /// once more. The oldest ones are forgotten when there is no room.
  void keep(task&& ended, std::size_t held);
  void forget(const object_id& task);

  entry* find(const object_id& task);
  /// Null: no kept call makes it.
  object_id maker_of(const object_id& result) const;

  /// A result of a kept call came to be, or was freed: a call that nothing needs is forgotten.
  void result_made(const object_id& result);
  void result_freed(const object_id& result);

  std::size_t bytes() const { return bytes_; }
  std::size_t size() const { return entries_.size(); }

 private:
  void note_dependence(entry& dependent, const object_id& argument);

  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t next_order_ = 0;
  std::map<object_id, entry> entries_;
  std::map<object_id, object_id> makers_;
  std::map<std::uint64_t, object_id> by_age_;
};

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
