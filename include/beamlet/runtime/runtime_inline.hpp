// SPDX-License-Identifier: Apache-2.0
#pragma once

// The bodies of runtime_handle's templates; included by runtime.hpp alone.

#include <beamlet/runtime/runtime.hpp>
#include <beamlet/sched/cancel.hpp>

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {

void put_through_engine(sched::context& here, sched::cell& x) noexcept;

/// Copies out, or moves when `last` says that nobody else can see the object.
template <class T>
result<T> read_value(sched::value_cell<stored<T>>& x, bool may_move) {
  if (const error* e = sched::error_of(x)) return *e;
  if constexpr (std::is_void_v<T>) {
    return result<void>();
  } else {
    if (may_move && is_last_ref(x)) return result<T>(std::move(x.get()));
    if constexpr (std::is_copy_constructible_v<T>) return result<T>(std::as_const(x.get()));
    else
      return error(errc::invalid_argument, error_layer::runtime,
                   {"the object cannot be copied and other refs share it: pin it, or get the last "
                    "ref by rvalue",
                    "", "", ""});
  }
}

template <class T, class F>
struct ready_callback final : sched::listener, sched::waiter {
  ready_callback(ref<T> r, F f) : object(std::move(r)), callback(std::move(f)) {
    fire = [](sched::listener& self, sched::cell& x) noexcept {
      if (sched::fires_later(self, x)) return;
      auto& me = static_cast<ready_callback&>(self);
      sched::callback_guard inside;
      me.callback(read_value<T>(static_cast<sched::value_cell<stored<T>>&>(x), false));
      delete &me;
    };
    target = sched::waiter::to_listener(*this);
  }
  ref<T> object;
  F callback;
};

}  // namespace detail

template <class T>
ref<std::decay_t<T>> runtime_handle::put(T&& value) const {
  using object = std::decay_t<T>;
  sched::context* here = sched::context_in(scheduler());
  if (here == nullptr || !sched::accepts(*here)) return detail::refused_ref<object>(here);
  auto* x = detail::plain_cell<object>::make(&scheduler());
  if (x == nullptr) return detail::failed_ref<object>(error(errc::no_memory, error_layer::runtime));
#if BEAMLET_HAS_EXCEPTIONS
  try {
#endif
    new (x->place()) object(std::forward<T>(value));
    x->state.store(sched::cell::value, std::memory_order_release);
#if BEAMLET_HAS_EXCEPTIONS
  } catch (...) {
    x->set_failure(error(errc::no_memory, error_layer::runtime));
    x->state.store(sched::cell::failed, std::memory_order_release);
  }
#endif
  if (here->face->has_engine) detail::put_through_engine(*here, *x);
  return detail::ref_access::adopt<object>(x);
}

template <class T>
result<T> runtime_handle::get(const ref<T>& object, std::chrono::nanoseconds timeout) const {
  auto* x = detail::ref_access::cell(object);
  if (x == nullptr || !x->sealed() || core_ == nullptr)
    BEAMLET_TRY_VOID(detail::wait_for(scheduler(), x, timeout));
  return detail::read_value<T>(*x, false);
}

template <class T>
result<T> runtime_handle::get(ref<T>&& object, std::chrono::nanoseconds timeout) const {
  auto* x = detail::ref_access::cell(object);
  if (x == nullptr || !x->sealed()) BEAMLET_TRY_VOID(detail::wait_for(scheduler(), x, timeout));
  ref<T> mine(std::move(object));
  return detail::read_value<T>(*x, true);
}

template <class T>
auto runtime_handle::get(const std::vector<ref<T>>& objects,
                         std::chrono::nanoseconds timeout) const {
  using list = std::conditional_t<std::is_void_v<T>, void, std::vector<detail::stored<T>>>;
  auto all = [&]() -> result<list> {
    auto start = std::chrono::steady_clock::now();
    auto left = [&] {
      if (timeout == no_timeout) return no_timeout;
      auto spent = std::chrono::steady_clock::now() - start;
      return spent < timeout ? timeout - std::chrono::nanoseconds(spent)
                             : std::chrono::nanoseconds(0);
    };
    if constexpr (std::is_void_v<T>) {
      for (const ref<T>& object : objects) BEAMLET_TRY_VOID(get(object, left()));
      return {};
    } else {
      list values;
      values.reserve(objects.size());
      for (const ref<T>& object : objects) {
        BEAMLET_TRY(auto value, get(object, left()));
        values.push_back(std::move(value));
      }
      return values;
    }
  };
  return all();
}

