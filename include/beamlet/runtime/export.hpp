// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values and calls as bytes, for cells that leave the process through an engine.

#include <beamlet/base/codec.hpp>
#include <beamlet/runtime/buffer.hpp>
#include <beamlet/runtime/ref.hpp>
#include <beamlet/sched/coroutine.hpp>
#include <beamlet/sched/engine.hpp>

#include <type_traits>

namespace beamlet {
inline namespace BEAMLET_ABI {

template <>
struct codec<sched::unit> {
  static void encode(writer& out, const sched::unit&) { out.number(std::uint8_t{0}); }
  static result<sched::unit> decode(reader& in) {
    in.number<std::uint8_t>();
    return sched::unit{};
  }
  static void name(std::string& out) { out += "void"; }
};

namespace detail {

/// A plain cell, pending, for an object that is elsewhere. Null: no memory.
template <class T>
sched::cell* make_pending(sched::scheduler& home) noexcept;

template <class T>
const T& value_in(const sched::cell& x) {
  return const_cast<sched::value_cell<T>&>(static_cast<const sched::value_cell<T>&>(x)).get();
}

/// `cell_ops::place`; its `placed` is a result<placed_value>*.
template <class T>
constexpr auto place_value() -> decltype(sched::cell_ops::place) {
  if constexpr (placeable<T>)
    return [](const sched::cell& x, void* placed) {
      *static_cast<result<placed_value>*>(placed) = codec<T>::place(value_in<T>(x));
    };
  else return nullptr;
}

/// An object by itself has no count before its bytes.
void write_object(writer& out, const result<placed_value>& value);
template <class T>
result<T> read_object(reader& in) {
  if constexpr (placeable<T>) {
    sched::held_bytes& held = *static_cast<sched::codec_context*>(in.context())->held;
    auto value = codec<T>::open(held);
    if (value.has_value()) held = {};
    else in.fail(value.error());
    in.bytes(in.remaining());
    return value;
  } else {
    return decode_value<T>(in);
  }
}

template <class T>
bool encode_value(const sched::cell& x, void* out) {
  if constexpr (encodable<T>) {
    auto& w = *static_cast<writer*>(out);
    if constexpr (placeable<T>) write_object(w, codec<T>::place(value_in<T>(x)));
    else codec<T>::encode(w, value_in<T>(x));
    return w.ok();
  } else {
    (void)x, (void)out;
    return false;
  }
}

template <class T>
bool decode_value(sched::cell& x, void* in) {
  if constexpr (encodable<T>) {
    auto& r = *static_cast<reader*>(in);
    auto done = call_guarded([&]() -> result<void> {
      auto decoded = read_object<T>(r);
      if (r.remaining() != 0) r.fail();
      if (r.ok()) new (static_cast<sched::value_cell<T>&>(x).place()) T(*std::move(decoded));
      return {};
    });
    if (!done.has_value()) r.fail(done.error());
    return r.ok();
  } else {
    (void)x, (void)in;
    return false;
  }
}

/// Destroys what `encode_value` has read; the cell is sealed with another state then.
template <class T>
void drop_value(sched::cell& x) {
  std::destroy_at(&static_cast<sched::value_cell<T>&>(x).get());
}

/// How an argument travels: a value as its parameter's type, an awaited ref as the object's id.
template <class Slot>
constexpr bool slot_travels() {
  if constexpr (Slot::awaits) return Slot::exact && encodable<decltype(Slot::object)>;
  else return encodable<typename Slot::stored_type>;
}

template <class Slot>
void encode_slot(writer& out, const Slot& slot) {
  if constexpr (Slot::awaits) {
    out.number(std::uint8_t{1});
    codec<std::remove_cvref_t<decltype(slot.object)>>::encode(out, slot.object);
    auto& context = *static_cast<sched::codec_context*>(out.context());
    if (!out.ok()) return;
    context.awaited.push_back(context.contained.back());
    context.contained.pop_back();
  } else {
    out.number(std::uint8_t{0});
    codec<typename Slot::stored_type>::encode(out, slot.value);
  }
}

/// Points `context` at the scheduler and engine of `x`.
void fill_context(const sched::cell& x, sched::codec_context& context) noexcept;
bool is_registered(const void* key) noexcept;

template <class Pack>
bool export_pack(sched::cell& x, const void* key, const Pack& arguments,
                 sched::exported_call& out) {
  bool travels = is_registered(key);
  arguments.each([&](const auto& slot) {
    travels = travels && slot_travels<std::remove_cvref_t<decltype(slot)>>();
  });
  if (!travels) return false;
  sched::codec_context context;
  fill_context(x, context);
  writer w(out.arguments, &context);
  arguments.each([&](const auto& slot) {
    if constexpr (slot_travels<std::remove_cvref_t<decltype(slot)>>()) encode_slot(w, slot);
  });
  out.function = key;
  out.contained = std::move(context.contained);
  out.awaited = std::move(context.awaited);
  if (!w.ok()) out.why = w.failure();
  return w.ok();
}

}  // namespace detail

/// A ref inside a value: its id. The one who decodes it borrows the object.
template <class T>
requires encodable<detail::stored<T>>
struct codec<ref<T>> {
  static void encode(writer& out, const ref<T>& r) {
    auto* context = static_cast<sched::codec_context*>(out.context());
    auto* x = detail::ref_access::cell(r);
    if (x == nullptr) return codec<object_id>::encode(out, object_id{});
    if (context == nullptr || context->outside == nullptr)
      return out.fail(
          error(errc::unsupported, error_layer::runtime,
                {"a ref can be encoded only as part of a call or a result", "", "", ""}));
    object_id id = context->outside->publish(*x);
    if (id.is_null()) return out.fail(error(errc::no_memory, error_layer::runtime));
    context->contained.push_back(id);
    codec<object_id>::encode(out, id);
  }
  static result<ref<T>> decode(reader& in) {
    auto id = detail::decode_value<object_id>(in);
    if (!in.ok()) return in.failure();
    if (id->is_null()) return ref<T>();
    auto* context = static_cast<sched::codec_context*>(in.context());
    if (context == nullptr || context->outside == nullptr)
      return error(errc::stopped, error_layer::runtime,
                   {"a ref can be decoded only while its runtime runs", "", "", ""});
    sched::cell* x = context->outside->adopt(*context->home, *id, detail::make_pending<T>);
    if (x != nullptr) return detail::ref_access::adopt<T>(x);
    return error(errc::object_lost, error_layer::runtime,
                 {"nobody holds the object", "", id->to_string(), ""});
  }
  static void name(std::string& out) {
    out += "ref<";
    codec<detail::stored<T>>::name(out);
    out += ">";
  }
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
