// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "beamlet/base/bytes.hpp"
#include "wire/flat.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {
namespace {

template <class M>
const M& as(const void* member) noexcept {
  return *static_cast<const M*>(member);
}

// What the field is written from; null: nothing is.
const void* find_member(const void* owner, const field& field) {
  if (field.member != nullptr) return field.member(const_cast<void*>(owner));
  const auto& body = as<value>(owner).body;
  if (body.index() != field.body) return nullptr;
  if (const auto* inline_value = std::get_if<0>(&body)) return inline_value;
  if (const auto* stored = std::get_if<1>(&body)) return stored;
  return std::get_if<2>(&body);
}

// Left out is what the reader has anyhow. Numbers are always there: to leave out the usual ones
// would save few bytes and need each default in a second place. A body says by being there which
// one it is.
bool is_left_out(const void* member, const field& field) {
  if (field.member == nullptr) return false;
  switch (field.kind) {
    case shape::number: return false;
    case shape::id: return as<object_id>(member).is_null();
    case shape::range: return as<extent>(member) == extent{};
    case shape::text: return as<std::string>(member).empty();
    case shape::blob: return as<bytes>(member).empty();
    case shape::texts: return as<std::vector<std::string>>(member).empty();
    case shape::ids: return as<std::vector<object_id>>(member).empty();
    case shape::table: return false;
    case shape::tables: return field.view(const_cast<void*>(member)).count == 0;
    case shape::failure:
      return as<error>(member) == error() && as<error>(member).detail() == nullptr;
  }
  return false;
}

void store_id(std::byte* to, const object_id& id) noexcept {
  base::store_le(to, id.node);
  base::store_le(to + 8, id.boot);
  base::store_le(to + 12, id.session);
  base::store_le(to + 16, id.sequence);
  base::store_le(to + 24, id.guard);
}

// Front to back: each part lies behind what refers to it.
class flat_writer {
 public:
  explicit flat_writer(bytes& out) : out_(out), begin_(out.size()) {}

  flat_fault write_root(const void* from, const table_layout& layout) {
    std::size_t at = grow(4, 4);
    refer(at, write_table(from, layout));
    return fault_;
  }

 private:
  // A vtable, the table right behind it, then what it refers to. Returns where the table is.
  std::size_t write_table(const void* from, const table_layout& layout) {
    if (const char* what = layout.fault(from)) fail(errc::invalid_argument, "", what);
    std::array<const void*, table_fields_max> members;  // NOLINT: filled up to field_count
    std::array<std::size_t, 4> next = {};  // the place of the next field of 8, 4, 2, 1 bytes
    std::size_t entries = 0;
    for (std::size_t i = 0; i < layout.field_count; ++i) {
      const field& field = layout.fields[i];
      const void* member = find_member(from, field);
      members[i] = member == nullptr || is_left_out(member, field) ? nullptr : member;
      if (members[i] == nullptr) continue;
      next[width_class(field)] += field.bytes;
      entries = i + 1;
    }
    // The widest first, and the table itself 4 before a multiple of 8: then no field needs a gap.
    std::size_t table_bytes = 4;
    for (std::size_t& place : next) table_bytes += std::exchange(place, table_bytes);

    const std::size_t vtable_bytes = 4 + 2 * entries;
    const std::size_t vtable = grow(vtable_bytes + 4, 8), at = vtable + vtable_bytes;
    grow(table_bytes - 4, 1);
    store(vtable, static_cast<std::uint16_t>(vtable_bytes));
    store(vtable + 2, static_cast<std::uint16_t>(table_bytes));
    store(at, static_cast<std::int32_t>(vtable_bytes));
    for (std::size_t i = 0; i < entries; ++i) {
      if (members[i] == nullptr) continue;
      std::size_t& place = next[width_class(layout.fields[i])];
      store(vtable + 4 + 2 * i, static_cast<std::uint16_t>(place));
      write_field(at + place, members[i], layout.fields[i]);
      place += layout.fields[i].bytes;
    }
    return at;
  }

  // Ids and ranges are of 8-byte numbers.
  static std::size_t width_class(const field& field) noexcept {
    return field.bytes >= 8 ? 0 : field.bytes == 4 ? 1 : field.bytes == 2 ? 2 : 3;
  }

  void write_field(std::size_t at, const void* member, const field& field) {
    switch (field.kind) {
      case shape::number: return write_number(at, member, field);
      case shape::id: return store_id(place(at), as<object_id>(member));
      case shape::range: return write_range(at, as<extent>(member), field);
      case shape::text: return refer(at, write_text(as<std::string>(member), field.max, field));
      case shape::blob: return refer(at, write_blob(as<bytes>(member), field));
      case shape::texts: return refer(at, write_texts(as<std::vector<std::string>>(member), field));
      case shape::ids: return refer(at, write_ids(as<std::vector<object_id>>(member), field));
      case shape::table: return refer(at, write_table(member, *field.of));
      case shape::tables:
        return refer(at, write_tables(field.view(const_cast<void*>(member)), field));
      case shape::failure: return refer(at, write_error(as<error>(member)));
    }
  }

