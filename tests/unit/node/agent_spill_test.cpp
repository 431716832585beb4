// SPDX-License-Identifier: Apache-2.0
// What leaves memory for the disk and comes back, on disks that fail.
#include <doctest/doctest.h>

#include <algorithm>

#include "agent_box.hpp"

namespace agent_spill_test {

using namespace agent_test;

/// Files of a folder on the simulated disk.
struct listing {
  std::vector<ports::file_entry> entries;
  explicit listing(ports::sim_port& port, const std::string& path) {
    ports::file_request r;
    r.name = path;
    run(port, r);
    const int folder = r.opened;
    r.operation = ports::file_operation::list;
    r.file = folder;
    run(port, r);
    entries = r.entries;
    r.operation = ports::file_operation::close;
    run(port, r);
  }
  static void run(ports::sim_port& port, ports::file_request& r) {
    bool done = false;
    r.user = &done;
    r.done = [](ports::file_request& ended) { *static_cast<bool*>(ended.user) = true; };
    port.start(r);
    while (!done) port.turn(UINT64_MAX);
  }
  static int open(ports::sim_port& port, int in, const std::string& name, bool folder) {
    ports::file_request r;
    r.operation = folder ? ports::file_operation::open_folder : ports::file_operation::create;
    r.file = in;
    r.name = name;
    run(port, r);
    return r.opened;
  }
};

/// More objects than memory holds; the ids.
std::vector<object_id> put_many(box& b, client& writer, int count, std::uint64_t bytes) {
  std::vector<object_id> all;
  for (int i = 0; i < count; ++i) {
    all.push_back(writer.mint());
    CHECK(b.put(writer, all.back(), bytes).size == bytes);
  }
  return all;
}

std::string own_folder(box& b) {
  for (const ports::file_entry& each : listing(b.port, "/spill").entries)
    if (each.folder && each.name.starts_with("beamlet-")) return each.name;
  return {};
}

TEST_CASE("objects go to disk when memory is short and come back with their bytes") {
  box b;
  auto writer = b.join(), reader = b.join();
  std::uint64_t bytes = 0;
  SUBCASE("small ones") { bytes = 20'000; }
  SUBCASE("large ones") { bytes = 300'001; }
  auto all = put_many(b, *writer, static_cast<int>(8 * mib / bytes), bytes);
  CHECK(b.agent->look().store.spilled > 3 * mib);
  int right = 0;
  for (const object_id& id : all) {
    auto object = b.get(*reader, id);
    const auto* where = object ? std::get_if<wire::extent>(&object->what.body) : nullptr;
    if (where != nullptr && reader->reads_as(id, *where)) ++right;
    b.say(*reader, wire::unpin{{id}});
    b.say(*reader, wire::release{.id = id, .mentions = 1});
  }
  CHECK(right == static_cast<int>(all.size()));
  for (const object_id& id : all) b.say(*writer, wire::release{.id = id, .mentions = 0});
  CHECK(b.agent->look().store.objects == 0);
  CHECK(b.agent->look().store.spill_files == 0);
  CHECK(listing(b.port, "/spill").entries.size() == 1);
  b.end();
  CHECK(listing(b.port, "/spill").entries.empty());
  CHECK(b.complaint == "");
}

TEST_CASE("a damaged record is a lost object, and no other one suffers") {
  box b;
  auto writer = b.join(), reader = b.join();
  b.port.disk().faults().flipped_bit = 50'000;
  auto all = put_many(b, *writer, 100, 80'000);
  int lost = 0, right = 0;
  for (const object_id& id : all) {
    b.say(*reader, wire::require{.ticket = ++b.ticket, .objects = {id}});
    auto here = reader->take<wire::here>();
    REQUIRE(here.has_value());
    const wire::object_here& object = here->objects.at(0);
    if (const auto* why = std::get_if<error>(&object.what.body)) {
      CHECK(why->code() == errc::object_lost);
      ++lost;
      continue;
    }
    CHECK(reader->reads_as(id, std::get<wire::extent>(object.what.body)));
    ++right;
    b.say(*reader, wire::unpin{{id}});
  }
  CHECK(lost > 0);
  CHECK(right > 50);
  CHECK(b.complaint == "");
}

TEST_CASE("a full disk stops spilling, not what fits into memory") {
  box b;
  b.port.disk().faults().capacity_bytes = 100 * kib;
  auto writer = b.join(), reader = b.join();
  std::vector<object_id> all;
  for (int i = 0; i < 60; ++i) {
    object_id id = writer->mint();
    b.say(*writer, wire::lease{.ticket = ++b.ticket,
                               .size = 80'000,
                               .deadline_ns = b.port.now_ns() + 1'000'000'000});
    b.pass(2'000'000'000);
    auto leased = writer->take<wire::leased>();
    if (!leased.has_value()) {
      auto refused = writer->take<wire::refused>();
      REQUIRE(refused.has_value());
      CHECK(refused->why.code() == errc::timeout);
      continue;
    }
    writer->fill(id, {leased->where.segment, leased->where.offset, 80'000});
    b.say(*writer, wire::publish{id});
    wire::extent where{leased->where.segment, leased->where.offset, 80'000};
    b.say(*writer, wire::fulfil{id, {.body = where, .contained = {}}});
    b.say(*writer, wire::unlease{leased->where});
    all.push_back(id);
  }
  CHECK(all.size() > 30);
  CHECK(all.size() < 60);
  for (const object_id& id : all) {
    auto object = b.get(*reader, id);
    REQUIRE(object.has_value());
    REQUIRE(std::holds_alternative<wire::extent>(object->what.body));
    CHECK(reader->reads_as(id, std::get<wire::extent>(object->what.body)));
    b.say(*reader, wire::unpin{{id}});
  }
  b.port.disk().faults().capacity_bytes = UINT64_MAX;
  b.pass(120'000'000'000);
  put_many(b, *writer, 10, 80'000);
  CHECK(b.agent->look().store.spilled > 0);
  CHECK(b.complaint == "");
}

TEST_CASE("what a dead agent left on disk is swept, and a living one's is not") {
  node::agent_options options = small_options();
  options.life = "alive";
  box b(options);
  b.settle();
  // As agents name them: node and boot, then their life.
  const std::string name = own_folder(b);
  REQUIRE(name.ends_with("-alive"));
  const std::string dead = name.substr(0, name.size() - 5) + "dead";
  const std::string other = "beamlet-0000000000000001" + name.substr(24, 9) + "alive";
  int base = listing::open(b.port, ports::no_folder, "/spill", true);
  for (const std::string& each : {dead, other, std::string("somebody's")}) {
    int folder = listing::open(b.port, base, each, true);
    CHECK(listing::open(b.port, folder, "spill-1", false) >= 0);
  }
  box::restart(b, options);
  b.settle();
  auto left = listing(b.port, "/spill").entries;
  auto has = [&](const std::string& wanted) {
    return std::any_of(left.begin(), left.end(), [&](auto& e) { return e.name == wanted; });
  };
  CHECK(has(name));
  CHECK(has(other));
  CHECK(has("somebody's"));
  CHECK_FALSE(has(dead));
}

TEST_CASE("an agent whose spill folder cannot be opened goes on without, and tries again") {
  node::agent_options options = small_options();
  box b(options);
  b.port.disk().faults().io_error = 1'000'000;
  auto writer = b.join(), reader = b.join();
  auto all = put_many(b, *writer, 12, 200'000);
  CHECK(b.agent->look().store.spilled == 0);
  b.port.disk().faults().io_error = 0;
  b.pass(120'000'000'000);
  put_many(b, *writer, 12, 200'000);
  CHECK(b.agent->look().store.spilled > 0);
  for (const object_id& id : all) CHECK(b.get(*reader, id).has_value());
}

TEST_CASE("a spill file that was damaged or replaced by a link loses what it held, and no more") {
  box b;
  auto writer = b.join(), reader = b.join();
  auto all = put_many(b, *writer, 100, 80'000);
  const std::string folder = "/spill/" + own_folder(b);
  REQUIRE(b.port.disk().damage(folder, "spill-1"));
  REQUIRE(b.port.disk().replace_by_link(folder, "spill-2"));
  int lost = 0, right = 0;
  for (const object_id& id : all) {
    auto object = b.get(*reader, id);
    REQUIRE(object.has_value());
    if (const auto* why = std::get_if<error>(&object->what.body)) {
      CHECK(why->code() == errc::object_lost);
      ++lost;
      continue;
    }
    CHECK(reader->reads_as(id, std::get<wire::extent>(object->what.body)));
    ++right;
    b.say(*reader, wire::unpin{{id}});
    b.say(*reader, wire::release{.id = id, .mentions = 1});
  }
  CHECK(lost > 1);
  CHECK(right > 60);
  CHECK(put_many(b, *writer, 20, 80'000).size() == 20);
  CHECK(b.complaint == "");
}

TEST_CASE("a read-only spill folder is named with its remedy, and nothing in memory is lost") {
  node::agent_options options = small_options();
  std::vector<std::string> lines;
  options.log = {.write =
                     [](void* to, const beamlet::log_record& line) {
                       static_cast<std::vector<std::string>*>(to)->emplace_back(line.message);
                     },
                 .context = &lines};
  box b(options);
  b.settle();
  b.port.disk().faults().read_only = true;
  auto writer = b.join(), reader = b.join();
  auto all = put_many(b, *writer, 12, 200'000);
  b.say(*writer,
        wire::lease{
            .ticket = ++b.ticket, .size = mib, .deadline_ns = b.port.now_ns() + 1'000'000'000});
  b.pass(2'000'000'000);
  auto refused = writer->take<wire::refused>();
  REQUIRE(refused.has_value());
  CHECK(refused->why.code() == errc::timeout);
  CHECK(refused->why.message().find("raise options.memory_bytes") != std::string_view::npos);
  CHECK(refused->why.cause().find("read-only") != std::string_view::npos);
  CHECK(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("nothing could be spilled") != line.npos &&
           line.find("read-only") != line.npos;
  }));
  for (const object_id& id : all) {
    auto object = b.get(*reader, id);
    REQUIRE(object.has_value());
    CHECK(reader->reads_as(id, std::get<wire::extent>(object->what.body)));
  }
  b.port.disk().faults().read_only = false;
  b.pass(120'000'000'000);
  put_many(b, *writer, 4, 200'000);
  CHECK(b.agent->look().store.spilled > 0);
  CHECK(b.complaint == "");
}

}  // namespace agent_spill_test
