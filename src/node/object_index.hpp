// SPDX-License-Identifier: Apache-2.0
#pragma once

// The agent's side of index_layout.hpp: which objects sessions may read without asking, and who
// does. The truth about it is here; what is in shared memory is only written, and pin pages are
// compared with it.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "beamlet/base/id.hpp"
#include "beamlet/base/result.hpp"
#include "node/index_layout.hpp"
#include "ports/shared_memory.hpp"
#include "store/silent_readers.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// Thread: the agent's.
class object_index final : public store::silent_readers {
 public:
  /// Objects of the store that are larger are not shown: a session may pin `pin_slots` of them
  /// beside what it is allowed.
  explicit object_index(std::uint64_t object_bytes_max) : object_bytes_max_(object_bytes_max) {}

  /// Whether it is of a kind that can be shown.
  bool takes(const wire::value& what) const;
  /// In the only places for `id` there are others: this one has to be stopped before. Null: there
  /// is room.
  object_id in_the_way_of(const object_id& id);
  /// REQUIRES: takes(what); an extent is in memory, and stop() comes before it is not.
  void show(const object_id& id, const wire::value& what);
  /// Nobody holds it any more. Unknown: nothing. Not for what lies in the store.
  void forget(const object_id& id);
  /// Cost: a few steps; of an object that is shown, a look at each session's page.
  void stop(const object_id& id, std::vector<store::session_id>& reading) override;

  /// The session gets a pin page; both descriptors, to be sent to it, stay ours.
  ///
  /// REQUIRES: not is_open_to(session).
  /// Errors: as ports::create_shared_memory, map_shared_memory and seal_against_writers.
  struct handles {
    int index = -1, pins = -1;
  };
  result<handles> open_to(store::session_id session);
  bool is_open_to(store::session_id session) const { return pages_.contains(session); }
  /// What it still pins so it pins no more.
  void close_to(store::session_id session);

  struct pins {
    std::uint64_t count = 0, bytes = 0;
  };
  /// What the session pins without having asked.
  pins of(store::session_id session) const;
  /// For tests: calls `each(id, extent)` for what lies in the store.
  template <class Each>
  void for_each_stored(Each&& each) const {
    for (const own_entry& e : own_)
      if (e.version % 2 != 0 && e.where.segment != 0) each(e.id, e.where);
  }

 private:
  struct own_entry {
    object_id id;
    std::uint64_t version = 0;
    wire::extent where;  // segment 0: a small value
  };
  struct page {
    ports::shared_memory memory;
    ports::mapped_memory map;
    pin_page& words() const { return *reinterpret_cast<pin_page*>(map.data()); }
  };
  result<void> make();
  own_entry* find(const object_id& id);
  std::uint64_t end(own_entry& e);
  index_entry& shared_of(const own_entry& e);

  const std::uint64_t object_bytes_max_;
  ports::shared_memory memory_;
  ports::mapped_memory map_;
  std::vector<own_entry> own_;  // none until somebody is there to read
  std::uint32_t turn_ = 0;      // which of several has to go next
  std::map<store::session_id, page> pages_;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
