// SPDX-License-Identifier: Apache-2.0
#pragma once

// Actors: a plain struct, reached only by calls through `actor_handle<T>`.

#include <beamlet/runtime/message.hpp>

#include <string_view>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

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
  // What a pointer points to stays here: a text travels as what owns it.
  template <class X>
  using travelling =
      std::conditional_t<std::is_same_v<parameter<X>, const char*>, std::string, parameter<X>>;
  using type_elsewhere = std::conditional_t<std::is_constructible_v<T, travelling<A>...>,
                                            std::tuple<travelling<A>...>, type>;
};
template <class T, class Parameters>
struct construct_from;
template <class T, class... P>
struct construct_from<T, std::tuple<P...>> {
  using type = construct_state<T, P...>;
};

/// What the constructor's call of an isolated actor carries along. Null: no memory.
sched::cell_extra* make_creation_extra(sched::actor_options& options) noexcept;
/// Checked options in the scheduler's terms.
result<sched::actor_options> make_actor_options(sched::context& here, const actor_options& options,
                                                std::string_view name_space);
/// An actor that could not be made: every call fails with `why`.
template <class T>
actor_handle<T> failed_actor(error why) noexcept;
void make_orphan(sched::actor_core& a, error why) noexcept;
/// How handles travel: their actors by id.   Errors: unsupported (an actor of this process; outside
/// of a call), those of sched::engine.
result<object_id> publish_handle(writer& out, sched::actor_core& a);
result<sched::actor_core*> adopt_handle(reader& in, const object_id& id,
                                        const sched::actor_type& type);
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

template <class T, class Parameters, class... A>
actor_handle<T> create_actor_from(sched::scheduler& home, const actor_options* options,
                                  std::string_view name_space, A&&... arguments) {
  using method = typename construct_from<T, Parameters>::type;
  using pack = typename pack_of<Parameters, A...>::type;
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
  if (opened.has_value() && checked->isolated != nullptr) {
    x->extra.store(make_creation_extra(*checked), std::memory_order_relaxed);
  }
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

template <class T, class... A>
actor_handle<T> create_actor(sched::scheduler& home, const actor_options* options,
                             std::string_view name_space, A&&... arguments) {
  using parameters = constructor_parameters<T, A...>;
  static_assert(parameters::fits,
                "beamlet: the actor has no constructor that takes these arguments");
  using here = typename parameters::type;
  using elsewhere = typename parameters::type_elsewhere;
  if constexpr (!std::is_same_v<here, elsewhere>)
    if (options != nullptr && options->isolation == isolation::process)
      return create_actor_from<T, elsewhere>(home, options, name_space,
                                             std::forward<A>(arguments)...);
  return create_actor_from<T, here>(home, options, name_space, std::forward<A>(arguments)...);
}

}  // namespace detail

/// A handle inside a value, or as an argument: calls through it go to the actor's process. Only of
/// actors that live in one (`isolation = process`).
template <class T>
struct codec<actor_handle<T>> {
  static void encode(writer& out, const actor_handle<T>& h) {
    if (!h) return codec<object_id>::encode(out, object_id{});
    auto id = detail::publish_handle(out, *h.core());
    if (id.has_value()) codec<object_id>::encode(out, *id);
    else out.fail(std::move(id).error());
  }
  static result<actor_handle<T>> decode(reader& in) {
    auto id = detail::decode_value<object_id>(in);
    if (!in.ok()) return in.failure();
    if (id->is_null()) return actor_handle<T>();
    BEAMLET_TRY(auto* core, detail::adopt_handle(in, *id, detail::actor_block<T>::described()));
    return actor_handle<T>::adopt(core);
  }
  static void name(std::string& out) {
    out += "actor<" + sched::readable_type(sched::spelled_type<T>()) + ">";
  }
};

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
