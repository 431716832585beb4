// SPDX-License-Identifier: Apache-2.0
// Where memory comes from, in this order: free space, a new segment, copies that can go, segments
// of others that can be emptied, spilling, a segment in a file, and at last asking sessions.
#include <algorithm>
#include <utility>

#include "store/chaos.hpp"
#include "store/spill_record.hpp"
#include "store/store.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
constexpr unsigned spills_in_flight_max = 2;
constexpr base::time_ns pause_ns_min = 1'000'000'000, pause_ns_max = 60'000'000'000;
}  // namespace

void store::add_trouble(trouble& t, const error& why, base::time_ns now) {
  t.why = why;
  t.pause = std::clamp(2 * t.pause, pause_ns_min, pause_ns_max);
  t.until = now + t.pause;
}

bool store::place(session_id owner, std::uint64_t bytes, request& r, effort how, spot& out) {
  if (fit(owner, bytes, r, out)) return true;
  if (how == effort::free_space) return false;
  r.blocked_by = request::wait::segment;
  for (const auto& [id, s] : segments_)
    if (s->now == segment::phase::making && s->owner == owner && s->size >= bytes &&
        s->whole == r.whole)
      return false;
  if (grow(owner, bytes, backing::memory, r.whole)) return false;
  return how == effort::reclaim && reclaim(owner, bytes, r, out);
}

bool store::fit(session_id owner, std::uint64_t bytes, const request& r, spot& out) {
  const bool paged = r.what == request::kind::lease;
  if (paged) bytes = pages_for(bytes) * page_bytes;
  for (auto& [id, s] : segments_) {
    if (!s->is_live() || s->owner != owner || s->whole != r.whole) continue;
    if (s->whole && (s->closed || s->size != bytes)) continue;
    if (paged) {
      std::uint32_t page =
          s->memory.pages().allocate(static_cast<std::uint32_t>(bytes / page_bytes));
      if (page == page_allocator::none) continue;
      out = {s.get(), page * page_bytes};
      return true;
    }
    if (auto offset = s->memory.allocate(bytes)) {
      out = {s.get(), *offset};
      return true;
    }
  }
  return false;
}

std::uint64_t store::budget_left(session_id owner, backing kind) const {
  if (kind == backing::file)
    return limits_.fallback_bytes - std::min(limits_.fallback_bytes, used_.files);
  std::uint64_t taken = used_.memory;
  if (owner != shared) {
    std::uint64_t own = 0;
    for (const auto& [id, s] : segments_)
      if (s->owner == shared && s->kind == backing::memory && !s->whole) own += s->size;
    taken += limits_.shared_bytes - std::min(limits_.shared_bytes, own);
  }
  return limits_.memory_bytes - std::min(limits_.memory_bytes, taken);
}

bool store::grow(session_id owner, std::uint64_t bytes, backing kind, bool whole) {
  if (segment_trouble_[static_cast<int>(kind)].until > now_) return false;
  std::uint64_t left = budget_left(owner, kind) / page_bytes * page_bytes;
  std::uint64_t least = pages_for(bytes) * page_bytes;
  if (left < least) return false;
  std::uint64_t size =
      std::min(left, std::max(least, limits_.segment_bytes / page_bytes * page_bytes));
  if (whole) size = least;
  segment_id id = ++last_segment_;
  segments_.emplace(id, std::make_unique<segment>(id, owner, size, kind, whole));
  (kind == backing::memory ? used_.memory : used_.files) += size;
  actions_.push_back(make_segment{id, owner, size, kind, whole});
  return true;
}

void store::segment_made(segment_id id) {
  auto it = segments_.find(id);
  if (it == segments_.end() || it->second->now != segment::phase::making) return;
  segment& s = *it->second;
  segment_trouble_[static_cast<int>(s.kind)] = {};
  auto owner = sessions_.find(s.owner);
  bool dead = owner != sessions_.end() && owner->second.ended;
  s.now = dead ? segment::phase::quarantined : segment::phase::live;
}

