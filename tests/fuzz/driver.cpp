// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer:   NAME [executions] [seed] [first]
//
// Execution n mutates one of the target's seeds; what it does depends on `seed` and n only. After a
// crash, FUZZ_TRACE=1 prints n before each execution, and `NAME 1 SEED n` runs that one alone.

#include <beamlet/base/panic.hpp>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>

#include "base/rng.hpp"
#include "fuzz.hpp"

namespace {
using beamlet::base::rng;

constexpr std::uint64_t telling_numbers[] = {0,
                                             1,
                                             2,
                                             0x7f,
                                             0xff,
                                             0x7fff,
                                             0xffff,
                                             0x7fffffff,
                                             0x80000000,
                                             0xffffffff,
                                             0x7fffffffffffffff,
                                             0x8000000000000000,
                                             ~std::uint64_t{0}};

std::uint32_t size_of(const fuzz::input& bytes) { return static_cast<std::uint32_t>(bytes.size()); }

auto iterator_at(fuzz::input& bytes, std::uint32_t index) {
  return bytes.begin() + static_cast<std::ptrdiff_t>(index);
}

// Makes `bytes` wrong in one place.
void mutate(fuzz::input& bytes, const fuzz::input& other, rng& random) {
  std::uint32_t at = random.below(size_of(bytes) + 1);
  std::uint32_t left = size_of(bytes) - at;
  switch (random.below(7)) {
    case 0: bytes.resize(at); break;
    case 1: bytes.insert(iterator_at(bytes, at), static_cast<std::uint8_t>(random.next())); break;
    case 2: bytes.insert(bytes.end(), other.begin(), other.end()); break;
    case 3:
      if (left > 0)
        bytes.erase(iterator_at(bytes, at), iterator_at(bytes, at + 1 + random.below(left)));
      break;
    case 4:
      if (left > 0) bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << random.below(8)));
      break;
    case 5:
      if (left > 0) bytes[at] = static_cast<std::uint8_t>(random.next());
      break;
    default: {
      std::uint64_t number = telling_numbers[random.below(std::size(telling_numbers))];
      for (std::uint32_t i = 0; i < 8 && i < left; ++i, number >>= 8)
        bytes[at + i] = static_cast<std::uint8_t>(number);
    }
  }
}

fuzz::input make_input(const std::vector<fuzz::input>& seeds, rng& random) {
  auto pick = [&]() -> const fuzz::input& {
    return seeds[random.below(static_cast<std::uint32_t>(seeds.size()))];
  };
  fuzz::input bytes = pick();
  for (std::uint32_t count = random.below(5); count > 0; --count) mutate(bytes, pick(), random);
  return bytes;
}
}  // namespace

int main(int argc, char** argv) {
  auto argument = [&](int index, std::uint64_t otherwise) {
    return argc > index ? std::strtoull(argv[index], nullptr, 10) : otherwise;
  };
  std::uint64_t executions = argument(1, 100'000), seed = argument(2, 1), first = argument(3, 0);
  beamlet::set_panic_handler([](const beamlet::panic_info& info) {
    std::fprintf(stderr, "%s:%d: %s: %s\n", info.file, info.line, info.message, info.condition);
  });
  bool trace = std::getenv("FUZZ_TRACE") != nullptr;
  const std::vector<fuzz::input> seeds = fuzz::seeds();
  for (std::uint64_t n = first; n < first + executions; ++n) {
    if (trace) std::fprintf(stderr, "execution %" PRIu64 "\n", n);
    rng random(seed * 0x9e3779b97f4a7c15u + n);
    fuzz::input bytes = make_input(seeds, random);
    // An allocation of exactly this size, so that the address sanitizer sees the first byte past
    // the end.
    auto exact = std::make_unique<std::uint8_t[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), exact.get());
    LLVMFuzzerTestOneInput(exact.get(), bytes.size());
  }
  std::printf("%" PRIu64 " executions with seed %" PRIu64 ", no finding\n", executions, seed);
}
