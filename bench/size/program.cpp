// SPDX-License-Identifier: Apache-2.0

// The program whose size, memory and start are compared: without WITH_BEAMLET it uses what the
// comparison takes as given (given.cpp), with it the runtime's daily parts as well, with
// WITH_PROCESSES worker processes and the object store, too, and with WITH_DEVICES a device task:
// on what the library has, if WITH_RUN_CHILD lets it look, else on the processor.
// Called with `check`, `resident`, `start` or `idle`.

#include <dirent.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#ifdef WITH_BEAMLET
#include <beamlet/beamlet.hpp>
#endif

int use_the_given();

namespace {

using namespace std::chrono_literals;

// <cstdio> here, because <fstream> would bring into both programs what Beamlet may have to bring.

long resident_bytes() {
  long total = 0, resident = 0;
  if (std::FILE* statm = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(statm, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(statm);
  }
  return resident * sysconf(_SC_PAGESIZE);
}

long switches_of(const std::string& thread) {
  long count = 0;
  char line[256];
  if (std::FILE* status = std::fopen(("/proc/self/task/" + thread + "/status").c_str(), "r")) {
    while (std::fgets(line, sizeof line, status) != nullptr)
      if (std::sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1) break;
    std::fclose(status);
  }
  return count;
}

/// Context switches that the other threads of this process asked for: each is one wake-up.
long wake_ups() {
  long sum = 0;
  if (DIR* threads = opendir("/proc/self/task")) {
    while (const dirent* thread = readdir(threads)) {
      const std::string name = thread->d_name;
      if (name[0] != '.' && name != std::to_string(getpid())) sum += switches_of(name);
    }
    closedir(threads);
  }
  return sum;
}

#ifdef WITH_BEAMLET

int add(int a, int b) { return a + b; }

struct counter {
  int count(int by) { return total += by; }
  beamlet::async<int> count_later(beamlet::ref<int> by) { co_return total += co_await by; }
  int total = 0;
};

beamlet::runtime start() {
  auto started = beamlet::runtime::start({.workers = 1});
  if (!started.has_value()) std::exit(2);
  return std::move(*started);
}

/// Tasks, refs, an actor, a coroutine, and what is seen from outside.
bool use_beamlet() {
  auto rt = start();
  auto three = rt.task(add).remote(1, 2);
  auto six = rt.task(add).options({.name = "six", .max_retries = 1}).remote(three, rt.put(3));
  auto actor = rt.actor<counter>().remote();
  auto nine = actor.call(&counter::count, six);
  auto twelve = actor.call(&counter::count_later, three);
  bool right = rt.get(twelve).value_or(0) == 9 && rt.get(nine).value_or(0) == 6;
  return right && rt.stats().completed > 0 && !rt.dump().empty();
}

#ifdef WITH_PROCESSES
BEAMLET_REMOTE(add);
BEAMLET_REMOTE(beamlet::constructor<counter()>);
BEAMLET_REMOTE(&counter::count);

/// A task and an actor in worker processes, and a tensor in the object store.
bool use_processes() {
  auto rt = start();
  auto three = rt.task(add).options({.isolation = beamlet::isolation::process}).remote(1, 2);
  auto actor = rt.actor<counter>().options({.isolation = beamlet::isolation::process}).remote();
  bool right = rt.get(actor.call(&counter::count, three)).value_or(0) == 3;
  return right && beamlet::tensor_builder<float>::make({1000}, rt.memory()).has_value();
}
#endif

#ifdef WITH_DEVICES
bool use_devices() {
  auto rt = start();
  auto numbers = beamlet::tensor_builder<float>::make({4});
  if (!numbers.has_value()) return false;
  for (float& x : numbers->values()) x = -1;
  const beamlet::compute::op relu = beamlet::ops::elementwise{{{beamlet::ops::function::relu}}};
  auto made = rt.get(rt.device_task(relu).remote(std::move(*numbers).freeze()));
  if (!made.has_value()) return false;
  auto seen = made->view<float>();
  return seen.has_value() && *seen->begin() == 0;
}
#endif

#endif

int measure(const std::string& what) {
#ifdef WITH_BEAMLET
#ifdef WITH_PROCESSES
  if (what == "check" && !use_processes()) return 1;
#endif
#ifdef WITH_DEVICES
  if (what == "check" && !use_devices()) return 1;
#endif
  if (what == "check") return use_beamlet() ? 0 : 1;
  const auto begin = std::chrono::steady_clock::now();
  auto rt = start();
  if (rt.get(rt.task(add).remote(1, 2)).value_or(0) != 3) return 1;
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
  if (what == "start") return std::printf("%.4f\n", spent.count()), 0;
#endif
  std::this_thread::sleep_for(500ms);  // until everything has come to rest
  if (what == "resident") std::printf("%ld\n", resident_bytes());
  if (what == "idle") {
    constexpr auto time = 4s;
    const long before = wake_ups();
    std::this_thread::sleep_for(time);
    std::printf("%.2f\n", double(wake_ups() - before) / double(time.count()));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
#if defined(WITH_PROCESSES) || defined(WITH_RUN_CHILD)
  if (auto code = beamlet::run_child(argc, argv)) return *code;
#endif
  if (use_the_given() != 3) return 1;
  return measure(argc > 1 ? argv[1] : "check");
}
