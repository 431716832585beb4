// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/sched/mail_word.hpp>

#include <vector>

using namespace beamlet::sched;

namespace {

struct alignas(16) letter : cell {};  // as the pool aligns messages

struct word_fixture {
  letter cells[4];
  mail_word w;

  /// Whether the sender has to push an entry.
  bool send(cell& m) {
    std::uint64_t seen = w.load();
    bool push_entry;
    while (!w.try_send(seen, m, push_entry)) {}
    return push_entry;
  }
  static std::vector<cell*> newest_first(std::uint64_t mail) {
    std::vector<cell*> all;
    for (cell* x = mail_word::newest(mail); x != nullptr; x = x->next) all.push_back(x);
    return all;
  }
};

}  // namespace

TEST_CASE_FIXTURE(word_fixture,
                  "the first message to an idle actor wants an entry, the next ones do not") {
  CHECK(send(cells[0]));
  CHECK_FALSE(send(cells[1]));
  CHECK(mail_word::count(w.load()) == 2);
  std::uint64_t mail = 0;
  REQUIRE(w.enter(mail));
  CHECK(mail_word::count(mail) == 2);
  CHECK(newest_first(mail) == std::vector<cell*>{&cells[1], &cells[0]});
  CHECK(w.leave());
}

TEST_CASE_FIXTURE(word_fixture,
                  "what comes during a turn is grabbed, or keeps the turn from being left") {
  send(cells[0]);
  std::uint64_t mail = 0;
  REQUIRE(w.enter(mail));
  CHECK(w.grab() == 0);
  CHECK_FALSE(send(cells[1]));  // the one who runs will see it
  CHECK_FALSE(w.leave());
  CHECK(newest_first(w.grab()) == std::vector<cell*>{&cells[1]});
  CHECK(w.leave());
  CHECK(send(cells[2]));
}

TEST_CASE_FIXTURE(word_fixture, "a claimed turn leaves a stale entry that later messages use") {
  send(cells[0]);
  std::uint64_t mail = 0;
  CHECK(w.claim(mail));
  CHECK_FALSE(w.claim(mail));
  CHECK(w.leave());
  CHECK_FALSE(send(cells[1]));  // the stale entry is still in a queue
  CHECK(w.enter(mail));
  CHECK(mail_word::count(mail) == 1);
  CHECK(w.leave());
  CHECK_FALSE(w.enter(mail));
}

TEST_CASE_FIXTURE(word_fixture, "mail that may not run now waits for a raise") {
  send(cells[0]);
  std::uint64_t mail = 0;
  w.enter(mail);
  send(cells[1]);
  CHECK(w.leave_parked());
  CHECK_FALSE(send(cells[2]));  // no entry: it could not run either
  CHECK_FALSE(w.claim(mail));
  CHECK(w.raise());
  REQUIRE(w.enter(mail));
  CHECK(mail == 0);  // there may be older mail outside the word
  CHECK(newest_first(w.grab()) == std::vector<cell*>{&cells[2], &cells[1]});
  CHECK(w.leave());
}

TEST_CASE_FIXTURE(word_fixture, "a raise during a turn makes it run again") {
  CHECK(w.raise());
  CHECK_FALSE(w.raise());
  std::uint64_t mail = 0;
  REQUIRE(w.enter(mail));
  CHECK_FALSE(w.raise());
  CHECK_FALSE(w.leave());
  CHECK(w.leave());
}

TEST_CASE_FIXTURE(word_fixture, "a turn that yields is queued once") {
  send(cells[0]);
  std::uint64_t mail = 0;
  w.enter(mail);
  CHECK(w.yield());
  REQUIRE(w.claim(mail));
  CHECK_FALSE(w.yield());  // its entry was not popped
}

TEST_CASE_FIXTURE(word_fixture, "a turn taken to look leaves the mail where it is") {
  CHECK(w.take());
  CHECK_FALSE(w.take());
  CHECK(w.untake());
  send(cells[0]);
  std::uint64_t mail = 0;
  w.enter(mail);
  send(cells[1]);
  w.leave_parked();
  CHECK(w.take());
  CHECK(w.untake());
  CHECK(mail_word::count(w.load()) == 1);
  CHECK_FALSE(w.claim(mail));  // still parked
}

TEST_CASE_FIXTURE(word_fixture, "the last who knows a retired actor is told, whoever that is") {
  std::uint64_t mail = 0;
  w.take();
  CHECK(w.retire());  // no entry anywhere

  mail_word other;
  other.raise();
  REQUIRE(other.claim(mail));
  CHECK_FALSE(other.retire());  // its entry still comes up
  CHECK_FALSE(other.enter(mail));
  CHECK(mail == mail_word::retired);
}
