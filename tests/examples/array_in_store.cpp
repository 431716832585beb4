// SPDX-License-Identifier: Apache-2.0
// Numbers and text built in the object store: a worker process reads them where they lie.
#include <beamlet/beamlet.hpp>

#include <iostream>
#include <numeric>
#include <span>
#include <string_view>

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}
int letters(std::string_view text) { return static_cast<int>(text.size()); }
BEAMLET_REMOTE(sum);
BEAMLET_REMOTE(letters);

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  auto rt = beamlet::runtime::start().value();
  beamlet::task_options apart{.isolation = beamlet::isolation::process};
  // [build]
  beamlet::array_builder<double> samples(rt.memory());
  for (double each : {1.0, 2.0, 3.0}) samples.push_back(each).value();
  beamlet::ref<beamlet::array<double>> object = rt.put(std::move(samples).freeze());
  auto total = rt.task(sum).options(apart).remote(object);  // double sum(std::span<const double>)
  // [/build]
  std::cout << rt.get(total).value() << '\n';
  auto text = rt.put(beamlet::array<char>::copy_of("hello world", rt.memory()).value());
  std::cout << rt.get(rt.task(letters).options(apart).remote(text)).value() << '\n';
}
