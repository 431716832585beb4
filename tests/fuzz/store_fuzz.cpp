// SPDX-License-Identifier: Apache-2.0
// Commands to a tiny store, against the model: the first byte says how often memory and disk fail,
// each further one is a choice. What is odd in the first byte is read as a spill record instead.

#include <beamlet/base/panic.hpp>

#include <algorithm>

#include "base/rng.hpp"
#include "fuzz.hpp"
#include "tests/unit/store/model.hpp"

namespace {
using namespace store_test;

struct choices {
  std::span<const std::uint8_t> left;

  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t value = 0, range = 1;
    for (; range < bound && !left.empty(); left = left.subspan(1), range *= 256)
      value = value * 256 + left.front();
    return static_cast<std::uint32_t>(value % bound);
  }
};

void run_commands(std::span<const std::uint8_t> input, unsigned faults) {
  choices from{input};
  model m(
      tiny_options(), [&](std::uint32_t bound) { return from.below(bound); }, faults);
  while (!from.left.empty() && m.complaint().empty()) m.step();
  if (m.complaint().empty()) m.finish();
  BEAMLET_ASSERT(m.complaint().empty(), m.complaint().c_str());
}

void read_record(std::span<const std::byte> record) {
  auto head = record.first(std::min<std::size_t>(record.size(), st::spill_head_bytes));
  auto payload = record.subspan(head.size());
  auto good = st::check_spill_record(id_of(1), head, payload);
  auto written = st::make_spill_head(id_of(1), payload);
  bool same = std::equal(head.begin(), head.end(), written.begin(), written.end());
  BEAMLET_ASSERT(good.has_value() == same, "exactly what was written is read");
}

fuzz::input random_commands(std::uint64_t seed, std::size_t size) {
  beamlet::base::rng random(seed);
  fuzz::input input(size);
  for (auto& byte : input) byte = static_cast<std::uint8_t>(random.next());
  input[0] = static_cast<std::uint8_t>(seed * 2);
  return input;
}
}  // namespace

std::vector<fuzz::input> fuzz::seeds() {
  std::vector<fuzz::input> seeds;
  for (std::uint64_t seed = 0; seed < 32; ++seed)
    seeds.push_back(random_commands(seed, 30 + 8 * seed));
  fuzz::input record{1};
  auto payload = std::as_bytes(std::span("payload"));
  for (std::byte b : st::make_spill_head(id_of(1), payload))
    record.push_back(static_cast<std::uint8_t>(b));
  for (std::byte b : payload) record.push_back(static_cast<std::uint8_t>(b));
  seeds.push_back(record);
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  if (data[0] % 2 != 0) read_record(std::as_bytes(rest));
  else run_commands(rest, data[0] / 2 % 3 * 25);
  return 0;
}
