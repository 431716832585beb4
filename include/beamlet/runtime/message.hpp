// SPDX-License-Identifier: Apache-2.0
#pragma once

// The block of memory that is an actor, and the cell that is a call to one.

#include <beamlet/runtime/task.hpp>
#include <beamlet/sched/actor_core.hpp>

#include <string>
#include <type_traits>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

template <class T>
class actor_handle;

namespace detail {

/// The core and, behind it, room for the state. Lives as long as a handle or a pending call.
template <class T>
struct actor_block final : sched::actor_core {
  union {
    T state;
  };
  actor_block() {}
  ~actor_block() {}

  static constexpr std::size_t align = alignof(T) > alignof(sched::actor_core)
                                           ? alignof(T)
                                           : alignof(sched::actor_core);
  static constexpr bool reentrant = [] {
    if constexpr (requires { T::reentrant; }) return static_cast<bool>(T::reentrant);
    else return false;
  }();
  static void destroy_state(sched::actor_core& a) noexcept {
    std::destroy_at(&static_cast<actor_block&>(a).state);
  }
  static void destroy_memory(sched::actor_core& a) noexcept {
    auto* self = &static_cast<actor_block&>(a);
    self->~actor_block();
    sched::pool_put<sizeof(actor_block), align>(self);
  }
  static const sched::actor_type& described() noexcept {
    static constexpr sched::actor_type only{destroy_state, destroy_memory, reentrant,
                                            sched::spelled_type<T>(), make_core};
    return only;
  }
  static sched::actor_core* make_core(sched::scheduler* home) noexcept { return make(home); }
  static constexpr sched::cell_ops table{.enter = sched::enter_actor,
                                         .destroy = sched::destroy_actor};
  /// One handle. Null: no memory.
  static actor_block* make(sched::scheduler* home) noexcept {
    void* memory = sched::pool_get<sizeof(actor_block), align>();
    if (memory == nullptr) return nullptr;
    auto* a = new (memory) actor_block;
    a->ops = &table;
    a->home = home;
    a->type = &actor_block::described();
    return a;
  }
};

/// A call's callable: a method of T or of a base, or a function object that takes `T&` first.
template <class T, class M>
struct method_types {
  using parameters = typename signature<M>::parameters;
  using result = typename signature<M>::result;
};
template <class First, class... Rest>
std::tuple<Rest...> without_first(std::tuple<First, Rest...>*);
template <class T, class M>
requires(!std::is_member_function_pointer_v<M>) struct method_types<T, M> {
  using parameters =
      decltype(without_first(static_cast<typename signature<M>::parameters*>(nullptr)));
  using result = typename signature<M>::result;
};

/// Methods of a base stay here: who decodes the call knows only the type that is named with the
/// method.
template <class T, class M>
inline constexpr bool is_method_of = false;
template <class T, class M>
requires std::is_member_function_pointer_v<M>
inline constexpr bool is_method_of<T, M> = std::is_same_v<typename signature<M>::object, T>;

template <class T, class... P>
struct construct_state;

/// Under which key a call is registered; null: it stays here.
template <class T, class M>
struct message_key {
  static constexpr bool constructs = false;
  static const void* of(const M& m) noexcept {
    if constexpr (is_method_of<T, M>) return function_key(m);
    else return (void)m, nullptr;
  }
};
template <class T, class... P>
struct message_key<T, construct_state<T, P...>> {
  static constexpr bool constructs = true;
  static const void* of(const construct_state<T, P...>&) noexcept {
    return function_key(constructor<T(P...)>);
  }
};

template <class T, class M, class R, class Pack>
struct message_cell final : call_cell<message_cell<T, M, R, Pack>, R, Pack> {
  using base = call_cell<message_cell<T, M, R, Pack>, R, Pack>;

  template <class... A>
  explicit message_cell(M m, A&&... a) : base(std::forward<A>(a)...), method(std::move(m)) {}

  decltype(auto) apply(bool keep) {
    T& state = static_cast<actor_block<T>*>(link.actor)->state;
    return this->arguments.apply(keep, [&](auto&&... a) -> R {
      if constexpr (std::is_member_function_pointer_v<M>)
        return (state.*method)(std::forward<decltype(a)>(a)...);
      else return method(state, std::forward<decltype(a)>(a)...);
    });
  }
  static sched::message_link& link_of(cell& x) { return static_cast<message_cell&>(x).link; }

