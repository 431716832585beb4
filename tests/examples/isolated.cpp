// SPDX-License-Identifier: Apache-2.0
// Code that may crash runs in a worker process: the program learns of it by an error, or not at
// all.
#include <beamlet/beamlet.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

// [task]
// A decoder that somebody else wrote. Some files kill it.
int decode(std::string file) {
  bool bad_day = file == "flaky" && beamlet::this_task::attempt() == 0;
  if (file == "evil" || bad_day) std::abort();
  return static_cast<int>(file.size());
}
BEAMLET_REMOTE(decode);  // another process finds it by its name and signature

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;  // this may be a worker process
  auto rt = beamlet::runtime::start().value();
  beamlet::task_options apart{.isolation = beamlet::isolation::process};
  std::cout << "good: " << rt.get(rt.task(decode).options(apart).remote("good")).value() << '\n';
  auto crashed = rt.get(rt.task(decode).options(apart).remote("evil"));
  std::cout << "evil: " << beamlet::to_string(crashed.error().code()) << '\n';
  apart.max_retries = 3;  // after a crash, in a new process
  std::cout << "flaky: " << rt.get(rt.task(decode).options(apart).remote("flaky")).value() << '\n';
}
// [/task]
