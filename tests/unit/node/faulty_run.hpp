// SPDX-License-Identifier: Apache-2.0
#pragma once

// One fixed run of the agent: two programs, more objects than memory holds, a call that a worker
// process runs, and everybody leaves.

#include "agent_box.hpp"

namespace agent_test {

inline constexpr std::uint64_t second = 1'000'000'000, object_bytes = 150'000;
inline constexpr int objects = 32;  // more than memory holds
inline constexpr int answers_in_all = objects + 1;

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
    call_one();
    for (auto& each : b.clients()) b.die(*each);
    b.pass(120 * second);
    note(b.complaint);
    if (b.agent != nullptr) check_agent();
    b.end();
    for (auto& each : b.clients())
      if (each->connected) note("a session is left with an agent that has ended");
    if (b.port.disk().open_count() != 0) note("a file is left open");
  }

  box b;
  std::shared_ptr<client> writer, reader;
  std::string wrong;
  int right = 0, errors = 0;

 private:
  void check_agent() {
    const store::usage left = b.agent->look().store;
    if (left.objects + left.leased + left.published + left.pinned + left.waiting + left.spilled +
            left.spill_files + left.quarantined !=
        0)
      note("something is left in the store");
    if (left.free != left.memory + left.files) note("memory is lost");
    if (b.agent->look().counts.objects != 0) note("an object is left");
    if (b.agent->sessions() != 0) note("a session is left");
  }
  void note(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }

  void call_one() {
    wire::call call;
    call.task = writer->mint();
    call.function = "f";
    call.options.where = wire::isolation::process;
    call.options.name = "a name that is too long to lie in its string";
    call.arguments.emplace_back().inline_value.resize(100);
    call.results.push_back(writer->mint());
    const object_id result = call.results.front();
    b.say(*writer, wire::submit{std::move(call)});
    b.pass(second);
    for (const node::worker_wish& wish : std::exchange(b.wishes, {}))
      b.clients().push_back(b.open(wish.pool));
    b.pass(second);
    for (auto& each : b.clients())
      if (auto run = each->take<wire::execute>()) {
        wire::done made{.task = run->what.task, .attempt = run->what.attempt, .results = {}};
        made.results.push_back({.body = wire::bytes(8), .contained = {}});
        b.say(*each, std::move(made));
        break;
      }
    auto sealed = answer<wire::sealed>(*writer, "a call");
    if (sealed.has_value() && sealed->id == result) ++right;
    b.say(*writer, wire::release{.id = result, .mentions = 1});
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

}  // namespace agent_test
