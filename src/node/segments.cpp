// SPDX-License-Identifier: Apache-2.0
#include "node/segments.hpp"

#include <algorithm>
#include <utility>

#include "node/chaos.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
result<ports::shared_memory> create_segment(const store::make_segment& wanted,
                                            const std::string& folder) {
  auto bytes = static_cast<std::size_t>(wanted.size);
  if (bytes != wanted.size) return errc::too_large;
  if (chaos::refused()) return errc::no_memory;
  if (wanted.kind == store::backing::memory) return ports::create_shared_memory(bytes, "beamlet");
  if (folder.empty()) return errc::unsupported;
  return ports::create_shared_file(bytes, folder);
}
}  // namespace

const segments::segment* segments::find(store::segment_id id) const {
  auto at = all_.find(id);
  return at == all_.end() ? nullptr : &at->second;
}

result<void> segments::make(const store::make_segment& wanted) {
  segment made;
  BEAMLET_TRY(made.memory, create_segment(wanted, file_folder_));
  if (chaos::refused()) return errc::no_memory;
  made.whole = wanted.whole;
  if (!made.whole) {
    BEAMLET_TRY(made.map,
                ports::map_shared_memory(
                    made.memory.writer.number(),
                    {.bytes = made.memory.bytes, .writable = true, .file = !made.memory.sealable}));
  }
  if (chaos::refused()) return errc::no_memory;
  made.owner = wanted.owner;
  made.kind = wanted.kind;
  // Nobody but us writes to our own.
  if (wanted.owner == store::shared && made.memory.sealable)
    BEAMLET_TRY_VOID(ports::seal_against_writers(made.memory.writer.number()));
  made.sealed = wanted.owner == store::shared;
  all_.emplace(wanted.segment, std::move(made));
  return {};
}

std::span<std::byte> segments::bytes(const store::extent& where) {
  auto at = all_.find(where.segment);
  if (at == all_.end()) return {};
  std::uint64_t size = at->second.map.bytes();
  if (where.offset > size || where.size > size - where.offset) return {};
  return {at->second.map.data() + where.offset, static_cast<std::size_t>(where.size)};
}

segments::handle segments::give_to_writer(store::segment_id id) {
  segment& s = all_.at(id);
  s.mapped_by.insert(s.owner);
  return {s.memory.writer.number(), s.memory.bytes, s.whole};
}

segments::handle segments::give_to_reader(store::segment_id id, store::session_id reader) {
  segment& s = all_.at(id);
  s.mapped_by.insert(reader);
  return {s.memory.for_readers(), s.memory.bytes};
}

bool segments::has(store::segment_id id, store::session_id session) const {
  const segment* s = find(id);
  return s != nullptr && s->mapped_by.contains(session);
}

result<void> segments::mapped(store::segment_id id, store::session_id session) {
  auto at = all_.find(id);
  if (at == all_.end() || at->second.owner != session || at->second.sealed) return {};
  segment& s = at->second;
  if (s.whole) return {};
  if (chaos::refused()) return errc::permission;
  // Readers of a file get a descriptor of their own, which cannot be mapped writable.
  if (s.memory.sealable) BEAMLET_TRY_VOID(ports::seal_against_writers(s.memory.writer.number()));
  s.sealed = true;
  return {};
}

result<void> segments::close(store::segment_id id, store::session_id session) {
  auto at = all_.find(id);
  if (at == all_.end() || at->second.owner != session || at->second.sealed) return {};
  segment& s = at->second;
  if (!s.whole) return {};
  if (chaos::refused()) return errc::permission;
  BEAMLET_TRY_VOID(ports::seal_content(s.memory.writer.number()));
  BEAMLET_TRY(s.map, ports::map_shared_memory(s.memory.writer.number(), {.bytes = s.memory.bytes}));
  s.sealed = true;
  return {};
}

bool segments::is_sealed(store::segment_id id) const {
  const segment* s = find(id);
  return s != nullptr && s->sealed;
}

std::vector<store::session_id> segments::begin_end(store::segment_id id,
                                                   base::time_ns unmap_by_ns) {
  auto at = all_.find(id);
  if (at == all_.end()) return {};
  at->second.ending = true;
  at->second.unmap_by_ns = unmap_by_ns;
  return {at->second.mapped_by.begin(), at->second.mapped_by.end()};
}

void segments::unmapped(store::segment_id id, store::session_id session) {
  if (auto at = all_.find(id); at != all_.end()) at->second.mapped_by.erase(session);
}

void segments::forget(store::session_id session) {
  for (auto& [id, s] : all_) s.mapped_by.erase(session);
}

void segments::inherit(store::session_id session) {
  for (auto& [id, s] : all_) {
    if (s.owner != session) continue;
    // One that it never said to have mapped can be sealed now as well as then.
    if (!s.sealed && !s.whole) s.sealed = mapped(id, session).has_value();
    s.owner = store::shared;
  }
}

std::vector<store::segment_id> segments::take_ended() {
  std::vector<store::segment_id> ended;
  for (const auto& [id, s] : all_)
    if (s.ending && s.mapped_by.empty()) ended.push_back(id);
  for (store::segment_id id : ended) all_.erase(id);
  return ended;
}

std::set<store::session_id> segments::take_late(base::time_ns now_ns, base::time_ns again_ns) {
  std::set<store::session_id> found;
  for (auto& [id, s] : all_) {
    if (!s.ending || s.unmap_by_ns > now_ns) continue;
    s.unmap_by_ns = again_ns;
    found.insert(s.mapped_by.begin(), s.mapped_by.end());
  }
  return found;
}

base::time_ns segments::next_ns() const {
  base::time_ns next = base::never_ns;
  for (const auto& [id, s] : all_)
    if (s.ending) next = std::min(next, s.unmap_by_ns);
  return next;
}

std::uint64_t segments::bytes_of(store::backing kind) const {
  std::uint64_t sum = 0;
  for (const auto& [id, s] : all_)
    if (s.kind == kind) sum += s.memory.bytes;
  return sum;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
