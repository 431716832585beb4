// SPDX-License-Identifier: Apache-2.0
#pragma once

// Actors: a plain struct, reached only by calls through `actor_handle<T>`.

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
                                            sched::spelled_type<T>()};
    return only;
  }
  static constexpr sched::cell_ops table{.enter = sched::enter_actor,
                                         .run = nullptr,
                                         .unready = nullptr,
                                         .link = nullptr,
                                         .drop_arguments = nullptr,
                                         .destroy = sched::destroy_actor,
                                         .encode = nullptr,
                                         .decode = nullptr,
                                         .export_call = nullptr};
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
    if constexpr (is_method_of<T, M>) {
      auto& me = static_cast<message_cell&>(x);
      out.actor = me.link.actor;
      out.caller = me.link.caller;
      return export_pack(x, function_key(me.method), me.arguments, out);
    } else {
      (void)x, (void)out;
      return false;
    }
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

/// One call to an actor with options: `handle.options({...}).call(&T::method, ...)`.
template <class T>
class configured_call {
 public:
  configured_call(const actor_handle<T>& to, call_options o) : to_(to), options_(std::move(o)) {}
  template <class M, class... A>
  auto call(M method, A&&... a) && {
    return detail::call_actor<T>(to_.core(), &options_, true, method, std::forward<A>(a)...);
  }

 private:
  actor_handle<T> to_;
  call_options options_;
};

