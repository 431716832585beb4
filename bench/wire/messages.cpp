// SPDX-License-Identifier: Apache-2.0

// Messages between a session and its agent as bytes and back: per message the nanoseconds, the
// allocations and the size. Called without arguments.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "wire/encoding.hpp"

namespace {
long allocations = 0;
}  // namespace

// Not inlined, because g++ then takes malloc for a mismatch of delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {
using namespace beamlet;
using namespace beamlet::wire;

object_id id(std::uint64_t n) { return {0x1234567890, 3, 4, n, ~n}; }

call small_call() {
  call made;
  made.task = id(1);
  made.function = "app::detector::run(tensor<f32>,string,i32)->boxes";
  made.arguments = {{id(2), false, {}, {}}, {{}, false, bytes(16), {}}, {{}, false, bytes(4), {}}};
  made.results = {id(3)};
  made.options.name = "detect";
  made.options.needs = {{"cpu", 10'000}};
  return made;
}

struct cost {
  double ns, allocated;
};

/// The least of five passes, because others use the machine, too.
template <class F>
cost measure(F pass) {
  constexpr int count = 20'000;
  cost least = {1e9, 0};
  for (int repeat = 0; repeat < 5; ++repeat) {
    const long before = allocations;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) pass();
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    if (taken.count() / count < least.ns)
      least = {taken.count() / count, double(allocations - before) / count};
  }
  return least;
}

template <class Message, class Decode>
void row(const char* name, const Message& message, Decode decode) {
  const bytes encoded = encode(message).value_or(bytes());
  std::size_t check = 0;
  const cost to = measure([&] { check += encode(message)->size(); });
  const cost from = measure([&] { check += decode(encoded)->index(); });
  std::printf(
      "%-28s bytes %5zu   encode %6.0f ns %4.1f allocations   decode %6.0f ns %4.1f allocations\n",
      name, encoded.size(), to.ns, to.allocated, from.ns, from.allocated);
  if (check == 0) std::abort();
}
}  // namespace

int main() {
  auto agent = [](const char* name, const to_agent& m) { row(name, m, decode_to_agent); };
  auto session = [](const char* name, const to_session& m) { row(name, m, decode_to_session); };
  agent("publish", publish{id(1)});
  agent("release", release{id(1), 1});
  agent("fulfil, 1 KiB inline", fulfil{id(1), {bytes(1024), {}}});
  agent("fulfil, 64 KiB inline", fulfil{id(1), {bytes(65536), {}}});
  agent("fulfil, range", fulfil{id(1), {extent{1, 4096, 1 << 20}, {}}});
  agent("submit, 3 arguments", submit{small_call()});
  agent("require, 100 objects", require{1, std::vector<object_id>(100, id(1)), 0, 0});
  session("execute, 3 arguments", execute{small_call(), {{id(2), {extent{1, 4096, 1 << 20}, {}}}}});
  session("here, 1 KiB inline", here{1, {{id(1), {bytes(1024), {}}}}});
}
