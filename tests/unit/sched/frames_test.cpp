// SPDX-License-Identifier: Apache-2.0
#include "sched/frames.hpp"

#include "beamlet/sched/cancel.hpp"
#include "support.hpp"

using namespace sched_test;

namespace {

/// child -> parent -> grandparent, each in its first generation.
struct family {
  frame grandparent, parent, child;
  family() {
    link(child, parent);
    link(parent, grandparent);
  }
  static void link(frame& from, frame& to) {
    from.parent.store(&to);
    from.parent_generation.store(to.generation.load());
  }
  static void cancel(frame& f) { f.cancelled.store(f.generation.load()); }
  bool cancelled() { return chain_cancelled(&child, child.generation.load()); }
};

}  // namespace

TEST_CASE("an attempt is cancelled when one that it descends from was") {
  CHECK_FALSE(family().cancelled());
  for (frame family::*which : {&family::child, &family::parent, &family::grandparent}) {
    family f;
    family::cancel(f.*which);
    CHECK(f.cancelled());
  }
}

TEST_CASE("a mark counts for the attempt it was made for, not for the frame's next one") {
  family f;
  family::cancel(f.child);
  f.child.generation.fetch_add(1);
  CHECK_FALSE(f.cancelled());
  CHECK(chain_cancelled(&f.child, 1));
}

TEST_CASE("an attempt whose parent has ended has no ancestors any more") {
  family f;
  family::cancel(f.grandparent);
  f.parent.generation.fetch_add(1);
  CHECK_FALSE(f.cancelled());
}

TEST_CASE("what a cancelled task has submitted is not started") {
  world w;
  std::vector<held_job> children;
  held_job parent = w.submit([&] {
    for (int i = 0; i < 3; ++i) children.push_back(w.submit([] { return 1; }));
    cancel(w.here(), *children[0], false);  // itself alone
    return 0;
  });
  REQUIRE(w.home->drive_once(forever));
  REQUIRE(children.size() == 3);
  w.run();
  CHECK(parent.code() == errc::ok);
  CHECK(children[0].code() == errc::cancelled);
  CHECK(children[1].code() == errc::ok);

  children.clear();
  job* running = nullptr;
  held_job other = w.make([&] {
    for (int i = 0; i < 2; ++i) children.push_back(w.submit([] { return 1; }));
    cancel(w.here(), *running, true);
    return 0;
  });
  running = &*other;
  schedule(w.here(), *other);
  w.run();
  CHECK(children[0].code() == errc::cancelled);
  CHECK(children[1].code() == errc::cancelled);
}

TEST_CASE("a frame that comes back knows nothing of its last use") {
  world w;
  frame* f = w.home->new_frame();
  frame other;
  actor_core* stale = reinterpret_cast<actor_core*>(&other);  // never looked into
  f->actor.store(stale);
  f->outer = f->deeper = &other;
  w.home->free_frame(*f);
  frame* again = w.home->new_frame();
  CHECK(again == f);
  CHECK(again->actor.load() == nullptr);
  CHECK(again->outer == nullptr);
  CHECK(again->deeper == nullptr);
  w.home->free_frame(*again);
}
