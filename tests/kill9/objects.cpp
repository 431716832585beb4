// SPDX-License-Identifier: Apache-2.0
#include "tests/kill9/objects.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>

namespace kill9 {
namespace {
constexpr std::size_t word_bytes = sizeof(std::uint64_t);

std::uint64_t mixed(std::uint64_t x) {  // the finaliser of splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
std::uint64_t seed_of(const object_id& id) {
  return mixed(mixed(mixed(id.node ^ id.guard) + id.session) + id.sequence);
}
// All words differ from each other, and from those of other objects.
std::uint64_t word(std::uint64_t seed, std::size_t index) {
  return (seed + index) * 0x9e3779b97f4a7c15u;
}
}  // namespace

base::time_ns now_ns() {
  auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<base::time_ns>(std::chrono::nanoseconds(since).count());
}

std::size_t size_of(const object_id& id) {
  std::uint64_t seed = seed_of(id);
  std::size_t power = std::size_t{1024} << (seed >> 32) % 10;
  return power + seed % (power + 1);
}

void fill(std::byte* bytes, const object_id& id) {
  std::uint64_t seed = seed_of(id);
  std::size_t size = size_of(id);
  for (std::size_t at = 0; at < size; at += word_bytes) {
    std::uint64_t value = word(seed, at / word_bytes);
    std::memcpy(bytes + at, &value, std::min(word_bytes, size - at));
  }
}

std::string compare(const object_id& id, const std::byte* bytes, std::size_t count) {
  std::string name = "object " + id.to_string();
  std::size_t size = size_of(id);
  if (count != size)
    return name + " has " + std::to_string(count) + " bytes, not " + std::to_string(size);
  std::uint64_t seed = seed_of(id);
  for (std::size_t at = 0; at < size; at += word_bytes) {
    std::uint64_t value = word(seed, at / word_bytes);
    if (std::memcmp(bytes + at, &value, std::min(word_bytes, size - at)) != 0)
      return name + " is wrong at byte " + std::to_string(at) + " of " + std::to_string(size);
  }
  return {};
}

error wrong(std::string what) {
  return error(errc::malformed, error_layer::user,
               {.message = std::move(what), .type = {}, .function = {}, .cause = {}});
}

result<void> worker::open(std::unique_ptr<node::agent_link> link) {
  return session.open(std::move(link),
                      {.functions_hash = 1,
                       .program = "kill9",
                       .worker = false,
                       .slots = 0,
                       .now_ns = now_ns,
                       .secret = {random(), random()}},
                      wait_ns);
}

result<void> worker::seal(const object_id& id, const node::block& at) {
  session.publish(id);
  session.fulfil(id, {.place = at, .size = size_of(id)});
  BEAMLET_TRY(auto nothing, session.fetch({}, 0, wait_ns));  // behind it: the agent has heard it
  (void)nothing;
  return {};
}

result<void> worker::get(const object_id& id) {
  BEAMLET_TRY(auto all, session.fetch(std::span(&id, 1), 0, wait_ns));
  const node::arrived& object = all.at(0);
  error why = object.why;
  if (why.code() == errc::ok) {
    auto text = compare(object.id, object.bytes.data, object.bytes.size);
    if (!text.empty()) why = wrong(std::move(text));
  }
  for (node::arrived& each : all) each.bytes.drop(each.bytes.keeper);
  if (why.code() != errc::ok) return why;
  return {};
}

result<bool> worker::get_if_there(const object_id& id) {
  session.retain(id);
  auto got = get(id);
  session.let_go(id);
  if (got.has_value()) return true;
  if (got.error().code() == errc::not_found || got.error().code() == errc::object_lost)
    return false;
  return got.error();
}

}  // namespace kill9
