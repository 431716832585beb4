// SPDX-License-Identifier: Apache-2.0
// Texts from outside: ids, names of resources, levels, and what goes into a JSON document.
// The first byte of an input chooses the parser.

#include <beamlet/base/bytes.hpp>
#include <beamlet/base/id.hpp>
#include <beamlet/base/ledger.hpp>
#include <beamlet/base/log.hpp>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/json.hpp"
#include "fuzz.hpp"

namespace {
using namespace beamlet;

void check_id(std::string_view text) {
  auto id = object_id::parse(text);
  if (!id.has_value()) return;
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  BEAMLET_ASSERT(id->to_string() == lower, "an id has one text");
}

void check_json(std::string_view text) {
  std::string out;
  base::append_json_string(out, text);
  BEAMLET_ASSERT(out.size() >= 2 && out.front() == '"' && out.back() == '"', "quoted");
  for (std::size_t i = 1; i + 1 < out.size(); ++i) {
    BEAMLET_ASSERT(static_cast<unsigned char>(out[i]) >= 0x20 && out[i] != '"', "escaped");
    if (out[i] == '\\') ++i;
    BEAMLET_ASSERT(i + 1 < out.size(), "the last quote is not escaped");
  }
  // Escaping what is ASCII already changes only quotes and backslashes: so the text was made valid
  // UTF-8.
  std::string again;
  base::append_json_string(again, std::string_view(out).substr(1, out.size() - 2));
  auto added = static_cast<std::size_t>(std::count(out.begin() + 1, out.end() - 1, '\\') +
                                        std::count(out.begin() + 1, out.end() - 1, '"'));
  BEAMLET_ASSERT(again.size() == out.size() + added, "the text is valid UTF-8");
}

void check_resource(std::string_view text) {
  resource_names names;
  auto id = names.intern(text);
  if (id.has_value()) BEAMLET_ASSERT(names.name(*id) == text, "a name keeps its id");
  double units = 0;
  std::memcpy(&units, text.data(), std::min(text.size(), sizeof units));
  auto amount = parse_amount(units, text);
  if (amount.has_value())
    BEAMLET_ASSERT(*amount >= 0 && *amount <= limits::resource_units_max * amount_per_unit,
                   "bounded");
  else BEAMLET_ASSERT(amount.error().message().size() < 300, "bounded");
}

void check_level(std::string_view text) {
  auto level = parse_log_level(text);
  if (level.has_value()) BEAMLET_ASSERT(to_string(*level) == text, "a level has one name");
  else BEAMLET_ASSERT(level.error().message().size() < 200, "bounded");
}

constexpr void (*checks[])(std::string_view) = {check_id, check_json, check_resource, check_level};

fuzz::input seed(std::uint8_t chosen, std::string_view text) {
  fuzz::input input{chosen};
  for (char c : text) input.push_back(static_cast<std::uint8_t>(c));
  return input;
}
}  // namespace

std::vector<fuzz::input> fuzz::seeds() {
  return {seed(0, object_id{1, 2, 3, 4, ~0ull}.to_string()),
          seed(0, "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"),
          seed(1, "gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x98\x80 \"quoted\" \\ \n\t"),
          seed(1, "\xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80"),
          seed(2, "node:10.0.0.1"),
          seed(2, std::string_view("\0\0\0\0\0\0\xe0\x3f", 8)),
          seed(3, "warning")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  checks[data[0] % std::size(checks)](base::text_of(std::as_bytes(std::span(data + 1, size - 1))));
  return 0;
}
