// SPDX-License-Identifier: Apache-2.0
// The row "allocator at 85 % full, 1 KiB-8 MiB": payloads of log-uniform size in an arena of 1 GiB,
// which random frees keep at 85 %. Ours and boost::interprocess rbtree_best_fit in one process,
// taking turns, on the same sizes. Prints nanoseconds of an allocation and of a free, what failed
// at first try, and the ratio of the two sides. The arena is never touched by ours; boost keeps its
// headers in it, and its pages are touched before.

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/rng.hpp"
#include "store/arena.hpp"

#if __has_include(<boost/interprocess/mem_algo/rbtree_best_fit.hpp>)
#define HAS_BOOST 1
#include <boost/interprocess/indexes/null_index.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>
#else
#define HAS_BOOST 0
#endif

namespace {
using beamlet::base::rng;

constexpr std::uint64_t arena_bytes = std::uint64_t{1} << 30;
constexpr int warm_up = 50'000, measured = 400'000;

std::uint64_t random_size(rng& random) {  // log-uniform
  double exponent = 10 + 13 * double(random.next() >> 11) / double(1ull << 53);
  return static_cast<std::uint64_t>(std::exp2(exponent));
}

struct figures {
  std::vector<std::uint32_t> allocate_ns, free_ns;
  long failures = 0, allocations = 0;
};

struct ours {
  beamlet::store::arena a{arena_bytes};
  void* allocate(std::uint64_t bytes) {
    auto offset = a.allocate(bytes);
    return offset ? reinterpret_cast<void*>(*offset + 1) : nullptr;
  }
  void free(void* p, std::uint64_t bytes) { a.free(reinterpret_cast<std::uint64_t>(p) - 1, bytes); }
};

#if HAS_BOOST
struct boosts {
  using algorithm = boost::interprocess::rbtree_best_fit<boost::interprocess::null_mutex_family,
                                                         boost::interprocess::offset_ptr<void>, 0>;
  void* memory = mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  algorithm* a = new (memory) algorithm(arena_bytes, 0);
  void* allocate(std::uint64_t bytes) { return a->allocate_aligned(bytes, 64); }
  void free(void* p, std::uint64_t) { a->deallocate(p); }
};
#endif

/// One side: its live payloads and what its calls took.
template <class Allocator>
class side {
 public:
  explicit side(std::uint64_t seed) : random_(seed) {}

  void step(bool counts) {
    std::uint64_t bytes = random_size(random_);
    while (live_bytes_ + bytes > arena_bytes / 100 * 85) drop(counts);
    bool first = true;
    for (;;) {
      auto start = std::chrono::steady_clock::now();
      void* p = allocator_.allocate(bytes);
      auto ns = std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
      if (counts && first) {
        got.allocate_ns.push_back(static_cast<std::uint32_t>(ns));
        ++got.allocations;
        got.failures += p == nullptr;
      }
      first = false;
      if (p != nullptr) {
        live_.push_back({p, bytes});
        live_bytes_ += bytes;
        return;
      }
      drop(counts);
    }
  }

  figures got;

 private:
  void drop(bool counts) {
    std::swap(live_[random_.below(static_cast<std::uint32_t>(live_.size()))], live_.back());
    auto [p, bytes] = live_.back();
    live_.pop_back();
    live_bytes_ -= bytes;
    auto start = std::chrono::steady_clock::now();
    allocator_.free(p, bytes);
    auto ns = std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
    if (counts) got.free_ns.push_back(static_cast<std::uint32_t>(ns));
  }

  struct payload {
    void* p;
    std::uint64_t bytes;
  };
  Allocator allocator_;
  rng random_;
  std::vector<payload> live_;
  std::uint64_t live_bytes_ = 0;
};

double percentile(std::vector<std::uint32_t>& ns, double part) {
  auto at = ns.begin() + static_cast<std::ptrdiff_t>(double(ns.size() - 1) * part);
  std::nth_element(ns.begin(), at, ns.end());
  return *at;
}

double print(const char* name, figures& got) {
  double tail = percentile(got.allocate_ns, 0.999);
  std::printf(
      "%-28s allocate p50 %5.0f ns  p99.9 %6.0f ns   free p50 %5.0f ns  p99.9 %6.0f ns   "
      "first-try failures %.2f %%\n",
      name, percentile(got.allocate_ns, 0.5), tail, percentile(got.free_ns, 0.5),
      percentile(got.free_ns, 0.999), 100.0 * double(got.failures) / double(got.allocations));
  return tail;
}
}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  auto mine = std::make_unique<side<ours>>(seed);
#if HAS_BOOST
  auto other = std::make_unique<side<boosts>>(seed);
#endif
  for (int i = 0; i < warm_up + measured; i += 1000) {
    for (int k = 0; k < 1000; ++k) mine->step(i >= warm_up);
#if HAS_BOOST
    for (int k = 0; k < 1000; ++k) other->step(i >= warm_up);
#endif
  }
  double tail = print("beamlet", mine->got);
#if HAS_BOOST
  double boost_tail = print("boost rbtree_best_fit", other->got);
  std::printf("allocate p99.9: %.2f of boost's (goal 0.2, floor 0.5)\n", tail / boost_tail);
#else
  static_cast<void>(tail);
  std::printf("LEFT OUT: boost rbtree_best_fit, because libboost-dev's headers are not there\n");
#endif
}
