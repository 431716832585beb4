// SPDX-License-Identifier: Apache-2.0
#include "node/object_index.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>
#include <variant>

#include "node/chaos.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
// Each store keeps those before it in front of it: the even version before all that follows it.
void store_word(shared_word& word, std::uint64_t value) {
  word.store(value, std::memory_order_release);
}
}  // namespace

bool object_index::takes(const wire::value& what) const {
  // What refers to others must be counted by the agent when it is told.
  if (!what.contained.empty()) return false;
  if (const auto* where = std::get_if<wire::extent>(&what.body))
    return where->size <= object_bytes_max_;
  const auto* bytes = std::get_if<wire::bytes>(&what.body);
  return bytes != nullptr && bytes->size() <= index_value_bytes_max;
}

index_entry& object_index::shared_of(const own_entry& e) {
  auto& all = *reinterpret_cast<shared_index*>(map_.data());
  return all[static_cast<std::size_t>(&e - own_.data())];
}

object_index::own_entry* object_index::find(const object_id& id) {
  if (own_.empty()) return nullptr;
  const auto first = own_.begin() + index_key(id).first_entry();
  auto at = std::find_if(first, first + index_ways,
                         [&](const own_entry& e) { return e.version % 2 != 0 && e.id == id; });
  return at == first + index_ways ? nullptr : &*at;
}

object_id object_index::in_the_way_of(const object_id& id) {
  if (own_.empty() || find(id) != nullptr) return {};
  const auto first = own_.begin() + index_key(id).first_entry();
  auto gives_way = [](const own_entry& e) { return e.version % 2 == 0 || e.where.segment == 0; };
  if (std::any_of(first, first + index_ways, gives_way)) return {};
  return (first + turn_++ % index_ways)->id;
}

void object_index::show(const object_id& id, const wire::value& what) {
  if (own_.empty() || find(id) != nullptr) return;
  const index_key key(id);
  const auto first = own_.begin() + key.first_entry(), last = first + index_ways;
  auto at = std::find_if(first, last, [](const own_entry& e) { return e.version % 2 == 0; });
  if (at == last)
    at = std::find_if(first, last, [](const own_entry& e) { return e.where.segment == 0; });
  if (at == last) return;
  if (at->version % 2 != 0) end(*at);
  index_entry& to = shared_of(*at);
  const auto* bytes = std::get_if<wire::bytes>(&what.body);
  at->id = id;
  at->where = bytes == nullptr ? std::get<wire::extent>(what.body)
                               : wire::extent{0, 0, std::uint64_t{bytes->size()}};
  store_word(to.node, key.node);
  store_word(to.process, key.process);
  store_word(to.sequence, key.sequence);
  store_word(to.proof, key.proof);
  store_word(to.segment, at->where.segment);
  store_word(to.offset, at->where.offset);
  store_word(to.size, at->where.size);
  for (std::size_t i = 0; bytes != nullptr && i < bytes->size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes->data() + i, std::min(sizeof word, bytes->size() - i));
    store_word(to.value[i / sizeof word], word);
  }
  to.version.store(++at->version, in_one_order);
}

/// The version that it had.
std::uint64_t object_index::end(own_entry& e) {
  const std::uint64_t before = e.version++;
  shared_of(e).version.store(e.version, in_one_order);
  return before;
}

void object_index::forget(const object_id& id) {
  own_entry* e = find(id);
  if (e != nullptr && e->where.segment == 0) end(*e);
}

void object_index::stop(const object_id& id, std::vector<store::session_id>& reading) {
  own_entry* e = find(id);
  if (e == nullptr) return;
  const std::uint64_t word = pin_word(static_cast<std::uint32_t>(e - own_.data()), end(*e));
  if (chaos::planted(chaos::bug::unseen_pins)) return;
  for (auto& [session, each] : pages_) {
    for (shared_word& slot : each.words().slots) {
      std::uint64_t found = slot.load(in_one_order);
      // One that has changed meanwhile is empty, or will be when its session looks at the version.
      if (found == word && slot.compare_exchange_strong(found, word | pin_owed, in_one_order))
        reading.push_back(session);
    }
  }
}

result<void> object_index::make() {
  if (chaos::refused()) return errc::no_memory;
  BEAMLET_TRY(auto memory, ports::create_shared_memory(sizeof(shared_index), "beamlet-index"));
  if (chaos::refused()) return errc::no_memory;
  BEAMLET_TRY(map_, ports::map_shared_memory(
                        memory.writer.number(),
                        {.bytes = sizeof(shared_index), .writable = true, .file = false}));
  BEAMLET_TRY_VOID(ports::seal_against_writers(memory.writer.number()));
  new (map_.data()) shared_index{};
  memory_ = std::move(memory);
  own_.resize(index_entries);
  return {};
}

result<object_index::handles> object_index::open_to(store::session_id session) {
  if (own_.empty()) BEAMLET_TRY_VOID(make());
  page made;
  if (chaos::refused()) return errc::no_memory;
  BEAMLET_TRY(made.memory, ports::create_shared_memory(sizeof(pin_page), "beamlet-pins"));
  if (chaos::refused()) return errc::no_memory;
  BEAMLET_TRY(made.map, ports::map_shared_memory(
                            made.memory.writer.number(),
                            {.bytes = sizeof(pin_page), .writable = true, .file = false}));
  new (made.map.data()) pin_page{};
  const int pins = made.memory.writer.number();
  pages_.emplace(session, std::move(made));
  return handles{memory_.writer.number(), pins};
}

void object_index::close_to(store::session_id session) {
  auto at = pages_.find(session);
  if (at == pages_.end()) return;
  at->second.words().ended.store(1, in_one_order);
  pages_.erase(at);
}

object_index::pins object_index::of(store::session_id session) const {
  pins sum;
  auto at = pages_.find(session);
  if (at == pages_.end()) return sum;
  for (const shared_word& slot : at->second.words().slots) {
    const std::uint64_t word = slot.load(std::memory_order_relaxed);
    const auto number = static_cast<std::uint32_t>((word >> 1) % index_entries);
    const own_entry& e = own_[number];
    if (e.version % 2 == 0 || word != pin_word(number, e.version)) continue;
    ++sum.count;
    sum.bytes += e.where.size;
  }
  return sum;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
