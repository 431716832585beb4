// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "beamlet/base/bytes.hpp"
#include "wire/flat.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {
namespace {

template <class M>
M& at_member(void* member) noexcept {
  return *static_cast<M*>(member);
}

// What the field is read into.
void* make_member(void* owner, const field& field) {
  if (field.member != nullptr) return field.member(owner);
  auto& body = at_member<value>(owner).body;
  switch (field.body) {
    case 0: return &body.emplace<0>();
    case 1: return &body.emplace<1>();
    default: return &body.emplace<2>();
  }
}

class flat_reader {
 public:
  explicit flat_reader(std::span<const std::byte> buffer) : buffer_(buffer), left_(buffer.size()) {}

  flat_fault read_root(void* to, const table_layout& layout) {
    if (spend(0, 4, "")) (void)read_table(target(0), to, layout, "");
    return fault_;
  }

 private:
  bool read_table(std::uint64_t at, void* to, const table_layout& layout, const char* name) {
    if (!is_inside(at, 4)) return fail(name, "lies outside of the message");
    // Unsigned, so that a place before the first byte is far behind the last.
    const std::uint64_t vtable =
        at - static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(at)});
    if (!is_inside(vtable, 4)) return fail(name, "has its vtable outside of the message");
    const std::uint16_t vtable_bytes = load<std::uint16_t>(vtable);
    const std::uint16_t table_bytes = load<std::uint16_t>(vtable + 2);
    if (vtable_bytes < 4 || !is_inside(vtable, vtable_bytes))
      return fail(name, "has a vtable of a wrong size");
    if (table_bytes < 4) return fail(name, "has a wrong size");
    if (!spend(at, table_bytes, name)) return false;

