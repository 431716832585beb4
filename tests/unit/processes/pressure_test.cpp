// SPDX-License-Identifier: Apache-2.0
// What a process only caches gives way when others need the store's memory.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <numeric>
#include <vector>

#include "tests/unit/ports/scratch_folder.hpp"
#include "tests/unit/processes/actors.hpp"

namespace isolated_pressure {

using namespace beamlet;
using isolated_actors::value_of;

constexpr std::uint64_t mib = std::uint64_t{1} << 20;

/// Has a ref whose value has come, and reads it only when it is asked to.
class keeper {
 public:
  bool keep(ref<std::vector<int>> one) {
    kept_ = std::move(one);
    return this_task::runtime().wait(std::vector{kept_}).has_value();
  }
  long long sum() {
    auto value = this_task::runtime().get(kept_);
    return value.has_value() ? std::accumulate(value->begin(), value->end(), 0LL) : -1;
  }

 private:
  ref<std::vector<int>> kept_;
};
BEAMLET_REMOTE(beamlet::constructor<keeper()>);
BEAMLET_REMOTE(&keeper::keep);
BEAMLET_REMOTE(&keeper::sum);

TEST_CASE("a value that a worker process keeps and has not read gives way, and comes back") {
  scratch_folder folder;
  auto rt = runtime::start(
      {.workers = 2, .object_store_memory = 32 * mib, .spill_folder = folder.path() + "/spill"});
  REQUIRE(rt.has_value());
  auto far = rt->actor<keeper>().options(isolated_actors::apart).remote();
  {
    auto object = rt->put(std::vector<int>(2 * mib, 3));  // 8 MiB
    REQUIRE(value_of(rt->get(far.call(&keeper::keep, object))));
  }
  {
    // Both together leave no room for it, but on disk.
    auto one = tensor_builder<float>::make({3 << 20}, rt->memory());
    auto two = tensor_builder<float>::make({3 << 20}, rt->memory());
    CHECK(one.has_value());
    if (!two.has_value()) FAIL(two.error().describe());
  }
  CHECK(value_of(rt->get(far.call(&keeper::sum))) == 6 * static_cast<long long>(mib));
}

}  // namespace isolated_pressure
