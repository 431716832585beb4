// SPDX-License-Identifier: Apache-2.0
// One fixed run of the agent, again and again: each time the next thing that it asks of the disk,
// of the system's memory or of a connection fails. Every answer is an error or right, and nothing
// is left. Built with BEAMLET_CHAOS.
#include <doctest/doctest.h>

#include "../ports/scratch_folder.hpp"
#include "agent_box.hpp"
#include "node/chaos.hpp"

namespace {
using namespace agent_test;

constexpr std::uint64_t second = 1'000'000'000, object_bytes = 150'000;
constexpr int objects = 32;  // more than memory holds

/// The run. What is wrong, if anything, stays in `wrong`.
class faulty_run {
 public:
  explicit faulty_run(node::agent_options options = small_options()) : b(std::move(options)) {
    writer = b.join();
    reader = b.join();
  }

  void run() {
    std::vector<object_id> all;
    for (int i = 0; i < objects; ++i)
      if (object_id id = make_one(); !id.is_null()) all.push_back(id);
    for (const object_id& id : all) read_one(id);
    for (const object_id& id : all) b.say(*writer, wire::release{.id = id, .mentions = 0});
    for (auto& each : b.clients()) b.die(*each);
    b.pass(120 * second);
    const store::usage left = b.agent->look().store;
    note(b.complaint);
    if (left.objects + left.leased + left.published + left.pinned + left.waiting + left.spilled +
            left.spill_files + left.quarantined !=
        0)
      note("something is left in the store");
    if (left.free != left.memory + left.files) note("memory is lost");
    if (b.agent->look().counts.objects != 0) note("an object is left");
    if (b.agent->sessions() != 0) note("a session is left");
    b.end();
  }

  box b;
  std::shared_ptr<client> writer, reader;
  std::string wrong;
  int right = 0, errors = 0;

 private:
  void note(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }

  /// Whether it is answered in time, unless the session was ended.
  template <class Message>
  std::optional<Message> answer(client& to, const char* question) {
    b.pass(2 * second);
    auto got = to.take<Message>();
    auto refused = to.take<wire::refused>();
    if (got.has_value()) return got;
    if (refused.has_value() || !to.connected) ++errors;
    else note(std::string("no answer to ") + question);
    return got;
  }

  object_id make_one() {
    b.say(*writer,
          wire::lease{
              .ticket = ++b.ticket, .size = object_bytes, .deadline_ns = b.port.now_ns() + second});
    auto leased = answer<wire::leased>(*writer, "a lease");
    if (!leased.has_value()) return {};
    const wire::extent where{leased->where.segment, leased->where.offset, object_bytes};
    object_id id = writer->mint();
    writer->fill(id, where);
    b.say(*writer, wire::publish{id});
    b.say(*writer, wire::fulfil{id, {.body = where, .contained = {}}});
    b.say(*writer, wire::unlease{leased->where});
    b.say(*reader, wire::hold{id});
    return id;
  }

  void read_one(const object_id& id) {
    b.say(*reader,
          wire::require{
              .ticket = ++b.ticket, .objects = {id}, .deadline_ns = b.port.now_ns() + second});
    auto here = answer<wire::here>(*reader, "a require");
    if (!here.has_value()) return;
    const auto* where = std::get_if<wire::extent>(&here->objects.at(0).what.body);
    if (where == nullptr) {
      ++errors;
    } else if (!reader->reads_as(id, *where)) {
      note("wrong bytes");
    } else {
      ++right;
      b.say(*reader, wire::unpin{{id}});
    }
    b.say(*reader, wire::release{.id = id, .mentions = 1});
  }
};

/// Runs until nothing is left to fail. `plant(run, n)` arms the n-th fault, `armed` tells whether
/// it has not come. Returns how many faults there were.
template <class Plant, class Armed>
int inject(const node::agent_options& options, Plant plant, Armed armed) {
  for (int n = 1;; ++n) {
    faulty_run r(options);
    plant(r, static_cast<std::uint64_t>(n));
    r.run();
    const bool came = !armed(r);
    CAPTURE(n);
    CHECK(r.wrong == "");
    if (!came) {
      CHECK(r.right == objects);
      return n - 1;
    }
    CHECK(r.right + r.errors > 0);
  }
}
}  // namespace

TEST_CASE("injected faults: any one request to the disk may fail") {
  errc how = errc::io;
  SUBCASE("with an error") {}
  SUBCASE("because it is full") { how = errc::exhausted; }
  int faults = inject(
      small_options(),
      [&](faulty_run& r, std::uint64_t n) {
        r.b.port.disk().faults().fails_at = n;
        r.b.port.disk().faults().fails_with = how;
      },
      [](faulty_run& r) { return r.b.port.disk().faults().fails_at != 0; });
  CHECK(faults > 30);
}

TEST_CASE("injected faults: any one segment may be refused by the system") {
  node::agent_options options = small_options();
  scratch_folder folder;
  SUBCASE("in memory") {}
  SUBCASE("in files") {
    options.store.memory_bytes = mib;
    options.store.fallback_bytes = 3 * mib;
    options.fallback_folder = folder.path();
  }
  auto& at = node::chaos::refused_at;
  int faults = inject(
      options, [&](faulty_run&, std::uint64_t n) { at = n; }, [&](faulty_run&) { return at != 0; });
  at = 0;
  CHECK(faults > 5);
}

TEST_CASE("injected faults: any one message to a session may be the last") {
  for (bool to_writer : {true, false}) {
    CAPTURE(to_writer);
    auto of = [&](faulty_run& r) -> client& { return to_writer ? *r.writer : *r.reader; };
    int faults = inject(
        small_options(), [&](faulty_run& r, std::uint64_t n) { of(r).send_fails_at = n; },
        [&](faulty_run& r) { return of(r).send_fails_at != 0; });
    CHECK(faults > objects);
  }
}
