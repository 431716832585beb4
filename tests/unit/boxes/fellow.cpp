// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/boxes/fellow.hpp"

#include <filesystem>

namespace boxes {

using namespace beamlet;

std::string agent_and_file(int) {
  return std::to_string(getppid()) + " " + std::filesystem::read_symlink("/proc/self/exe").string();
}
std::int64_t elements_on_box(const tensor& t) { return static_cast<std::int64_t>(t.elements()); }
BEAMLET_REMOTE(agent_and_file);
BEAMLET_REMOTE(elements_on_box);
#ifdef BEAMLET_TEST_OTHER_PROGRAM
int of_the_other_program_only(int a) { return a; }
BEAMLET_REMOTE(of_the_other_program_only);
#endif

std::string who_serves(runtime& rt) {
  auto asked = rt.get(rt.task(agent_and_file).options({.isolation = isolation::process}).remote(0));
  return asked.has_value() ? *asked : asked.error().describe();
}

ref<tensor> put_on_box(runtime& rt) {
  auto made = tensor_builder<float>::make({fellow_elements}, rt.memory());
  if (!made.has_value()) return {};
  auto object = rt.put(std::move(*made).freeze());
  (void)rt.get(rt.task(elements_on_box).options({.isolation = isolation::process}).remote(object));
  return object;
}

int be_fellow(const std::string& box) {
  auto rt = runtime::start({.workers = 1, .box = box, .box_idle = {}});
  ref<tensor> held;
  if (rt.has_value()) held = put_on_box(*rt);
  std::string line = rt.has_value() ? who_serves(*rt) : rt.error().describe();
  std::puts(line.c_str());
  std::fflush(stdout);
  for (char c = 0; read(STDIN_FILENO, &c, 1) > 0;) {}
  return rt.has_value() ? 0 : 2;
}

}  // namespace boxes
