// SPDX-License-Identifier: Apache-2.0
#pragma once

// BEAMLET_REMOTE, the one self-registration: it names a function, a method or a constructor, so
// that calls of it may run in another process whose program has the same one.

#include <beamlet/runtime/import.hpp>
#include <beamlet/runtime/registry.hpp>
#include <beamlet/sched/function_names.hpp>

#include <string>
#include <type_traits>

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {

/// Picks one of several functions of a name by its signature; the class of a method follows from
/// the name.
template <class Signature>
struct overload;
template <class R, class... P>
struct overload<R(P...)> {
  static constexpr auto of(R (*f)(P...)) { return f; }
  template <class C>
  static constexpr auto of(R (C::*f)(P...)) {
    return f;
  }
};
template <class R, class... P>
struct overload<R(P...) const> {
  template <class C>
  static constexpr auto of(R (C::*f)(P...) const) {
    return f;
  }
};

template <auto F>
struct remote {
  using function = std::remove_cv_t<decltype(F)>;
  static_assert(has_signature<function>,
                "beamlet: BEAMLET_REMOTE takes a function, a method or a constructor");
  using parameters = typename signature<function>::parameters;
  static registration_facts facts() noexcept {
    if constexpr (signature_travels<typename signature<function>::result, parameters>) {
      using calls = importer<F, parameters>;
      return {function_key(F), sched::spelled_value<F>(), calls::append_signature, &calls::entry};
    } else {
      return {function_key(F), sched::spelled_value<F>(), nullptr, nullptr};
    }
  }
};

template <auto F>
requires std::is_class_v<std::remove_cv_t<decltype(F)>>
struct remote<F> {
  // By what the arguments decay to, as the one who makes an actor has only those.
  template <class Actor, class... P>
  static registration_facts facts_of(const constructor_of<Actor(P...)>&) noexcept {
    const void* key = function_key(constructor<Actor(std::decay_t<P>...)>);
    if constexpr ((encodable<std::decay_t<P>> && ...)) {
      using calls = constructor_importer<Actor, std::decay_t<P>...>;
      return {key, sched::spelled_type<Actor>(), calls::append_signature, &calls::entry};
    } else {
      return {key, sched::spelled_type<Actor>(), nullptr, nullptr};
    }
  }
  static registration_facts facts() noexcept { return facts_of(F); }
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet

/// `BEAMLET_REMOTE(add);` at namespace scope, as often as wanted, in source files and headers. With
/// a second argument that picks an overload: `BEAMLET_REMOTE(add, int(int, int));`,
/// `BEAMLET_REMOTE(&detector::run, boxes(image) const);`.
///
/// Two functions under one wire name (qualified name and the codecs' types) are
/// errc::already_exists at `runtime::start`; the same function twice is harmless. Types without a
/// codec: the function runs in this process only. In a static archive a file that nothing else
/// refers to is not linked, and its registrations are not there: link the object file itself or the
/// whole archive.
#define BEAMLET_REMOTE(...) BEAMLET_REMOTE_AT(__COUNTER__, __VA_ARGS__)
#define BEAMLET_REMOTE_AT(number, ...)                                                      \
  BEAMLET_REMOTE_AS(number, BEAMLET_REMOTE_CHOOSE(__VA_ARGS__, BEAMLET_REMOTE_BY_SIGNATURE, \
                                                  BEAMLET_REMOTE_BY_NAME, )(__VA_ARGS__))
#define BEAMLET_REMOTE_CHOOSE(name, signature, chosen, ...) chosen
#define BEAMLET_REMOTE_BY_NAME(name) name
#define BEAMLET_REMOTE_BY_SIGNATURE(name, ...) ::beamlet::detail::overload<__VA_ARGS__>::of(name)
#define BEAMLET_REMOTE_AS(number, ...)                                  \
  static const ::beamlet::detail::registration beamlet_remote_##number( \
      ::beamlet::detail::remote<__VA_ARGS__>::facts())
