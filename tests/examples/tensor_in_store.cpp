// SPDX-License-Identifier: Apache-2.0
// A tensor built in the object store: a worker process reads it where it lies.
#include <beamlet/beamlet.hpp>

#include <algorithm>
#include <iostream>

float brightest(const beamlet::tensor& image) {
  auto values = image.view<float>();
  return values ? *std::ranges::max_element(*values) : -1;
}
BEAMLET_REMOTE(brightest);

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  auto rt = beamlet::runtime::start().value();
  beamlet::task_options apart{.isolation = beamlet::isolation::process};
  // [build]
  auto image = beamlet::tensor_builder<float>::make({1080, 1920, 3}, rt.memory()).value();
  std::ranges::fill(image.values(), 0.25f);
  beamlet::ref<beamlet::tensor> object = rt.put(std::move(image).freeze());
  auto found = rt.task(brightest).options(apart).remote(object);
  // [/build]
  std::cout << rt.get(found).value() << '\n';
}
