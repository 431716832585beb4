// SPDX-License-Identifier: Apache-2.0
#include "tests/kill9/box.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <utility>

#include "ports/threads.hpp"

namespace kill9 {
namespace {
constexpr std::uint64_t mib = std::uint64_t{1} << 20;

node::agent_thread_options small_agent(const std::string& spill_folder) {
  node::agent_thread_options options;
  options.agent.node = 1;
  options.agent.spill_folder = spill_folder;
  options.agent.store.memory_bytes = 32 * mib;
  options.agent.store.segment_bytes = 2 * mib;
  options.agent.store.shared_bytes = 4 * mib;
  options.agent.store.spill_bytes = 1024 * mib;
  options.agent.store.spill_batch_bytes_min = mib;
  options.agent.store.session_lease_bytes = options.agent.store.session_pinned_bytes = 8 * mib;
  return options;
}
}  // namespace

holdings holdings::count() {
  holdings found;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
    (void)each, ++found.descriptors;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("memfd:") != line.npos) ++found.segments;
  return found;
}

box::box(std::uint64_t seed) : random_(seed) {
  auto memory = ports::create_shared_memory(sizeof(board), "beamlet-test-board");
  REQUIRE(memory.has_value());
  memory_ = *std::move(memory);
  auto map = ports::map_shared_memory(memory_.writer.number(),
                                      {.bytes = sizeof(board), .writable = true, .file = false});
  REQUIRE(map.has_value());
  map_ = *std::move(map);
  board_ = new (map_.data()) board;

  auto started = node::agent_thread::start(small_agent(spill_folder_));
  REQUIRE(started.has_value());
  agent_ = *std::move(started);
  REQUIRE(agent_->listen(folder_.path() + "/box", "agent").has_value());
  for (auto* each : {&reader_, &maker_}) {
    *each = std::make_unique<worker>(random_());
    auto link = agent_->connect((*each)->session);
    REQUIRE(link.has_value());
    REQUIRE((*each)->open(*std::move(link)).has_value());
  }
  make_steady();
  reading_.emplace([this] { read_all_the_while(); });
}

void box::make_steady() {
  for (shown_id& each : board_->steady) {
    object_id id = reader_->session.mint();
    auto block = reader_->create(id);
    REQUIRE(block.has_value());
    fill(block->data, id);
    REQUIRE(reader_->seal(id, *block).has_value());
    steady_.push_back(id);
    each.show(id);
  }
}

void box::read_all_the_while() {
  for (std::size_t i = 0; !stop_reading_; ++i) {
    auto got = reader_->get(steady_[i % steady_.size()]);
    if (!got.has_value()) {
      misread_ = got.error().describe();
      return;
    }
    ++reads_;
    auto id = board_->seats[i % board_->seats.size()].latest.look();
    if (!id) continue;
    auto theirs = reader_->get_if_there(*id);
    if (!theirs.has_value()) {
      misread_ = "a client's: " + theirs.error().describe();
      return;
    }
    if (*theirs) ++reads_of_clients_;
  }
}

void box::stop_reading() {
  stop_reading_ = true;
  reading_.reset();
  CHECK(misread_ == "");
}

void box::on_agent(const std::function<void(node::agent&)>& what) {
  std::atomic<std::uint32_t> is_done{0};
  auto posted = agent_->post([&](node::agent& agent) {
    what(agent);
    is_done = 1;
    ports::wake_all(is_done);
  });
  REQUIRE(posted.has_value());
  while (is_done == 0) ports::wait_on(is_done, 0, ports::forever);
}

void box::start(std::size_t seat, conduct what) {
  // What its last client has shown stays: ids of the dead are asked for, too.
  board_->seats.at(seat).now = phase::start;
  board_->seats.at(seat).rounds = 0;
  auto started = start_client({.what = what,
                               .path = folder_.path() + "/box/agent",
                               .board = memory_.writer.number(),
                               .seat = seat,
                               .seed = random_()});
  REQUIRE(started.has_value());
  clients_.at(seat).emplace(*std::move(started));
}

void box::expect_running(std::size_t seat) {
  auto end = client(seat).poll();
  if (!end) return;
  FAIL("client " << seat << " " << ports::describe(*end) << ": "
                 << std::string(board_->seats[seat].complaint.data()));
}

void box::end(std::size_t seat) {
  client(seat).kill();
  client(seat).wait();
}

void box::work(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    object_id id = maker_->session.mint();
    auto block = maker_->create(id);
    REQUIRE(block.has_value());
    fill(block->data, id);
    REQUIRE(maker_->seal(id, *block).has_value());
    auto got = maker_->get(id);
    if (!got.has_value()) FAIL(got.error().describe());
    maker_->session.let_go(id);
  }
}

void box::expect_steady() {
  for (const object_id& id : steady_) {
    auto got = maker_->get_if_there(id);
    REQUIRE(got.has_value());
    CHECK(*got);
  }
}

void box::expect_nothing_left() {
  for (auto& each : clients_) each.reset();
  stop_reading();
  reader_.reset();
  maker_.reset();
  // The ends of sessions come in by and by, and what is being read for one ends by itself; each
  // answer is from a later turn.
  node::agent::status left;
  for (bool settled = false; !settled;) {
    on_agent([&](node::agent& agent) {
      settled = agent.sessions() == 0 && !agent.busy();
      left = agent.look();
      CHECK(agent.check() == "");
    });
  }
  CHECK(left.store.objects == 0);
  CHECK(left.store.published == 0);
  CHECK(left.store.pinned == 0);
  CHECK(left.store.leased == 0);
  CHECK(left.store.quarantined == 0);
  CHECK(left.store.spilled == 0);
  CHECK(left.store.spill_files == 0);
  CHECK(left.store.waiting == 0);
  CHECK(left.store.free == left.store.memory);
  CHECK(left.sessions.empty());
  agent_->stop();
  CHECK(std::filesystem::is_empty(spill_folder_));
}

}  // namespace kill9
