// SPDX-License-Identifier: Apache-2.0
// The program `beamlet` beside programs that share a box.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <string>

#include "node/box.hpp"
#include "node/box_status.hpp"
#include "tests/unit/boxes/command.hpp"
#include "tests/unit/boxes/fellow.hpp"

namespace box_cli_tests {

using namespace beamlet;
using namespace command_line;

double sum_on_box(const tensor& t) {
  double sum = 0;
  if (auto values = t.view<float>(); values.has_value())
    for (float each : *values) sum += each;
  return sum;
}
BEAMLET_REMOTE(sum_on_box);

TEST_CASE("beamlet status shows the programs, worker processes, objects and pins of a box") {
  auto rt = runtime::start({.workers = 1, .box = "seen", .box_idle = {}});
  REQUIRE(rt.has_value());
  auto image = tensor_builder<float>::make({1024, 768}, rt->memory());
  REQUIRE(image.has_value());
  for (float& each : image->values()) each = 1;
  auto object = rt->put(std::move(*image).freeze());
  auto sum = rt->task(sum_on_box).options({.isolation = isolation::process}).remote(object);
  CHECK(*rt->get(sum) == 1024 * 768);

  const auto printed = run({"status", "--box", "seen"});
  const auto& text = printed.second;
  CAPTURE(text);
  CHECK(printed.first == 0);
  CHECK(has(text, "box seen: agent "));
  CHECK(has(text, "log: " + node::box_log_path(node::box_folder(), "seen")));
  CHECK(has(text, "1 programs, 1 worker processes"));
  CHECK(has(text, std::to_string(getpid())));
  CHECK(has(text, "unit_boxes"));
  CHECK(has(text, "3.0 MiB"));  // the tensor
  CHECK(has(text, "of 1.0 GiB in segments"));
  CHECK_FALSE(has(text, "beamlet status"));  // who asks is left out

  const auto printed_json = run({"status", "--box", "seen", "--json", "--objects", "1"});
  const auto& json = printed_json.second;
  CAPTURE(json);
  CHECK(printed_json.first == 0);
  CHECK(json.starts_with("{\"box\": \"seen\", \"agent\": "));
  CHECK(json.ends_with("]}\n"));
  CHECK(has(json, "\"program\": \"unit_boxes\""));
  CHECK(has(json, "\"state\": \"memory\""));

  auto all = node::ask_status(node::box_folder(), "seen", 100, 10'000'000'000);
  REQUIRE(all.has_value());
  REQUIRE_FALSE(all->listed.empty());
  CHECK(all->listed[0].state == wire::object_state::memory);
  CHECK(all->programs == 1);
  CHECK(all->workers == 1);
}

TEST_CASE("beamlet status names the boxes that there are when there is no such one") {
  auto rt = runtime::start({.workers = 1, .box = "only_one", .box_idle = {}});
  REQUIRE(rt.has_value());
  auto [code, text] = run({"status", "--box", "missing"});
  CHECK(code == 1);
  CHECK(has(text, "there is no box 'missing'"));
  CHECK(has(text, "only_one"));
}

TEST_CASE("beamlet agent serves programs until it is asked to end") {
  command agent(
      {"agent", "--box", "served", "--memory", "64", "--resource", "camera=2", "--strict"});
  std::string line = agent.line();
  CHECK(has(line, "'served' listens at "));
  {
    auto rt = runtime::start({.workers = 1, .box = "served"});
    REQUIRE(rt.has_value());
    // It has none of our functions: worker processes run our file.
    CHECK(boxes::who_serves(*rt).starts_with(std::to_string(agent.process->id()) + " "));
    auto text = run({"status", "--box", "served"}).second;
    CHECK(has(text, "of 64.0 MiB"));
    CHECK(has(text, "camera"));
    CHECK_FALSE(has(text, "log: "));  // it writes to its terminal
  }
  auto [code, text] = run({"agent", "--box", "served"});
  CHECK(code == 1);
  CHECK(has(text, "listens at"));
  agent.process->ask_to_end();
  CHECK(agent.process->wait().succeeded());
  CHECK(run({"status", "--box", "served"}).first == 1);
}

TEST_CASE("wrong arguments are named, with how to do it") {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"stat"},
                                                {"status", "--boxes", "x"},
                                                {"status", "--box"},
                                                {"status", "--objects", "many"},
                                                {"agent", "--json"},
                                                {"agent", "--resource", "camera"},
                                                {"agent", "--resource", "=2"},
                                                {"agent", "--memory-usage", "101"},
                                                {"agent", "--memory", "0"}}) {
    const auto printed = run(wrong);
    const auto& text = printed.second;
    CAPTURE(text);
    CHECK(printed.first == 2);
    CHECK(has(text, "beamlet: '"));
    CHECK(has(text, "beamlet status [--box NAME]"));
  }
  CHECK(run({}).first == 0);
  auto [code, text] = run({"status", "--box", "a/b"});
  CHECK(code == 1);
  CHECK(has(text, "letters, digits"));
}

}  // namespace box_cli_tests
