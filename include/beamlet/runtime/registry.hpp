// SPDX-License-Identifier: Apache-2.0
#pragma once

// BEAMLET_REMOTE: the one self-registration. It names a function, a method or a constructor, so that a call may run
// in another process that has the same one. Local tasks need none, but get their name from it.

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

/// `BEAMLET_REMOTE(beamlet::constructor<detector, std::string>)`: a way to make the actor from elsewhere.
template <class Actor, class... Arguments>
struct constructor_of {};
template <class Actor, class... Arguments>
inline constexpr constructor_of<Actor, Arguments...> constructor{};

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
    return reinterpret_cast<const void*>(words[0] ^ (words[1] << 4) ^ (type << 8));
  } else {
    return &type_key<F>::here;
  }
}

/// What the registry needs to run a call that came from outside; filled in by runtime/import.hpp.
struct remote_entry {
  /// Decodes the arguments and submits the call; the result is a counted cell. Null with `why` on failure.
  sched::cell* (*run)(sched::context& here, const void* function, sched::actor_core* actor, std::uint64_t caller,
                      std::span<const std::byte> arguments, sched::codec_context& codec, error& why);
  sched::cell_maker result;
  /// The result as bytes; the cell is sealed with a value.
  bool (*encode_result)(const sched::cell& x, std::vector<std::byte>& out, sched::codec_context& codec);
};

/// One line of the process-wide list, static in the file that has the BEAMLET_REMOTE.
struct registration {
  registration(const void* k, std::string_view spelled_name, void (*sign)(std::string&), const remote_entry* e) noexcept;
  const void* key;
  std::string_view spelled;
  void (*signature)(std::string&);  // appends "(i32,string)->f64" from the codecs
  const remote_entry* entry;        // null: some type has no codec, the function stays in its process
  registration* next;
};

/// "detector::run(image)->boxes": the wire name.
std::string wire_name(const registration& r);
/// Null when nothing was registered under this key.
const registration* find_registration(const void* key) noexcept;
const registration* find_registration(std::string_view wire_name);
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