  void write_number(std::size_t at, const void* member, const field& field) {
    switch (field.bytes) {
      case 1:
        if (as<std::uint8_t>(member) > field.max)
          fail(errc::invalid_argument, field.name, "no such choice");
        return store(at, as<std::uint8_t>(member));
      case 2: return store(at, as<std::uint16_t>(member));
      case 4: return store(at, as<std::uint32_t>(member));
      default: return store(at, as<std::uint64_t>(member));
    }
  }
  void write_range(std::size_t at, const extent& from, const field& field) {
    if (const char* what = fault_of(from)) fail(errc::invalid_argument, field.name, what);
    store(at, std::uint64_t{from.segment});  // and 4 bytes of padding
    store(at + 8, from.offset);
    store(at + 16, from.size);
  }

  std::size_t write_text(std::string_view from, std::size_t max, const field& field) {
    std::size_t at = write_count(from.size(), 0, max, field);
    append(base::bytes_of(from));
    out_.push_back(std::byte{0});
    return at;
  }
  std::size_t write_blob(const bytes& from, const field& field) {
    std::size_t at = write_count(from.size(), 0, field.max, field);
    append(from);
    return at;
  }
  std::size_t write_texts(const std::vector<std::string>& from, const field& field) {
    std::size_t at = write_count(from.size(), 4, field.max, field), next = at + 4;
    for (const std::string& text : from) {
      if (is_failed()) break;
      refer(next, write_text(text, field.each_max, field));
      next += 4;
    }
    return at;
  }
  std::size_t write_ids(const std::vector<object_id>& from, const field& field) {
    std::size_t at = write_count(from.size(), 32, field.max, field), next = at + 4;
    for (const object_id& id : from) {
      if (is_failed()) break;
      store_id(place(next), id);
      next += 32;
    }
    return at;
  }
  std::size_t write_tables(list_view from, const field& field) {
    std::size_t at = write_count(from.count, 4, field.max, field), next = at + 4;
    for (std::size_t i = 0; i < from.count && !is_failed(); ++i, next += 4)
      refer(next, write_table(static_cast<const std::byte*>(from.first) + i * field.of->type_bytes,
                              *field.of));
    return at;
  }
  std::size_t write_error(const error& from) {
    error_image image;
    image.code = static_cast<std::uint16_t>(from.code());
    image.layer = static_cast<std::uint16_t>(from.layer());
    image.system = from.system();
    if (const error_detail* detail = from.detail()) {
      image.message = detail->message;
      image.type = detail->type;
      image.function = detail->function;
      image.cause = detail->cause;
    }
    return write_table(&image, layout_of<error_image>);
  }

  // A length and room for so many elements, of which 32 bytes are made of 8-byte numbers.
  std::size_t write_count(std::size_t count, std::size_t element_bytes, std::size_t max,
                          const field& field) {
    if (count > max || out_.size() - begin_ > limits::message_bytes_max)
      fail(errc::too_large, field.name, "past its limit");
    std::size_t at = grow(4, element_bytes >= 8 ? 8 : 4);
    store(at, static_cast<std::uint32_t>(count));
    if (!is_failed()) grow(count * element_bytes, 1);
    return at;
  }

  // Room for `count` bytes and zeros before them, so that what follows is aligned. Returns where.
  std::size_t grow(std::size_t count, std::size_t alignment) {
    std::size_t end = out_.size() - begin_ + count;
    end = (end + alignment - 1) / alignment * alignment;
    out_.resize(begin_ + end);
    return end - count;
  }
  void append(std::span<const std::byte> from) {
    if (!is_failed()) out_.insert(out_.end(), from.begin(), from.end());
  }
  std::byte* place(std::size_t at) noexcept { return out_.data() + begin_ + at; }
  template <class N>
  void store(std::size_t at, N number) noexcept {
    base::store_le(place(at), number);
  }
  void refer(std::size_t at, std::size_t target) noexcept {
    store(at, static_cast<std::uint32_t>(target - at));
  }

  bool is_failed() const noexcept { return fault_.code != errc::ok; }
  void fail(errc code, const char* field, const char* what) noexcept {
    if (!is_failed()) fault_ = {code, field, what};
  }

  bytes& out_;
  std::size_t begin_;
  flat_fault fault_;
};
}  // namespace

flat_fault write_flat(bytes& out, const void* from, const table_layout& layout) {
  return flat_writer(out).write_root(from, layout);
}

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