void store::segment_refused(segment_id id, const error& why) {
  auto it = segments_.find(id);
  if (it == segments_.end() || it->second->now != segment::phase::making) return;
  add_trouble(segment_trouble_[static_cast<int>(it->second->kind)], why, now_);
  it->second->now = segment::phase::ending;
  segment_ended(id);
}

void store::segment_ended(segment_id id) {
  auto it = segments_.find(id);
  if (it == segments_.end() || it->second->now != segment::phase::ending) return;
  segment& s = *it->second;
  (s.kind == backing::memory ? used_.memory : used_.files) -= s.size;
  segments_.erase(it);
}

void store::end(segment& s) {
  s.now = segment::phase::ending;
  actions_.push_back(end_segment{s.id});
}

/// What was in it is gone, or its lease was given back; nobody else can be given a part of it.
void store::end_whole() {
  if (limits_.whole_from_bytes == 0) return;
  for (auto& [id, s] : segments_)
    if (s->whole && s->is_idle() && (s->closed || !s->fresh)) end(*s);
}

/// REQUIRES: no free space and no budget for a new segment.
bool store::reclaim(session_id owner, std::uint64_t bytes, request& r, spot& out) {
  if (!r.whole && evict_own(owner, bytes, r, out)) return true;
  if (drain_others(owner, bytes)) return false;
  r.blocked_by = request::wait::spill;
  // No segment of its own is large enough: it takes one that comes free as a whole.
  if (spill_for(owner, r.whole ? ~std::uint64_t{0} : bytes)) return false;
  r.blocked_by = request::wait::segment;
  for (const auto& [id, s] : segments_)
    if (s->now == segment::phase::ending && s->size >= bytes) return false;
  if (!r.whole && grow(owner, bytes, backing::file, false)) return false;  // no file is sealed
  r.blocked_by = request::wait::memory;
  press(r);
  return false;
}

bool store::evict_own(session_id owner, std::uint64_t bytes, const request& r, spot& out) {
  for (;;) {
    object* oldest = nullptr;
    for (auto& [id, s] : segments_) {
      object* x = s->is_live() && s->owner == owner && s->size >= bytes && !s->whole
                      ? s->clean.oldest()
                      : nullptr;
      if (x != nullptr && (oldest == nullptr || x->used < oldest->used)) oldest = x;
    }
    if (oldest == nullptr) return false;
    if (is_read_silently(*oldest)) continue;
    evict(*oldest);
    if (fit(owner, bytes, r, out)) return true;
  }
}

/// What `owner` gains where evicting what is clean empties a segment, so that it can end. Sessions
/// gain nothing of what is kept for the shared segments, as which those of dead ones count.
std::uint64_t store::drained(const segment& s, session_id owner, std::uint64_t shared_left) const {
  if (!s.is_live() || s.fresh || s.kind != backing::memory || !s.leases.empty()) return 0;
  if (s.clean.count() != s.objects.size()) return 0;
  if (owner == shared || s.owner != shared || s.whole) return s.size;
  const std::uint64_t free = shared_left - std::min(shared_left, limits_.shared_bytes);
  return std::min(s.size, free);
}

/// Ends segments that only hold what can go, where their end makes room for `bytes`. True: wait.
bool store::drain_others(session_id owner, std::uint64_t bytes) {
  std::uint64_t coming = budget_left(owner, backing::memory), shared_left = 0;
  std::vector<segment*> chosen;
  for (auto& [id, s] : segments_) {
    if (s->kind != backing::memory) continue;
    if (s->now == segment::phase::ending) coming += s->size;
    else if (s->owner == shared && !s->whole) shared_left += s->size;
  }
  if (coming >= bytes) return segment_trouble_[0].until <= now_;
  std::vector<segment*> all;
  for (auto& [id, s] : segments_) all.push_back(s.get());
  std::stable_sort(all.begin(), all.end(), [](const segment* a, const segment* b) {
    return a->clean.bytes() < b->clean.bytes();
  });
  for (segment* s : all) {
    if (coming >= bytes) break;
    const std::uint64_t gain = drained(*s, owner, shared_left);
    if (gain == 0) continue;
    if (s->owner == shared && !s->whole) shared_left -= s->size;
    coming += gain;
    chosen.push_back(s);
  }
  if (coming < bytes || segment_trouble_[0].until > now_) return false;
  bool all_end = true;
  for (segment* s : chosen) {
    while (object* x = s->clean.oldest())
      if (!is_read_silently(*x)) evict(*x);
    if (s->objects.empty()) end(*s);
    else all_end = false;
  }
  return all_end || drain_others(owner, bytes);  // what is read is pinned now: once more, without
}

