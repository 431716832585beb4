// SPDX-License-Identifier: Apache-2.0
#pragma once

// BEAMLET_REMOTE: the one self-registration. It names a function, a method or a constructor, so
// that a call may run in another process that has the same one. Local tasks need none, but get
// their name from it.

#include <beamlet/base/codec.hpp>
#include <beamlet/base/result.hpp>
#include <beamlet/sched/engine.hpp>
#include <beamlet/sched/function_names.hpp>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// A way to make an actor from elsewhere:
/// `BEAMLET_REMOTE(beamlet::constructor<detector(std::string)>)`; of several parameters in one more
/// pair of parentheses: `BEAMLET_REMOTE((beamlet::constructor<detector(std::string, int)>))`.
template <class Signature>
struct constructor_of;
template <class Actor, class... P>
struct constructor_of<Actor(P...)> {
  static_assert(std::is_constructible_v<Actor, P...>,
                "beamlet: the actor has no constructor that takes these arguments");
};
template <class Signature>
inline constexpr constructor_of<Signature> constructor{};

namespace detail {

template <class T>
struct type_key {
  static constexpr char here = 0;
};

/// Identifies a function within the process; the same for the registered and for the called one.
template <class F>
const void* function_key(const F& f) noexcept {
  if constexpr (std::is_pointer_v<F>) {
    return reinterpret_cast<const void*>(f);
  } else if constexpr (std::is_member_function_pointer_v<F>) {
    // A virtual method has no address of its own: its slot and its type tell it apart.
    std::array<std::uintptr_t, 2> words{};
    std::memcpy(words.data(), &f, sizeof(f) < sizeof(words) ? sizeof(f) : sizeof(words));
    auto type = reinterpret_cast<std::uintptr_t>(&type_key<F>::here);
    // Mixed, because code and types each lie close together: a plain sum soon gives two methods
    // one key.
    constexpr auto odd = static_cast<std::uintptr_t>(0x9e3779b97f4a7c15u);
    return reinterpret_cast<const void*>(((words[0] * odd) ^ words[1]) * odd + type);
  } else {
    return &type_key<F>::here;
  }
}

/// How a call that came from outside becomes a cell of this process: runtime/import.hpp fills it
/// in.
struct remote_entry {
  enum class target : std::uint8_t { function, method, constructor };
  target what;
  /// Decodes the arguments. The cell has two references, the queue's and the caller's, and runs
  /// once it was given to `submit`. Errors: malformed, no_memory, invalid_argument (a method of
  /// another type of actor).
  result<sched::cell*> (*make)(sched::context& here, const sched::exported_call& call,
                               sched::codec_context& codec);
  /// Queues it like a call made here; it does not leave again.
  void (*submit)(sched::context& here, sched::cell& x);
};

/// What one BEAMLET_REMOTE says of its function.
struct registration_facts {
  const void* key;
  std::string_view spelled;
  void (*signature)(
      std::string&);          // appends "(i32,string)->f64" from the codecs; null: a type has none
  const remote_entry* entry;  // null: the function stays in its process
};

/// One line of the process-wide list, static in the file that has the BEAMLET_REMOTE. A plug-in
/// that is unloaded takes its own with it; no runtime may use the list at that time.
struct registration : registration_facts {
  explicit registration(const registration_facts& facts) noexcept;
  ~registration();
  registration(const registration&) = delete;
  registration& operator=(const registration&) = delete;
  registration* next;
};

/// "app::detector::run(image)->boxes": the same from every compiler and for every word size.
std::string wire_name(const registration& r);
/// The first of the list.
const registration* first_registered() noexcept;
/// Null when nothing was registered under this key.
const registration* find_registration(const void* key) noexcept;
/// The function that a peer calls by its wire name. Error: not_registered, with the remedies.
result<const registration*> find_registered(std::string_view wire_name);
/// Two functions under one name: errc::already_exists, naming it. Run by `runtime::start`.
result<void> check_registry();

template <class... T>
void append_types(std::string& out) {
  bool first = true;
  ((out += first ? "" : ",", first = false, codec<T>::name(out)), ...);
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
