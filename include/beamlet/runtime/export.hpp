// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values and calls as bytes, for cells that leave the process through an engine.

#include <beamlet/base/codec.hpp>
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

template <class T>
bool encode_value(const sched::cell& x, void* out) {
  if constexpr (encodable<T>) {
    auto& typed = const_cast<sched::value_cell<T>&>(static_cast<const sched::value_cell<T>&>(x));
    auto& w = *static_cast<writer*>(out);
    codec<T>::encode(w, typed.get());
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
    auto decoded = codec<T>::decode(r);
    if (!decoded.has_value() || !r.ok()) return false;
    new (static_cast<sched::value_cell<T>&>(x).place()) T(*std::move(decoded));
    return true;
  } else {
    (void)x, (void)in;
    return false;
  }
}

/// How an argument travels: a value as its parameter's type, an awaited ref as the object's id.
template <class Slot>
constexpr bool slot_travels() {
  if constexpr (Slot::awaits) return encodable<typename std::remove_cvref_t<decltype(std::declval<Slot>().target().get())>>;
  else return encodable<typename Slot::stored_type>;
}

template <class Slot>
void encode_slot(writer& out, const Slot& slot) {
  if constexpr (Slot::awaits) {
    out.number(std::uint8_t{1});
    codec<std::remove_cvref_t<decltype(slot.object)>>::encode(out, slot.object);
  } else {
    out.number(std::uint8_t{0});
    codec<typename Slot::stored_type>::encode(out, slot.value);
  }
}

/// Points `context` at the scheduler and engine of `x`.
void fill_context(const sched::cell& x, sched::codec_context& context) noexcept;
bool is_registered(const void* key) noexcept;

template <class Pack>
bool export_pack(sched::cell& x, const void* key, const Pack& arguments, sched::exported_call& out) {
  bool travels = is_registered(key);
  arguments.each([&](const auto& slot) { travels = travels && slot_travels<std::remove_cvref_t<decltype(slot)>>(); });
  if (!travels) return false;
  sched::codec_context context;
  fill_context(x, context);
  writer w(out.arguments, &context);
  arguments.each([&](const auto& slot) {
    if constexpr (slot_travels<std::remove_cvref_t<decltype(slot)>>()) encode_slot(w, slot);
  });
  out.function = key;
  out.contained = std::move(context.contained);
  return w.ok();
}

}  // namespace detail

/// A ref inside a value: its id. The one who decodes it borrows the object.
template <class T>
struct codec<ref<T>> {
  static void encode(writer& out, const ref<T>& r) {
    auto* context = static_cast<sched::codec_context*>(out.context());
    auto* x = detail::ref_access::cell(r);
    if (x == nullptr) return codec<object_id>::encode(out, object_id{});
    if (context == nullptr || context->outside == nullptr)
      return out.fail(error(errc::unsupported, error_layer::runtime,
                            {"a ref can be encoded only as part of a call or a result", "", "", ""}));
    object_id id = context->outside->publish(*x);
    context->contained.push_back(id);
    codec<object_id>::encode(out, id);
  }
  static result<ref<T>> decode(reader& in);
  static void name(std::string& out) {
    out += "ref<";
    codec<detail::stored<T>>::name(out);
    out += ">";
  }
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
