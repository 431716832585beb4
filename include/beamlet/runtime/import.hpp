// SPDX-License-Identifier: Apache-2.0
#pragma once

// Calls that come in: from encoded arguments to a cell like that of a call made here.

#include <beamlet/runtime/actor.hpp>

#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// An argument that came in: a ref to an object elsewhere, or to the value that came with the call,
/// which is then the only one.
template <class P>
struct imported_slot : awaited_slot<P, kept_as<P>> {
  using T = kept_as<P>;
  using awaited_slot<P, T>::awaited_slot;

  decltype(auto) open(bool keep) {
    T& value = this->target().get();
    if constexpr (is_view<P>) {
      (void)keep;
      return static_cast<std::decay_t<P>>(std::as_const(value));
    } else if constexpr (std::is_lvalue_reference_v<P>) {
      return static_cast<P>(value);
    } else if constexpr (std::is_copy_constructible_v<T>) {
      bool last = !keep && this->target().references.load(std::memory_order_acquire) == 1;
      return last ? T(std::move(value)) : T(std::as_const(value));
    } else {
      (void)keep;  // came as a value: read_argument takes no ref for it
      return T(std::move(value));
    }
  }
};

template <class P>
ref<kept_as<P>> read_argument(reader& in, sched::scheduler& home) {
  using T = kept_as<P>;
  constexpr bool to_const = std::is_const_v<std::remove_reference_t<P>>;
  constexpr bool may_be_shared =
      !is_ref<T> && (std::is_lvalue_reference_v<P> ? to_const : std::is_copy_constructible_v<T>);
  auto how = in.number<std::uint8_t>();
  if (how > (may_be_shared ? 1 : 0)) in.fail();
  if constexpr (may_be_shared) {
    if (how == 1) {
      auto object = decode_value<ref<T>>(in);
      if (in.ok() && *object) return *std::move(object);
      in.fail();
      return {};
    }
  }
  auto value = decode_value<T>(in);
  if (!in.ok()) return {};
  auto* x = plain_cell<T>::make(&home);
  if (x == nullptr) {
    in.fail(error(errc::no_memory, error_layer::runtime));
    return {};
  }
  new (x->place()) T(*std::move(value));
  x->state.store(cell::value, std::memory_order_release);
  return ref_access::adopt<T>(x);
}

/// Decodes arguments for parameters P and gives them to `then` as refs.
template <class... P, class Then>
result<cell*> with_arguments(sched::context& here, const sched::exported_call& call,
                             sched::codec_context& codec, Then&& then) {
  return call_guarded([&]() -> result<cell*> {
    reader in(call.borrowed.data() == nullptr ? std::span<const std::byte>(call.arguments)
                                              : call.borrowed,
              &codec);
    std::tuple<ref<kept_as<P>>...> arguments{read_argument<P>(in, here.home())...};
    if (in.remaining() != 0) in.fail();
    if (!in.ok()) return in.failure();
    return std::apply(then, std::move(arguments));
  });
}

template <class F, class R, class Pack>
struct imported_cell {
  using type = task_cell<F, R, Pack>;
};
template <class F, class R, class Pack>
requires std::is_member_function_pointer_v<F>
struct imported_cell<F, R, Pack> {
  using type = message_cell<typename signature<F>::object, F, R, Pack>;
};

/// What BEAMLET_REMOTE(F) makes for calls of F that come from outside.
template <auto F, class Parameters>
struct importer;
template <auto F, class... P>
struct importer<F, std::tuple<P...>> {
  using function = std::remove_cv_t<decltype(F)>;
  using raw = typename signature<function>::result;
  using value = stored<value_of<raw>>;
  using pack = argument_pack<std::index_sequence_for<P...>, imported_slot<P>...>;
  using cell_type = typename imported_cell<function, raw, pack>::type;
  static constexpr bool is_method = std::is_member_function_pointer_v<function>;