void store::press(request& r) {
  if (std::exchange(r.pressed, true)) return;
  for (const auto& [id, s] : sessions_)
    if (id != shared && !s.ended && s.used.pinned + s.used.unpublished > 0)
      actions_.push_back(pressure{id, r.bytes});
}

/// The segment whose objects go to disk next: `any`, or one whose emptiness would help `owner`.
segment* store::next_to_spill(session_id owner, std::uint64_t bytes, bool any) const {
  segment* best = nullptr;
  for (const auto& [id, s] : segments_) {
    if (!s->is_live() || s->dirty.count() == 0) continue;
    bool own = s->owner == owner && s->size >= bytes && !s->whole;
    bool drains = s->kind == backing::memory && s->leases.empty() &&
                  s->clean.count() + s->dirty.count() + s->spilling == s->objects.size();
    if (!any && !own && !drains) continue;
    if (best == nullptr || s->dirty.oldest()->used < best->dirty.oldest()->used) best = s.get();
  }
  return best;
}

/// True: room is on its way.
bool store::spill_for(session_id owner, std::uint64_t bytes) {
  if (spills_in_flight_ >= spills_in_flight_max) return true;
  return write_batch(owner, bytes, false) || spills_in_flight_ > 0;
}

void store::spill_in_background() {
  if (spills_in_flight_ >= spills_in_flight_max || spill_trouble_.until > now_) return;
  std::uint64_t held = 0, dirty = 0;
  for (const auto& [id, s] : segments_) {
    if (!s->is_live() || s->kind != backing::memory) continue;
    held += s->size - s->free_bytes() - std::min(s->clean.bytes(), s->size - s->free_bytes());
    dirty += s->dirty.bytes();
  }
  // Spilled objects stay in memory until the room is wanted: then they can go at once.
  if (held > limits_.memory_bytes / 10 * 8 && dirty >= limits_.spill_batch_bytes_min)
    write_batch(shared, 0, true);
}

bool store::write_batch(session_id owner, std::uint64_t bytes, bool any) {
  if (spill_trouble_.until > now_) return false;
  write_spill batch{.file = last_file_ + 1, .entries = {}};
  std::uint64_t offset = 0, payload = 0;
  while (batch.entries.size() < limits_.spill_batch_objects) {
    segment* s = next_to_spill(owner, bytes, any);
    if (s == nullptr) break;
    object& x = *s->dirty.oldest();
    std::uint64_t record = spill_record_bytes(x.size);
    if (payload > 0 && payload + x.size > limits_.spill_batch_bytes_max) break;
    if (used_.spill_files + offset + record > limits_.spill_bytes) break;
    batch.entries.push_back({x.id, {s->id, x.offset, x.size}, offset});
    offset += chaos::planted(chaos::bug::torn_record) ? record / 128 * 64 : record;
    payload += x.size;
    x.spilling = true;
    ++s->spilling;
    refile(x);
  }
  if (batch.entries.empty()) return false;
  spill_file& file = files_[++last_file_];
  file.bytes = offset;
  file.records = static_cast<std::uint32_t>(batch.entries.size());
  for (const spill_entry& entry : batch.entries) file.writing.push_back(entry.id);
  used_.spill_files += offset;
  used_.spilling += offset;
  ++spills_in_flight_;
  actions_.push_back(std::move(batch));
  return true;
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
