// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every kind of message with every field set to something odd, and how two messages are compared
// without the lists of fields that encoding follows.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "wire/fields.hpp"
#include "wire/messages.hpp"

namespace samples {
using namespace beamlet;
using namespace beamlet::wire;

// -- comparing: a struct is taken apart by its number of members, so that none can be forgotten

template <class T>
auto members(const T& from) {
  constexpr std::size_t count = wire::member_count<T>();
  if constexpr (count == 0) {
    return std::tie();
  } else if constexpr (count == 1) {
    const auto& [a] = from;
    return std::tie(a);
  } else if constexpr (count == 2) {
    const auto& [a, b] = from;
    return std::tie(a, b);
  } else if constexpr (count == 3) {
    const auto& [a, b, c] = from;
    return std::tie(a, b, c);
  } else if constexpr (count == 4) {
    const auto& [a, b, c, d] = from;
    return std::tie(a, b, c, d);
  } else if constexpr (count == 5) {
    const auto& [a, b, c, d, e] = from;
    return std::tie(a, b, c, d, e);
  } else if constexpr (count == 6) {
    const auto& [a, b, c, d, e, f] = from;
    return std::tie(a, b, c, d, e, f);
  } else if constexpr (count == 11) {
    const auto& [a, b, c, d, e, f, g, h, i, j, k] = from;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (count == 13) {
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = from;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (count == 14) {
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = from;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (count == 15) {
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = from;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  } else if constexpr (count == 16) {
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = from;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  } else {
    static_assert(count == 17, "take a struct of this many members apart here");
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] = from;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
  }
}

template <class T>
bool same(const T& a, const T& b);
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!same(a[i], b[i])) return false;
  return true;
}
template <class... T, std::size_t... I>
bool same_members(const std::tuple<T...>& a, const std::tuple<T...>& b, std::index_sequence<I...>) {
  return (same(std::get<I>(a), std::get<I>(b)) && ...);
}
template <class... T>
bool same(const std::variant<T...>& a, const std::variant<T...>& b) {
  return a.index() == b.index() &&
         ((std::get_if<T>(&a) == nullptr || same(*std::get_if<T>(&a), *std::get_if<T>(&b))) && ...);
}
inline bool same(const error& a, const error& b) {
  return a == b && a.message() == b.message() && a.type() == b.type() &&
         a.function() == b.function() && a.cause() == b.cause() &&
         (a.detail() == nullptr) == (b.detail() == nullptr);
}
template <class T>
bool same(const T& a, const T& b) {
  if constexpr (requires { bool(a == b); }) {
    return a == b;
  } else {
    auto left = members(a), right = members(b);
    return same_members(left, right, std::make_index_sequence<std::tuple_size_v<decltype(left)>>());
  }
}

// -- values

inline object_id id(std::uint64_t n) {
  return {0xfedcba9876543210 + n, static_cast<std::uint32_t>(n), ~static_cast<std::uint32_t>(n), n,
          ~n};
}
inline bytes blob(std::size_t count, int first = 1) {
  bytes made(count);
  for (std::size_t i = 0; i < count; ++i) made[i] = static_cast<std::byte>(first + int(i) * 7);
  return made;
}
inline error failure() {
  return error(errc::user_exception, error_layer::sched,
               {.message = "a \"message\" \xe2\x82\xac",
                .type = "std::bad_thing",
                .function = "f(int)",
                .cause = "the first one"},
               -7);
}
inline extent range(std::uint64_t n) {
  return {static_cast<std::uint32_t>(n), 0x123456789abcdef0 + n, 0x0123456789abcdef - n};
}
inline value inline_value() { return {blob(5), {id(1), id(2)}}; }
inline value stored_value() { return {range(0xffffffff), {id(3)}}; }
inline value failed_value() { return {failure(), {}}; }

inline call whole_call() {
  call made;
  made.task = id(10);
  made.actor = id(11);
  made.kind = call_kind::actor_call;
  made.function = "app::f(i32,string)";
  made.caller = ~std::uint64_t{0} - 1;
  made.sequence = std::uint64_t{1} << 63;
  made.attempt = 0x80000001;
  made.arguments = {{id(12), true, {}, {}},
                    {id(13), false, {}, {}},
                    {{}, false, blob(3), {id(14), id(15), id(16)}},
                    {}};
  made.results = {id(17), id(18)};
  made.options.name = "a task's name";
  made.options.needs = {{"cpu", 5000}, {"camera", 1}, {"gpu", 0}};
  made.options.urgency = 2;
  made.options.deadline_ns = 0;
  made.options.retries = -1;
  made.options.retry_errors = true;
  made.options.where = wire::isolation::process;
  made.options.environment = {"A=1", "", "B=with = and \xff"};
  made.options.memory_max = 0xffffffff00000001;
  made.options.cpu_ms_max = 0x7fffffffffffffff;
  made.options.calls_max = 0xfffffffe;
  made.options.restarts = -1;
  made.options.detached = true;
  made.options.concurrency = 3;
  made.options.traced = true;
  made.options.repeated = true;
  made.parent = id(19);
  return made;
}
inline std::vector<object_here> objects() {
  return {{id(20), inline_value()}, {id(21), stored_value()}, {id(22), failed_value()}};
}

inline status whole_status() {
  constexpr auto top = std::numeric_limits<std::uint64_t>::max();
  status made;
  made.ticket = top;
  made.process = 0xfffffffe;
  made.version = "0.1.0";
  made.up_ns = top - 1;
  made.objects_store = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, top};
  made.objects = 1, made.calls = 2, made.actors = 3, made.names = 4, made.waits = 5;
  made.lineage = 6, made.programs = 7, made.workers = 8;
  made.sessions = {{1, 2, 3, "a program", 4, true, 5, 6, 7, 8, 9, 10, 11, top}, {}};
  made.listed = {{id(23), object_state::disk, 1, 2, 3, {{4, 5}, {6, top}}},
                 {id(24), object_state::actor, 0, 0, 0, {}},
                 {}};
  made.log = "/a folder/box.log";
  made.resources = {{"cpu", 40'000, -10'000, 20'000}, {}};
  return made;
}

inline trace whole_trace() {
  constexpr auto top = std::numeric_limits<std::uint64_t>::max();
  return {0xfffffffd, {"f", "a \"name\" \xff"}, {{1, top, 1, 0xffffffff}, {top - 1, 0, 0, 2}, {}}};
}

/// Every kind at least once, in the order of the variant; kinds with lists also without.
inline std::vector<to_agent> to_agents() {
  constexpr auto top = std::numeric_limits<std::uint64_t>::max();
  return {hello{0x01020304, top - 2, "program", true, 5, true},
          hello{},
          publish{id(1)},
          fulfil{id(2), inline_value()},
          fulfil{id(3), stored_value()},
          fulfil{id(4), failed_value()},
          fulfil{id(5), {bytes{}, {}}},
          fulfil{id(6), {error(errc::worker_died), {}}},
          fulfil{id(7), {error(), {}}},
          fulfil{id(8), {extent{}, {}}},
          hold{id(9)},
          release{id(10), 0xfffffff1},
          require{top, {id(11), {}, id(12)}, 255, 12345},
          require{},
          abandon{top - 1},
          unpin{{id(13)}},
          submit{whole_call()},
          submit{},
          cancel{id(14), true, false},
          cancel{id(14), false, true},
          lease{1, top - 3, 3},
          unlease{range(5)},
          done{id(15), 7, {inline_value(), stored_value(), failed_value()}},
          done{id(15), 7, {inline_value()}, {whole_trace()}},
          end_actor{id(16), true},
          name_actor{2, "space", "name", id(17), true},
          mapped{0x80000000},
          unmapped{0x7fffffff},
          bye{},
          bye{{whole_trace()}},
          look{top, 77},
          look{},
          collect{top},
          lend_cpu{id(18), 9, true},
          borrow{3, {{"gpu", 5000}, {"camera", 1}}, true},
          borrow{},
          repay{{{"gpu", 1}}}};
}
inline std::vector<to_session> to_sessions() {
  constexpr auto top = std::numeric_limits<std::uint64_t>::max();
  return {welcome{top, 0xffffffff, 1, 65536, 1048576, {{"cpu", 20'000}, {"gpu", 0}}},
          refused{3, failure(), true},
          sealed{id(1), errc::ok},
          sealed{id(2), error(static_cast<errc>(60000), static_cast<error_layer>(50000), -1)},
          sealed{id(3), {}, true, inline_value()},
          sealed{id(4), {}, true, {bytes{}, {}}},
          here{4, objects()},
          here{},
          leased{5, range(6)},
          new_segment{7, top - 1, true},
          segment_gone{8},
          returned{range(9)},
          execute{whole_call(), objects()},
          abort_call{id(3), 0xffffffff},
          pressure{top},
          named{10, id(4), error(errc::not_found, error_layer::node, 2)},
          actor_ended{id(5), failure()},
          drain{},
          whole_status(),
          status{},
          traced{top, {whole_trace(), {}, whole_trace()}},
          traced{},
          lent{11, {{"gpu", 10'000}}},
          lent{},
          recall{{{"camera", 2}}}};
}

}  // namespace samples
