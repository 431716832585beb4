// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every program of this folder shares, ours and the opponents': how one repeat of one row is
// measured and said. A program is called as `PROGRAM ROW`, warms up, measures once, prints one
// line of `name value` pairs and ends; `run` calls both sides in turn and compares.

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <initializer_list>

namespace bench {

/// Seconds of a monotonic clock.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds of processor time that all threads of this process have had.
inline double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto seconds = [](timeval t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Bytes of this process in memory.
inline long resident_bytes() {
  long total = 0, resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * sysconf(_SC_PAGESIZE);
}

/// Measures `pass`, which returns a number that must be the same on both sides. A pass is repeated
/// until a fifth of a second has gone, because a shorter one says little about its processor time.
template <class Pass>
void measure(Pass pass) {
  long check = pass();  // warm-up
  long passes = 0;
  const double start = now(), cpu_start = cpu_seconds();
  do {
    if (pass() != check) check = -1;
    ++passes;
  } while (now() - start < 0.2);
  const double seconds = now() - start, cpu = cpu_seconds() - cpu_start;
  std::printf("seconds %.9f cores_used %.3f check %ld\n", seconds / double(passes), cpu / seconds,
              check);
}

/// Measures `trip` where the other thread has gone to sleep before: pauses are not counted.
template <class Trip>
void measure_paused(Trip trip) {
  constexpr int trips = 1000;
  double seconds = 0, cpu_start = cpu_seconds(), begin = now();
  long check = 0;
  for (int i = -20; i < trips; ++i) {  // the first ones warm up
    usleep(300);
    const double start = now();
    const long got = trip();
    if (i >= 0) seconds += now() - start, check += got;
  }
  std::printf("seconds %.9f cores_used %.3f check %ld\n", seconds / trips,
              (cpu_seconds() - cpu_start) / (now() - begin), check);
}

/// A row of the program, by its name on the command line.
struct row {
  const char* name;
  void (*run)();
};

/// The main function of every program here.
inline int run_row(int argc, char** argv, std::initializer_list<row> rows) {
  for (const row& r : rows) {
    if (argc == 2 && std::strcmp(argv[1], r.name) == 0) {
      r.run();
      std::fflush(stdout);
      return 0;
    }
  }
  std::fprintf(stderr, "usage: %s ROW, one of:", argv[0]);
  for (const row& r : rows) std::fprintf(stderr, " %s", r.name);
  std::fprintf(stderr, "\n");
  return 2;
}

}  // namespace bench