template <class T>
result<pinned<T>> runtime_handle::pin(const ref<T>& object,
                                      std::chrono::nanoseconds timeout) const {
  auto* x = detail::ref_access::cell(object);
  if (x == nullptr || !x->sealed()) BEAMLET_TRY_VOID(detail::wait_for(scheduler(), x, timeout));
  if (const error* e = sched::error_of(*x)) return *e;
  return pinned<T>(object);
}

template <class T>
result<wait_result<T>> runtime_handle::wait(const std::vector<ref<T>>& objects,
                                            wait_options options) const {
  std::vector<sched::cell*> cells;
  cells.reserve(objects.size());
  for (const ref<T>& object : objects) {
    cells.push_back(detail::ref_access::cell(object));
    if (cells.back() == nullptr) return error(errc::invalid_ref, error_layer::runtime);
  }
  auto waited = detail::wait_for_some(scheduler(), cells.data(), cells.size(), options.num_returns,
                                      options.timeout);
  if (!waited.has_value() && waited.error().code() != errc::timeout)
    return std::move(waited).error();
  wait_result<T> found;
  for (const ref<T>& object : objects)
    (object.ready() ? found.ready : found.unready).push_back(object);
  return found;
}

template <class T>
result<void> runtime_handle::cancel(const ref<T>& object, bool force, bool recursive) const {
  auto* x = detail::ref_access::cell(object);
  if (x == nullptr) return error(errc::invalid_ref, error_layer::runtime);
  sched::context* here = sched::context_in(scheduler());
  if (here == nullptr) return error(errc::no_memory, error_layer::runtime);
  auto* extra = x->extra.load(std::memory_order_acquire);
  bool forced = force && extra != nullptr && extra->isolated != nullptr;
  sched::cancel(*here, *x, recursive, forced);
  if (force && !forced)
    return error(errc::unsupported, error_layer::runtime,
                 {"force ends the worker process of a task with isolation = process; this one runs "
                  "in the program itself and was asked to end",
                  "", "", ""});
  return {};
}

template <class T, class F>
void runtime_handle::on_ready(const ref<T>& object, F callback) const {
  auto* x = detail::ref_access::cell(object);
  if (x == nullptr) return callback(result<T>(error(errc::invalid_ref, error_layer::runtime)));
  auto* node = new (std::nothrow) detail::ready_callback<T, F>(object, std::move(callback));
  if (node == nullptr) panic({"memory", "no memory for an on_ready callback", __FILE__, __LINE__});
  if (!sched::add_waiter(*x, *node)) node->fire(*node, *x);
}

template <class... T>
std::tuple<ref<T>...> runtime_handle::split(const ref<std::tuple<T...>>& object) const {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple<ref<T>...>(
        task([](const std::tuple<T...>& all) -> T { return std::get<I>(all); }).remote(object)...);
  }
  (std::index_sequence_for<T...>());
}

template <class T>
result<actor_handle<T>> runtime_handle::get_actor(std::string_view name,
                                                  std::string_view name_space) const {
  sched::context* here = sched::context_in(scheduler());
  if (here == nullptr) return error(errc::no_memory, error_layer::runtime);
  BEAMLET_TRY(auto* found,
              detail::find_named(*here, name_space, name, detail::actor_block<T>::described()));
  if (found != nullptr) return actor_handle<T>::adopt(found);
  return error(
      errc::not_found, error_layer::runtime,
      {"no actor named '" + std::string(name) + "' in namespace '" + std::string(name_space) + "'",
       "", "", ""});
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
