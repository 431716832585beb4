// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the templates know of a callable: its result, its parameters, and whether given arguments
// fit.

#include <beamlet/base/result.hpp>
#include <beamlet/runtime/ref.hpp>
#include <beamlet/sched/async.hpp>

#include <tuple>
#include <type_traits>

namespace beamlet {
inline namespace BEAMLET_ABI {

template <class T>
class generator;
template <class T>
class ref_stream;

namespace detail {

template <class F>
struct signature;  // undefined: a generic callable, whose parameters follow from the arguments

template <class R, class... P>
struct signature<R (*)(P...)> {
  using result = R;
  using parameters = std::tuple<P...>;
};
template <class R, class... P>
struct signature<R (*)(P...) noexcept> : signature<R (*)(P...)> {};
template <class C, class R, class... P>
struct signature<R (C::*)(P...)> : signature<R (*)(P...)> {
  using object = C;
};
template <class C, class R, class... P>
struct signature<R (C::*)(P...) const> : signature<R (C::*)(P...)> {};
template <class C, class R, class... P>
struct signature<R (C::*)(P...) noexcept> : signature<R (C::*)(P...)> {};
template <class C, class R, class... P>
struct signature<R (C::*)(P...) const noexcept> : signature<R (C::*)(P...)> {};

template <class F>
concept has_call_operator = requires {
  &F::operator();
};
template <has_call_operator F>
struct signature<F> : signature<decltype(&F::operator())> {};

template <class F>
concept has_signature = requires {
  typename signature<F>::parameters;
};

/// What a ref of this function refers to: T for T, result<T> and async<T>.
template <class R>
struct value_of_result {
  using type = std::remove_cvref_t<R>;
};
template <class T>
struct value_of_result<beamlet::result<T>> {
  using type = T;
};
template <class T>
struct value_of_result<async<T>> {
  using type = T;
};
template <class T>
struct started_generator;
template <class T>
struct value_of_result<started_generator<T>> {
  using type = void;
};
template <class R>
struct checked_value {
  using type = typename value_of_result<R>::type;
  static_assert(!std::is_same_v<type, errc> && !std::is_same_v<type, error>,
                "beamlet: a remote function that may fail returns result<T> or result<void>, "
                "not an error as its value");
};
template <class R>
using value_of = typename checked_value<R>::type;

template <class R>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<beamlet::result<T>> = true;
template <class R>
inline constexpr bool is_generator = false;
template <class T>
inline constexpr bool is_generator<generator<T>> = true;

template <class R>
struct pointee {
  using type = R;
};
template <class T>
struct pointee<ref<T>> {
  using type = T;
};

/// A `ref<T>` given to a parameter that is no ref, or to one that takes the ref it refers to: the
/// call waits for it.
template <class P, class A>
inline constexpr bool is_awaited =
    is_ref<std::remove_cvref_t<A>> &&
    (!is_ref<std::remove_cvref_t<P>> ||
     std::is_same_v<std::remove_cvref_t<P>, typename pointee<std::remove_cvref_t<A>>::type>);

template <class P, class A>
constexpr bool argument_fits() {
  using given = std::remove_cvref_t<A>;
  if constexpr (is_awaited<P, A>) {
    using object = typename pointee<given>::type;
    if constexpr (std::is_void_v<object>) return false;
    else return std::is_convertible_v<const object&, std::decay_t<P>>;
  } else {
    return std::is_convertible_v<A&&, std::decay_t<P>>;
  }
}

/// Objects are immutable: others may hold the same one.
template <class P, class A>
constexpr bool argument_is_immutable() {
  if constexpr (is_awaited<P, A>)
    return !(std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>>);
  return true;
}

template <class Parameters, class... A>
struct check_arguments;
template <class... P, class... A>
struct check_arguments<std::tuple<P...>, A...> {
  static constexpr bool count = sizeof...(P) == sizeof...(A);
  static constexpr bool types = [] {
    if constexpr (count) return (argument_fits<P, A>() && ...);
    else return false;
  }();
  static constexpr bool immutable = [] {
    if constexpr (count) return (argument_is_immutable<P, A>() && ...);
    else return true;
  }();
};

template <class F, class... A>
struct call_types {
  static_assert(
      has_signature<F>,
      "beamlet: this callable has several or templated call operators; wrap it in a lambda");
  using parameters = typename signature<F>::parameters;
  using raw_result = typename signature<F>::result;
  using checked = check_arguments<parameters, A...>;
  static_assert(checked::count, "beamlet: wrong number of arguments for this remote function");
  static_assert(!checked::count || checked::types,
                "beamlet: an argument does not convert to the parameter of this remote function");
  static_assert(checked::immutable,
                "beamlet: a ref's object is immutable; take it as T or const T&, not as T&");
  static_assert(!std::is_reference_v<raw_result>, "beamlet: a remote function returns by value");
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
