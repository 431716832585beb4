// SPDX-License-Identifier: Apache-2.0
#include "node/index_reader.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
// Each load keeps those after it behind it, so that the last look at the version is the last.
std::uint64_t load_word(const shared_word& word) { return word.load(std::memory_order_acquire); }

bool entry_names(const index_entry& entry, const index_key& key) {
  return load_word(entry.proof) == key.proof && load_word(entry.sequence) == key.sequence &&
         load_word(entry.process) == key.process && load_word(entry.node) == key.node;
}

wire::bytes copy_of_value(const index_entry& entry, std::size_t size) {
  wire::bytes copy(size);
  for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = load_word(entry.value[i / sizeof word]);
    std::memcpy(copy.data() + i, &word, std::min(sizeof word, size - i));
  }
  return copy;
}
}  // namespace

void index_reader::take(const wire::new_segment& what, int descriptor) {
  const bool is_pins = what.segment == wire::pins_segment;
  ports::mapped_memory& to = is_pins ? pins_ : index_;
  const std::size_t bytes = is_pins ? sizeof(pin_page) : sizeof(shared_index);
  if (what.size != bytes || to.data() != nullptr) return;
  auto mapped =
      ports::map_shared_memory(descriptor, {.bytes = bytes, .writable = is_pins, .file = false});
  if (mapped.has_value()) to = *std::move(mapped);
}

bool index_reader::still_says(const index_entry& entry, std::uint64_t version) const {
  const auto& page = *reinterpret_cast<const pin_page*>(pins_.data());
  return entry.version.load(in_one_order) == version && page.ended.load(in_one_order) == 0;
}

std::optional<index_reader::found> index_reader::find(const object_id& id, bool& owed) {
  owed = false;
  if (index_.data() == nullptr || pins_.data() == nullptr) return std::nullopt;
  const auto& index = *reinterpret_cast<const shared_index*>(index_.data());
  const index_key key(id);
  std::uint32_t number = key.first_entry();
  const std::uint32_t end = number + index_ways;
  std::uint64_t version = 0;
  for (; number < end; ++number) {
    version = load_word(index[number].version);
    if (version % 2 != 0 && entry_names(index[number], key)) break;
  }
  if (number == end) return std::nullopt;
  const index_entry& entry = index[number];
  const wire::extent where{static_cast<std::uint32_t>(load_word(entry.segment)),
                           load_word(entry.offset), load_word(entry.size)};
  if (where.segment == 0) {
    if (where.size > index_value_bytes_max) return std::nullopt;  // not yet all of an entry
    wire::bytes copy = copy_of_value(entry, static_cast<std::size_t>(where.size));
    if (!still_says(entry, version)) return std::nullopt;
    return found{.what = {.body = std::move(copy), .contained = {}}};
  }
  const auto free = static_cast<std::uint32_t>(std::countr_one(used_));
  if (free >= pin_slots) return std::nullopt;
  used_ |= std::uint64_t{1} << free;
  auto& page = *reinterpret_cast<pin_page*>(pins_.data());
  page.slots[free].store(pin_word(number, version), in_one_order);
  if (still_says(entry, version))
    return found{.what = {.body = where, .contained = {}}, .slot = free + 1};
  owed = unpin(free + 1);
  return std::nullopt;
}

bool index_reader::unpin(std::uint32_t slot) {
  auto& page = *reinterpret_cast<pin_page*>(pins_.data());
  used_ &= ~(std::uint64_t{1} << (slot - 1));
  // What was read of the object was read before this.
  return (page.slots[slot - 1].exchange(0, std::memory_order_acq_rel) & pin_owed) != 0;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
