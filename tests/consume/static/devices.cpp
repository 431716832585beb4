// SPDX-License-Identifier: Apache-2.0
// Work for a device. Linked with -static a program loads no drivers: the processor does all of it,
// the reason is told, and what it found out is not taken for true by programs that can load them.
#include <beamlet/beamlet.hpp>

#include <iostream>
#include <string_view>

namespace ops = beamlet::ops;

// How it is linked: "static" or "dynamic".
int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  const bool is_static = argc > 1 && std::string_view(argv[1]) == "static";
  auto rt = beamlet::runtime::start({.argc = argc, .argv = argv}).value();
  auto three = beamlet::tensor::copy_of<float>(std::vector<float>{1, -2, 3}, {3}).value();
  auto negated = rt.device_task(ops::elementwise{{{ops::function::negate}}}).remote(three);
  const float middle = rt.get(negated).value().view<float>().value()[1];

  const beamlet::devices_report known = rt.devices().value();
  std::cout << middle << '\n' << known.explanation << '\n';
  const bool by_processor = known.work.size() == 1 && known.work[0].device == "cpu:0";
  const bool says_static =
      known.explanation.find("a static program loads no drivers") != std::string::npos;
  return middle == 2 && by_processor && says_static == is_static ? 0 : 1;
}