/// The value that calls an actor. Copies count: an actor ends, after the calls already made, when
/// its last handle goes, unless its lifetime is detached.
///
/// Thread: a value type; copies may be used on any thread.   Lifetime: may outlive the runtime;
/// calls then fail with errc::stopped.
template <class T>
class actor_handle {
 public:
  actor_handle() noexcept = default;
  actor_handle(const actor_handle& other) noexcept : core_(other.core_) {
    if (core_ != nullptr) sched::add_handle(*core_);
  }
  actor_handle(actor_handle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  actor_handle& operator=(actor_handle other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~actor_handle() {
    if (core_ != nullptr) sched::drop_handle(*core_);
  }

  explicit operator bool() const noexcept { return core_ != nullptr; }
  friend bool operator==(const actor_handle& a, const actor_handle& b) noexcept {
    return a.core_ == b.core_;
  }

  /// Calls a method, plain or coroutine, or a function object that takes `T&`; returns `ref<R>`.
  /// Calls of one caller arrive in order; one whose argument refs are not ready holds up that
  /// caller's later ones only.
  ///
  /// Thread: any.   Blocks: only where the mailbox is full and its policy is `block`.
  /// Cost: one block of memory and one compare-exchange.   Errors: in the ref: actor_died,
  /// queue_full, dropped, would_deadlock (a full mailbox of the calling actor itself), stopped, and
  /// what the method fails with.
  template <class M, class... A>
  auto call(M method, A&&... a) const {
    return detail::call_actor<T>(core_, nullptr, true, method, std::forward<A>(a)...);
  }
  /// The same without a ref: nobody learns of the result or of an error (`stats` counts them).
  template <class M, class... A>
  void send(M method, A&&... a) const {
    detail::call_actor<T>(core_, nullptr, false, method, std::forward<A>(a)...);
  }
  configured_call<T> options(call_options o) const {
    return configured_call<T>(*this, std::move(o));
  }

  /// For the library.
  sched::actor_core* core() const noexcept { return core_; }
  static actor_handle adopt(sched::actor_core* counted) noexcept {
    actor_handle h;
    h.core_ = counted;
    return h;
  }

 private:
  sched::actor_core* core_ = nullptr;
};

namespace detail {

/// How constructor arguments are passed: as given where T takes them so, else refs are waited for.
template <class T, class... A>
struct constructor_parameters {
  static constexpr bool as_given = std::is_constructible_v<T, std::decay_t<A>...>;
  template <class X>
  using parameter =
      std::conditional_t<as_given, std::decay_t<X>, typename pointee<std::decay_t<X>>::type>;
  static constexpr bool fits = std::is_constructible_v<T, parameter<A>...>;
  using type = std::tuple<parameter<A>...>;
  using construct = construct_state<T, parameter<A>...>;
};

/// Checked options in the scheduler's terms.
result<sched::actor_options> make_actor_options(sched::context& here, const actor_options& options,
                                                std::string_view name_space);
/// An actor that could not be made: every call fails with `why`.
template <class T>
actor_handle<T> failed_actor(error why) noexcept;
void make_orphan(sched::actor_core& a, error why) noexcept;
/// A counted handle of the named actor with this state, or null. Error: the name belongs to another
/// type.
result<sched::actor_core*> find_named(sched::context& here, std::string_view name_space,
                                      std::string_view name, const sched::actor_type& type);

/// The same for a name that another thread is just taking.
sched::actor_core* await_named(sched::context& here, std::string_view name_space,
                               std::string_view name, const sched::actor_type& type);

template <class T>
actor_handle<T> failed_actor(error why) noexcept {
  auto* a = actor_block<T>::make(nullptr);
  if (a == nullptr) return {};
  make_orphan(*a, std::move(why));
  return actor_handle<T>::adopt(a);
}

template <class T, class... A>
actor_handle<T> create_actor(sched::scheduler& home, const actor_options* options,
                             std::string_view name_space, A&&... arguments) {
  using constructor = constructor_parameters<T, A...>;
  static_assert(constructor::fits,
                "beamlet: the actor has no constructor that takes these arguments");
  using method = typename constructor::construct;
  using pack = typename pack_of<typename constructor::type, A...>::type;
  using C = message_cell<T, method, void, pack>;

  sched::context* here = sched::context_in(home);
  if (here == nullptr || !sched::accepts(*here))
    return failed_actor<T>(here != nullptr ? sched::refuse(*here) : errc::no_memory);
  if (!(is_given(arguments) && ...)) return failed_actor<T>(errc::invalid_ref);
  auto checked =
      make_actor_options(*here, options != nullptr ? *options : actor_options{}, name_space);
  if (!checked.has_value()) return failed_actor<T>(std::move(checked).error());
  if (options != nullptr && options->get_if_exists) {
    auto found = find_named(*here, checked->name_space, checked->name, actor_block<T>::described());
    if (!found.has_value()) return failed_actor<T>(std::move(found).error());
    if (*found != nullptr) return actor_handle<T>::adopt(*found);
  }
  auto* a = actor_block<T>::make(&home);
  error why;
  C* x = a != nullptr ? make_call<C>(why, method{}, std::forward<A>(arguments)...) : nullptr;
  if (x == nullptr) {
    if (a == nullptr) return {};
    make_orphan(*a, std::move(why));
    return actor_handle<T>::adopt(a);
  }
  auto handle = actor_handle<T>::adopt(a);
  fill_header(*x, *here, C::table, 1);
  x->function = sched::function_index(*here, {&type_key<T>::here, &sched::spelled_type<T>});
  x->link = {a, sched::caller_of(*here)};
  auto opened = sched::open_actor(*here, *a, *checked);
  if (!opened.has_value()) {
    x->release();
    make_orphan(*a, opened.error());
    if (options == nullptr || !options->get_if_exists ||
        opened.error().code() != errc::already_exists)
      return handle;
    auto* faster =
        await_named(*here, checked->name_space, checked->name, actor_block<T>::described());
    return faster != nullptr ? actor_handle<T>::adopt(faster) : handle;
  }
  if (options != nullptr && options->lifetime == lifetime::detached) sched::detach_actor(*a);
  submit_message(*here, *a, *x, cell::message);
  a->findable.store(true, std::memory_order_release);
  return handle;
}

}  // namespace detail

/// `rt.actor<T>().options({...}).remote(constructor arguments...)`.
template <class T>
class actor_builder {
 public:
  actor_builder(sched::scheduler& home, std::string_view name_space)
      : home_(&home), name_space_(name_space) {}
  actor_builder&& options(actor_options o) && {
    options_ = std::move(o);
    configured_ = true;
    return std::move(*this);
  }
  /// Makes the actor and returns at once; the constructor runs on a worker, before the first call.
  /// When it fails, every call fails with errc::actor_died and its error as the cause. Options that
  /// are refused (a name that is taken, more resources than there are) give a handle whose calls
  /// fail with that error.
  ///
  /// Thread: any.   Blocks: no.   Cost: one block of memory for state and mailbox, one for the
  /// constructor's call.
  template <class... A>
  actor_handle<T> remote(A&&... a) && {
    return detail::create_actor<T>(*home_, configured_ ? &options_ : nullptr, name_space_,
                                   std::forward<A>(a)...);
  }

 private:
  sched::scheduler* home_;
  std::string_view name_space_;
  actor_options options_;
  bool configured_ = false;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
