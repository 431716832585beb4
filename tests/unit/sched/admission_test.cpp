// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "sched/internal.hpp"
#include "support.hpp"

using namespace sched_test;

namespace {

constexpr std::int64_t one_unit = amount_per_unit;

std::function<void(cell_extra&)> needs(std::int64_t amount) {
  return [amount](cell_extra& e) { e.needs = {{resource::gpu, amount}}; };
}

}  // namespace

TEST_CASE("tasks that need more than is free wait until it is given back") {
  world w({{resource::gpu, one_unit}});
  std::vector<int> order;
  std::vector<held_job> all;
  for (int i = 0; i < 3; ++i)
    all.push_back(w.submit([&, i] { return order.push_back(i), i; }, needs(one_unit)));
  CHECK(w.home->waiting_count.load() == 2);
  CHECK(w.home->resources.available(resource::gpu) == 0);
  w.run();
  CHECK(order == std::vector<int>{0, 1, 2});
  CHECK(w.home->waiting_count.load() == 0);
  CHECK(w.home->resources.available(resource::gpu) == one_unit);
}

TEST_CASE("fractions of a resource are used side by side") {
  world w({{resource::gpu, one_unit}});
  held_job a = w.submit([] { return 1; }, needs(one_unit / 2));
  held_job b = w.submit([] { return 2; }, needs(one_unit / 2));
  held_job c = w.submit([] { return 3; }, needs(1));
  CHECK(w.home->waiting_count.load() == 1);
  w.run();
  for (held_job* j : {&a, &b, &c}) CHECK(j->code() == errc::ok);
}

TEST_CASE("what fits may pass what does not") {
  world w({{resource::gpu, 2 * one_unit}});
  std::vector<int> order;
  held_job holds = w.submit([&] { return order.push_back(0), 0; }, needs(one_unit));
  held_job large = w.submit([&] { return order.push_back(1), 1; }, needs(2 * one_unit));
  held_job small = w.submit([&] { return order.push_back(2), 2; }, needs(one_unit));
  w.run();
  CHECK(large.code() == errc::ok);
  CHECK(small.code() == errc::ok);
  CHECK(order.size() == 3);
  CHECK(order.front() == 0);
  CHECK(w.home->resources.available(resource::gpu) == 2 * one_unit);
}

TEST_CASE("gpus that no agent counts are the process's own, others are the box's") {
  world w({{resource::gpu, one_unit}});
  const quantity memory[] = {{resource::memory, one_unit}};
  const quantity all[] = {{resource::memory, one_unit}, {resource::gpu, 2 * one_unit}};
  sched::share_ledger(*w.home, memory, true);
  CHECK(w.home->resources.total(resource::gpu) == one_unit);
  CHECK(w.home->check_feasible({{resource::gpu, one_unit}}, false).has_value());
  CHECK_FALSE(w.home->check_feasible({{resource::gpu, one_unit}}, true).has_value());
  CHECK_FALSE(w.home->check_feasible({{resource::gpu, 2 * one_unit}}, false).has_value());
  sched::share_ledger(*w.home, all, false);
  CHECK(w.home->resources.total(resource::gpu) == 0);
  CHECK(w.home->check_feasible({{resource::gpu, 2 * one_unit}}, false).has_value());
}

TEST_CASE("more than there is cannot be waited for, and the error says how much") {
  world w({{resource::gpu, one_unit}});
  CHECK(w.home->check_feasible({{resource::gpu, one_unit}}, false).has_value());
  auto refused = w.home->check_feasible({{resource::gpu, 3 * one_unit}}, false);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == errc::infeasible);
  CHECK(refused.error().message().find("gpu") != std::string_view::npos);
}

TEST_CASE("a task that waits lends its cpu and takes it back, also when another has it by then") {
  world w({{resource::cpu, one_unit}});
  held_job waits = w.submit([] { return 0; },
                            [](cell_extra& e) {
                              e.needs = {{resource::cpu, one_unit}};
                            });
  CHECK(w.home->resources.available(resource::cpu) == 0);
  w.home->lend_cpu(*waits, true);
  CHECK(w.home->resources.available(resource::cpu) == one_unit);
  w.home->lend_cpu(*waits, false);
  CHECK(w.home->resources.available(resource::cpu) == 0);
  w.run();
  CHECK(w.home->resources.available(resource::cpu) == one_unit);
}

TEST_CASE("a delayed task starts at its time and not before") {
  world w;
  std::uint64_t start = w.home->port->now_ns(), ran_at = 0;
  held_job late = w.submit([&] { return ran_at = w.home->port->now_ns(), 0; },
                           [&](cell_extra& e) { e.start_ns = start + 5'000'000; });
  held_job now = w.submit([] { return 1; });
  w.run();
  CHECK(ran_at >= start + 5'000'000);
}

TEST_CASE("a task whose deadline has passed is not started") {
  world w;
  bool ran = false;
  held_job holds = w.submit([&] {
    while (w.home->port->now_ns() < 1'000'000'000) w.home->port->turn(1'000'000'000);
    return 0;
  });
  held_job late = w.submit([&] { return ran = true, 1; },
                           [&](cell_extra& e) {
                             e.deadline_ns = w.home->port->now_ns() + 1;
                             e.start_ns = w.home->port->now_ns() + 1000;
                           });
  w.run();
  CHECK_FALSE(ran);
  CHECK(late.code() == errc::deadline);
}

TEST_CASE("higher priorities come first, and the lowest is not starved") {
  world w;
  std::vector<int> order;
  std::vector<held_job> all;
  auto of = [](priority p) { return [p](cell_extra& e) { e.urgency = p; }; };
  all.push_back(w.submit([&] { return order.push_back(3), 0; }, of(priority::low)));
  all.push_back(w.submit([&] { return order.push_back(2), 0; }, of(priority::normal)));
  all.push_back(w.submit([&] { return order.push_back(1), 0; }, of(priority::high)));
  w.run();
  CHECK(order == std::vector<int>{1, 2, 3});

  order.clear();
  held_job low = w.submit([&] { return order.push_back(3), 0; }, of(priority::low));
  // Every urgent task submits the next one: without a turn for the rest the low one would never
  // come.
  std::function<int()> again = [&] {
    order.push_back(1);
    if (!low->sealed() && order.size() < 10'000) all.push_back(w.submit(again, of(priority::high)));
    return 0;
  };
  all.push_back(w.submit(again, of(priority::high)));
  w.run();
  CHECK(low.code() == errc::ok);
  CHECK(order.size() < 1000);
}