    int bodies = 0;
    for (std::size_t i = 0; i < layout.field_count && 6 + 2 * i <= vtable_bytes; ++i) {
      const field& field = layout.fields[i];
      const std::uint16_t place = load<std::uint16_t>(vtable + 4 + 2 * i);
      if (place == 0) continue;
      if (place < 4 || place + field.bytes > table_bytes)
        return fail(field.name, "lies outside of its table");
      if (field.member == nullptr && ++bodies > 1) return fail(name, "has two bodies");
      if (!read_field(at + place, make_member(to, field), field)) return false;
    }
    if (&layout == &layout_of<value> && bodies == 0) return fail(name, "has no body");
    return check(layout.fault(to), name);
  }

  bool read_field(std::uint64_t at, void* to, const field& field) {
    switch (field.kind) {
      case shape::number: return read_number(at, to, field);
      case shape::id: load_id(at, at_member<object_id>(to)); return true;
      case shape::range: return read_range(at, at_member<extent>(to), field);
      case shape::text: return read_text(target(at), at_member<std::string>(to), field.max, field);
      case shape::blob: return read_blob(target(at), at_member<bytes>(to), field);
      case shape::texts:
        return read_texts(target(at), at_member<std::vector<std::string>>(to), field);
      case shape::ids: return read_ids(target(at), at_member<std::vector<object_id>>(to), field);
      case shape::table: return read_table(target(at), to, *field.of, field.name);
      case shape::tables: return read_tables(target(at), to, field);
      case shape::failure: return read_error(target(at), at_member<error>(to), field);
    }
    return false;
  }

  bool read_number(std::uint64_t at, void* to, const field& field) {
    switch (field.bytes) {
      case 1: {
        const auto number = load<std::uint8_t>(at);
        if (number > field.max) return fail(field.name, "is no choice that there is");
        at_member<std::uint8_t>(to) = number;
        return true;
      }
      case 2: at_member<std::uint16_t>(to) = load<std::uint16_t>(at); return true;
      case 4: at_member<std::uint32_t>(to) = load<std::uint32_t>(at); return true;
      default: at_member<std::uint64_t>(to) = load<std::uint64_t>(at); return true;
    }
  }
  void load_id(std::uint64_t at, object_id& to) const noexcept {
    to = {load<std::uint64_t>(at), load<std::uint32_t>(at + 8), load<std::uint32_t>(at + 12),
          load<std::uint64_t>(at + 16), load<std::uint64_t>(at + 24)};
  }
  bool read_range(std::uint64_t at, extent& to, const field& field) {
    to = {load<std::uint32_t>(at), load<std::uint64_t>(at + 8), load<std::uint64_t>(at + 16)};
    return check(fault_of(to), field.name);
  }

  // The length of a text or vector whose elements the buffer really holds.
  bool read_count(std::uint64_t at, std::size_t element_bytes, std::size_t max, const field& field,
                  std::uint32_t& count) {
    if (!spend(at, 4, field.name)) return false;
    count = load<std::uint32_t>(at);
    if (count > max) return fail(field.name, "is past its limit");
    return spend(at + 4, std::uint64_t{count} * element_bytes, field.name);
  }
  bool read_text(std::uint64_t at, std::string& to, std::size_t max, const field& field) {
    std::uint32_t count = 0;
    if (!read_count(at, 1, max, field, count)) return false;
    if (!spend(at + 4 + count, 1, field.name)) return false;
    if (load<char>(at + 4 + count) != '\0') return fail(field.name, "is a text without its end");
    to = base::text_of(buffer_.subspan(static_cast<std::size_t>(at) + 4, count));
    return true;
  }
  bool read_blob(std::uint64_t at, bytes& to, const field& field) {
    std::uint32_t count = 0;
    if (!read_count(at, 1, field.max, field, count)) return false;
    const auto from = buffer_.subspan(static_cast<std::size_t>(at) + 4, count);
    to.assign(from.begin(), from.end());
    return true;
  }
  bool read_texts(std::uint64_t at, std::vector<std::string>& to, const field& field) {
    std::uint32_t count = 0;
    if (!read_count(at, 4, field.max, field, count)) return false;
    to.resize(count);
    for (std::string& text : to)
      if (!read_text(target(at += 4), text, field.each_max, field)) return false;
    return true;
  }
  bool read_ids(std::uint64_t at, std::vector<object_id>& to, const field& field) {
    std::uint32_t count = 0;
    if (!read_count(at, 32, field.max, field, count)) return false;
    to.resize(count);
    at += 4;
    for (object_id& id : to) load_id(at, id), at += 32;
    return true;
  }
  bool read_tables(std::uint64_t at, void* to, const field& field) {
    std::uint32_t count = 0;
    if (!read_count(at, 4, field.max, field, count)) return false;
    field.resize(to, count);
    auto* next = static_cast<std::byte*>(field.view(to).first);
    for (; count > 0; --count, next += field.of->type_bytes)
      if (!read_table(target(at += 4), next, *field.of, field.name)) return false;
    return true;
  }
  bool read_error(std::uint64_t at, error& to, const field& field) {
    error_image image;
    if (!read_table(at, &image, layout_of<error_image>, field.name)) return false;
    const auto code = static_cast<errc>(image.code);  // an unknown one has its sentence, too
    const auto layer = static_cast<error_layer>(image.layer);
    to = error(code, layer, image.system);
    if (!image.message.empty() || !image.type.empty() || !image.function.empty() ||
        !image.cause.empty())
      to = error(code, layer,
                 {.message = std::move(image.message),
                  .type = std::move(image.type),
                  .function = std::move(image.function),
                  .cause = std::move(image.cause)},
                 image.system);
    return true;
  }

  bool is_inside(std::uint64_t at, std::uint64_t count) const noexcept {
    return at <= buffer_.size() && count <= buffer_.size() - at;
  }
  // Nothing that we write is shared, so all that is read together is no more than the buffer. Else
  // a small message could name one big part many times and fill the memory.
  bool spend(std::uint64_t at, std::uint64_t count, const char* name) noexcept {
    if (!is_inside(at, count)) return fail(name, "lies outside of the message");
    if (count > left_) return fail(name, "is part of something else, too");
    left_ -= static_cast<std::size_t>(count);
    return true;
  }
  // REQUIRES: is_inside(at, sizeof(N)).
  template <class N>
  N load(std::uint64_t at) const noexcept {
    return base::load_le<N>(buffer_.data() + at);
  }
  std::uint64_t target(std::uint64_t at) const noexcept { return at + load<std::uint32_t>(at); }

  bool check(const char* fault, const char* name) noexcept {
    return fault == nullptr || fail(name, fault);
  }
  bool fail(const char* field, const char* what) noexcept {
    if (fault_.code == errc::ok) fault_ = {errc::malformed, field, what};
    return false;
  }

  std::span<const std::byte> buffer_;
  std::size_t left_;  // that may still be read
  flat_fault fault_;
};
}  // namespace

flat_fault read_flat(std::span<const std::byte> buffer, void* to, const table_layout& layout) {
  return flat_reader(buffer).read_root(to, layout);
}

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