  static void append_signature(std::string& out) {
    out += '(';
    append_types<kept_as<P>...>(out);
    out += ")->";
    codec<value>::name(out);
  }

  static result<cell*> make(sched::context& here, const sched::exported_call& call,
                            sched::codec_context& codec) {
    if constexpr (is_method) {
      using actor = actor_block<typename signature<function>::object>;
      if (call.actor == nullptr || call.actor->type != &actor::described())
        return error(errc::invalid_argument, error_layer::runtime,
                     {"a call to a method of another type of actor", "", "", ""});
    }
    return with_arguments<P...>(here, call, codec, [&](auto&&... a) -> result<cell*> {
      error why;
      auto* x = make_call<cell_type>(why, F, std::move(a)...);
      if (x == nullptr) return why;
      fill_header(*x, here, cell_type::table, 2);
      x->function = sched::function_index(here, identify(F));
      if constexpr (is_method) x->link = {call.actor, call.caller};
      return x;
    });
  }

  static void submit(sched::context& here, cell& made) {
    auto& x = static_cast<cell_type&>(made);
    if constexpr (is_method) {
      constexpr std::uint32_t suspends = sched::is_async<raw> ? cell::may_suspend : 0;
      submit_message(here, *x.link.actor, x, cell::message | cell::local | suspends);
    } else {
      sched::count_submission(here);
      bool special = x.extra.load(std::memory_order_relaxed) != nullptr;
      std::uint32_t flags = cell::local | (special ? cell::special : 0);
      x.unmet.store(flags | (1 + sizeof...(P)), std::memory_order_relaxed);
      std::uint32_t over = 1 + x.await_arguments(here);
      std::uint32_t before = x.unmet.fetch_sub(over, std::memory_order_acq_rel);
      if ((before & cell::count_mask) == over) sched::become_ready(x, before);
    }
  }

  static constexpr remote_entry entry{
      is_method ? remote_entry::target::method : remote_entry::target::function, make, submit};
};

/// What BEAMLET_REMOTE(constructor<Actor(P...)>) makes for actors that others want here. The cell
/// is the constructor's call; its actor has one handle, which is the engine's, and is still to be
/// opened.
template <class Actor, class... P>
struct constructor_importer {
  using construct = construct_state<Actor, P...>;
  using pack = argument_pack<std::index_sequence_for<P...>, imported_slot<P>...>;
  using cell_type = message_cell<Actor, construct, void, pack>;

  static void append_signature(std::string& out) {
    out += '(';
    append_types<P...>(out);
    out += ')';
  }

  static result<cell*> make(sched::context& here, const sched::exported_call& call,
                            sched::codec_context& codec) {
    return with_arguments<P...>(here, call, codec, [&](auto&&... a) -> result<cell*> {
      error why;
      auto* x = make_call<cell_type>(why, construct{}, std::move(a)...);
      if (x == nullptr) return why;
      fill_header(*x, here, cell_type::table, 2);
      x->function =
          sched::function_index(here, {&type_key<Actor>::here, &sched::spelled_type<Actor>});
      x->link = {actor_block<Actor>::make(&here.home()), sched::caller_of(here)};
      if (x->link.actor != nullptr) return x;
      x->release();
      x->release();
      return error(errc::no_memory, error_layer::runtime);
    });
  }

  static void submit(sched::context& here, cell& made) {
    auto& x = static_cast<cell_type&>(made);
    submit_message(here, *x.link.actor, x, cell::message | cell::local);
  }

  static constexpr remote_entry entry{remote_entry::target::constructor, make, submit};
};

/// Whether calls of F can be encoded and decoded.
template <class R, class Parameters>
inline constexpr bool signature_travels = false;
template <class R, class... P>
inline constexpr bool signature_travels<R, std::tuple<P...>> =
    !is_generator<R> && encodable<stored<value_of<R>>> && (encodable<kept_as<P>> && ...);

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
