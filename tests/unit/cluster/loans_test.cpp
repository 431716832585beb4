// SPDX-License-Identifier: Apache-2.0
// What programs borrow for themselves.
#include "box.hpp"

namespace loans_test {

using namespace cluster_box;

constexpr std::int64_t one = beamlet::amount_per_unit;

// A box with two gpus.
struct gpu_box : box {
  gpu_box() {
    const beamlet::quantity gpus[] = {{beamlet::resource::gpu, 2 * one}};
    REQUIRE(ledger.grow(gpus));
  }
  std::int64_t free_gpu() const { return ledger.available(beamlet::resource::gpu); }
  void borrow(std::uint32_t session, std::uint64_t ticket, std::int64_t gpu) {
    say(session, wire::borrow{.ticket = ticket, .needs = {{"gpu", gpu}}});
  }
  void repay(std::uint32_t session, std::int64_t gpu) { say(session, wire::repay{{{"gpu", gpu}}}); }
  std::int64_t recalled(std::uint32_t session) const {
    std::int64_t all = 0;
    for (const wire::recall& r : told<wire::recall>(session)) all += r.needs.at(0).amount;
    return all;
  }
};

TEST_CASE("a program borrows what is there, and what it repays is there for others") {
  gpu_box b;
  b.open(1, 0);
  b.open(2, 0);
  b.borrow(1, 7, one);
  REQUIRE(b.told<wire::lent>(1).size() == 1);
  CHECK(b.told<wire::lent>(1)[0].ticket == 7);
  CHECK(b.told<wire::lent>(1)[0].needs.at(0).resource == "gpu");
  CHECK(b.free_gpu() == one);
  b.borrow(2, 1, one);
  CHECK(b.told<wire::lent>(2).size() == 1);
  b.repay(1, one);
  CHECK(b.free_gpu() == one);
  b.repay(1, one);  // more than it has
  CHECK(b.free_gpu() == one);
  b.end(2);
  CHECK(b.free_gpu() == 2 * one);
}

TEST_CASE("what is missing is recalled, once, and goes to who waits longest") {
  gpu_box b;
  for (std::uint32_t s : {1u, 2u, 3u}) b.open(s, 0);
  b.borrow(1, 1, 2 * one);
  b.borrow(2, 1, one);
  CHECK(b.recalled(1) == one);
  b.borrow(3, 1, one);
  CHECK(b.recalled(1) == one);
  b.step(cluster::tick{});
  CHECK(b.recalled(1) == 0);
  b.repay(1, one);
  CHECK(b.told<wire::lent>(2).size() == 1);
  CHECK(b.told<wire::lent>(3).empty());
  b.repay(1, one);
  CHECK(b.told<wire::lent>(3).size() == 1);
}

TEST_CASE("a call gets what a program has recalled for it") {
  gpu_box b;
  b.open(1, 0);
  b.open(2, 8);
  b.borrow(1, 1, 2 * one);
  wire::call c = b.call(1, 10);
  c.options.needs = {{"cpu", one}, {"gpu", one}};
  b.say(1, wire::submit{c});
  CHECK(b.told<wire::execute>(2).empty());
  CHECK(b.recalled(1) == one);
  b.repay(1, one);
  CHECK(b.told<wire::execute>(2).size() == 1);
  b.done(2, c, inline_value());
  CHECK(b.free_gpu() == one);
}

TEST_CASE("a program that ends while others wait makes room for them") {
  gpu_box b;
  b.open(1, 0);
  b.open(2, 0);
  b.open(3, 0);
  b.borrow(1, 1, 2 * one);
  b.borrow(2, 1, 2 * one);
  b.borrow(3, 1, one);
  b.end(2);
  CHECK(b.told<wire::lent>(3).empty());
  b.end(1);
  CHECK(b.told<wire::lent>(3).size() == 1);
}

TEST_CASE("more than the box has is infeasible, and so is what it does not have") {
  gpu_box b;
  b.open(1, 0);
  b.borrow(1, 5, 3 * one);
  CHECK(b.told<wire::refused>(1).at(0).ticket == 5);
  CHECK(b.told<wire::refused>(1).at(0).why == errc::infeasible);
  b.say(1, wire::borrow{.ticket = 6, .needs = {{"camera", one}}});
  CHECK(b.told<wire::refused>(1).at(0).why == errc::infeasible);
}

TEST_CASE("for what runs already there is what is left") {
  gpu_box b;
  b.open(1, 0);
  b.open(2, 0);
  b.say(1, wire::borrow{.needs = {{"cpu", 3 * one}, {"gpu", one}}, .at_once = true});
  b.say(2, wire::borrow{.needs = {{"cpu", 3 * one}, {"gpu", 3 * one}}, .at_once = true});
  CHECK(b.told<wire::lent>(2).empty());
  CHECK(b.free_gpu() == 0);
  CHECK(b.ledger.available(beamlet::resource::cpu) == 0);
  b.end(1);
  CHECK(b.free_gpu() == one);
  CHECK(b.ledger.available(beamlet::resource::cpu) == 3 * one);
  b.end(2);
  CHECK(b.free_gpu() == 2 * one);
}

TEST_CASE("a session that asks for too much at a time is refused") {
  cluster::limits few;
  few.borrows_max = 2;
  box b(few);
  b.open(1, 0);
  for (std::uint64_t ticket = 1; ticket <= 4; ++ticket)
    b.say(1, wire::borrow{.ticket = ticket, .needs = {{"cpu", 3 * one}}});
  CHECK(b.told<wire::refused>(1).at(0).why == errc::queue_full);
}

}  // namespace loans_test