  static bool export_call(cell& x, sched::exported_call& out) {
    using key = message_key<T, M>;
    auto& me = static_cast<message_cell&>(x);
    // Who is made here stays here.
    if (key::constructs && !me.link.actor->away) return false;
    const void* function = key::of(me.method);
    if (function == nullptr) return false;
    out.actor = me.link.actor;
    out.caller = me.link.caller;
    return export_pack(x, function, me.arguments, out);
  }
  static constexpr sched::cell_ops table{
      .enter = sched::enter_message,
      .run = base::run,
      .unready = Pack::awaited > 0 ? &base::unready : nullptr,
      .link = link_of,
      .drop_arguments = base::trivial ? nullptr : &base::drop_arguments,
      .destroy = base::destroy,
      .encode = encode_value<stored<value_of<R>>>,
      .decode = decode_value<stored<value_of<R>>>,
      .export_call = export_call,
      .drop_value = drop_value<stored<value_of<R>>>,
      .place = place_value<stored<value_of<R>>>(),
  };

  sched::message_link link{};
  [[no_unique_address]] M method;
};

/// The constructor as a callable. Takes the state that is to be constructed.
template <class T, class... P>
struct construct_state {
  void operator()(T& state, P... p) const { std::construct_at(&state, std::forward<P>(p)...); }
};

/// The checked options of one call; null when there is nothing to note.
result<sched::cell_extra*> make_call_extra(sched::context& here, sched::actor_core& a,
                                           const call_options& options);
/// What a call to an actor without runtime (or one that could not be made) fails with.
error gone_error(const sched::actor_core* a);

/// REQUIRES: every awaited argument is given. Owns one reference of `x`.
template <class C>
void submit_message(sched::context& here, sched::actor_core& a, C& x,
                    std::uint32_t flags) noexcept {
  using pack = decltype(x.arguments);
  sched::count_submission(here);
  if constexpr (pack::awaited > 0) {
    constexpr auto awaited = static_cast<std::uint32_t>(pack::awaited);
    x.unmet.store(flags | (1 + awaited), std::memory_order_relaxed);
    sched::hold_for_countdown(a, x);
    std::uint32_t over = 1 + x.await_arguments(here);
    if (over == 1 + awaited) {
      x.unmet.store(flags, std::memory_order_relaxed);
      sched::enqueue(here, a, x);
      x.release();
      return a.release();
    }
    sched::enqueue(here, a, x);
    if ((x.unmet.fetch_sub(over, std::memory_order_acq_rel) & cell::count_mask) == over)
      sched::message_ready(x);
  } else {
    x.unmet.store(flags, std::memory_order_relaxed);
    sched::enqueue(here, a, x);
  }
}

template <class T, class M, class... A>
auto call_actor(sched::actor_core* a, const call_options* options, bool wants_ref, M method,
                A&&... arguments) {
  using types = method_types<T, M>;
  using raw = typename types::result;
  using value = value_of<raw>;
  using checked = check_arguments<typename types::parameters, A...>;
  static_assert(checked::count, "beamlet: wrong number of arguments for this actor method");
  static_assert(!checked::count || checked::types,
                "beamlet: an argument does not convert to the parameter of this actor method");
  static_assert(checked::immutable,
                "beamlet: a ref's object is immutable; take it as T or const T&, not as T&");
  static_assert(!is_generator<raw>,
                "beamlet: an actor method cannot be a generator yet; return refs or call a task");
  using pack = typename pack_of<typename types::parameters, A...>::type;
  using C = message_cell<T, M, raw, pack>;

  if (a == nullptr || a->stage.load(std::memory_order_acquire) == sched::actor_core::life::orphan)
      [[unlikely]]
    return failed_ref<value>(gone_error(a));
  sched::context* here = sched::context_in(*a->home);
  if (here == nullptr || !sched::accepts(*here)) [[unlikely]]
    return refused_ref<value>(here);
  if (!(is_given(arguments) && ...)) [[unlikely]]
    return failed_ref<value>(error(errc::invalid_ref, error_layer::runtime,
                                   {"an argument is an empty ref", "", "", ""}));
  sched::cell_extra* extra = nullptr;
  if (options != nullptr) {
    auto made = make_call_extra(*here, *a, *options);
    if (!made.has_value()) return failed_ref<value>(std::move(made).error());
    extra = *made;
  }
  error why;
  C* x = make_call<C>(why, method, std::forward<A>(arguments)...);
  if (x == nullptr) {
    sched::destroy_extra(extra);
    return failed_ref<value>(std::move(why));
  }
  fill_header(*x, *here, C::table, wants_ref ? 2 : 1);
  x->function = sched::function_index(*here, identify(method));
  if (extra != nullptr) x->extra.store(extra, std::memory_order_relaxed);
  x->link = {a, sched::caller_of(*here)};
  submit_message(*here, *a, *x, cell::message | (sched::is_async<raw> ? cell::may_suspend : 0));
  return wants_ref ? ref_access::adopt<value>(x) : ref<value>();
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
