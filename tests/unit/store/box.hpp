// SPDX-License-Identifier: Apache-2.0
#pragma once

// A store with memory, a disk and somebody to carry out what it asks for: a box without processes.

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "store/spill_record.hpp"
#include "store/store.hpp"

namespace store_test {

using namespace beamlet;
namespace st = beamlet::store;
using bytes = std::vector<std::byte>;

inline object_id id_of(std::uint64_t n) {
  return {.node = 1, .boot = 1, .session = 1, .sequence = n};
}

/// What byte `k` of an object is, so that every object differs from every other one.
inline std::byte byte_of(const object_id& id, std::uint64_t k) {
  return static_cast<std::byte>(id.sequence * 31 + k * 7 + (k >> 8));
}

/// The segments' bytes and the disk's, the answers that are still owed, and the faults.
class box {
 public:
  explicit box(const st::options& options, st::silent_readers* readers = nullptr)
      : s(options, readers) {}

  st::store s;
  base::time_ns now = 0;
  std::map<st::segment_id, bytes> memory;
  std::map<st::segment_id, st::make_segment> made;
  std::map<st::file_id, bytes> disk;
  std::vector<st::action> owed;  ///< actions to be answered
  std::vector<st::action> told;  ///< what sessions and the directory were told
  std::set<object_id> damaged;   ///< records that we broke
  unsigned faults = 0;           ///< answers of a hundred that go wrong
  std::function<std::uint32_t(std::uint32_t)> below = [](std::uint32_t) { return 0u; };
  std::uint64_t trace = 0;  ///< a hash of all actions so far
  std::string complaint;    ///< the first thing that must not be

  void complain(const std::string& what) {
    if (complaint.empty()) complaint = what;
  }

  std::byte* at(const st::extent& where) {
    auto it = memory.find(where.segment);
    if (it != memory.end() && where.offset + where.size <= it->second.size())
      return it->second.data() + where.offset;
    complain("a range outside of all segments");
    return nullptr;
  }
  void fill(const object_id& id, const st::extent& where) {
    std::byte* to = at(where);
    for (std::uint64_t k = 0; to != nullptr && k < where.size; ++k) to[k] = byte_of(id, k);
  }
  void scribble(const st::extent& where) {
    if (std::byte* to = at(where)) std::memset(to, 0xee, where.size);
  }
  bool holds(const object_id& id, const st::extent& where) {
    const std::byte* from = at(where);
    for (std::uint64_t k = 0; from != nullptr && k < where.size; ++k)
      if (from[k] != byte_of(id, k)) return false;
    return from != nullptr;
  }

  /// Takes what the store has to say; answers nothing yet.
  void turn() {
    for (st::action& a : s.take_actions()) {
      trace = trace * 31 + a.index();
      if (auto* g = std::get_if<st::granted>(&a)) trace = trace * 31 + g->where.offset;
      if (auto* file = std::get_if<st::remove_spill>(&a)) disk.erase(file->file);
      else if (std::holds_alternative<st::make_segment>(a) ||
               std::holds_alternative<st::end_segment>(a) ||
               std::holds_alternative<st::write_spill>(a) ||
               std::holds_alternative<st::read_spill>(a))
        owed.push_back(std::move(a));
      else told.push_back(std::move(a));
    }
  }

  /// Carries out and answers one of the actions that are owed.
  void answer(std::size_t index) {
    st::action a = std::move(owed[index]);
    owed.erase(owed.begin() + static_cast<std::ptrdiff_t>(index));
    bool fails = faults > 0 && below(100) < faults;
    std::visit([&](auto& what) { carry_out(what, fails); }, a);
  }

  /// Everything, until the store has nothing more to do.
  void settle() {
    do {
      pass(0);
      for (turn(); !owed.empty(); turn()) answer(0);
    } while (s.next_ns() <= now);
  }

  void pass(base::time_ns time) { s.advance(now += time); }

  /// The first thing told of one kind, taken out; a default one when there is none.
  template <class Told>
  bool take(Told& out) {
    for (auto it = told.begin(); it != told.end(); ++it)
      if (auto* found = std::get_if<Told>(&*it)) {
        out = std::move(*found);
        told.erase(it);
        return true;
      }
    return false;
  }

 private:
  void carry_out(st::make_segment& m, bool fails) {
    if (fails) return s.segment_refused(m.segment, error(errc::no_memory, error_layer::ports));
    memory[m.segment].resize(m.size);
    made[m.segment] = m;
    s.segment_made(m.segment);
  }
  void carry_out(st::end_segment& e, bool) {
    memory.erase(e.segment);
    made.erase(e.segment);
    s.segment_ended(e.segment);
  }
  void carry_out(st::write_spill& w, bool fails) {
    if (fails && below(2) == 0) return s.spill_written(w.file, errc::io);
    bytes& file = disk[w.file];
    for (const st::spill_entry& e : w.entries) {
      if (!holds(e.id, e.where)) complain("spilled bytes are not the object's");
      const std::byte* payload = at(e.where);
      if (payload == nullptr) return;
      auto head = st::make_spill_head(e.id, {payload, static_cast<std::size_t>(e.where.size)});
      file.resize(
          std::max<std::size_t>(file.size(), e.offset + st::spill_record_bytes(e.where.size)));
      std::copy(head.begin(), head.end(), file.begin() + static_cast<std::ptrdiff_t>(e.offset));
      std::copy_n(payload, e.where.size,
                  file.begin() + static_cast<std::ptrdiff_t>(e.offset + st::spill_head_bytes));
    }
    if (fails) {  // the disk said yes and lost the end
      file.resize(file.size() / 2);
      for (const st::spill_entry& e : w.entries)
        if (e.offset + st::spill_head_bytes + e.where.size > file.size()) damaged.insert(e.id);
    }
    s.spill_written(w.file, {});
  }
  void carry_out(st::read_spill& r, bool fails) {
    const st::spill_entry& e = r.entry;
    scribble(e.where);
    if (fails && below(2) == 0) {
      damaged.insert(e.id);  // three in a row are a loss
      return s.restored(e.id, error(errc::io, error_layer::ports, 5));
    }
    bytes& file = disk[r.file];
    std::uint64_t begin = e.offset + st::spill_head_bytes;
    if (fails && begin < file.size()) {
      file[begin] ^= std::byte{4};
      damaged.insert(e.id);
    }
    if (begin + e.where.size > file.size()) return s.restored(e.id, errc::malformed);
    std::span<const std::byte> all(file);
    auto payload = all.subspan(begin, e.where.size);
    auto good = st::check_spill_record(e.id, all.subspan(e.offset, st::spill_head_bytes), payload);
    if (std::byte* to = at(e.where)) std::copy(payload.begin(), payload.end(), to);
    s.restored(e.id, good);
  }
  template <class Other>
  void carry_out(Other&, bool) {}
};

}  // namespace store_test
