// SPDX-License-Identifier: Apache-2.0
// What Ray's programs do to their store, done to ours: puts by one program, gets by another,
// through Unix sockets to the agent. Prints seconds per operation; bench/store/run puts Ray's
// beside them.

#include "bench/store/client.hpp"

#include <filesystem>

namespace {

using namespace beamlet;
using namespace store_bench;

constexpr int rounds = 5;
constexpr std::size_t small_ones = 2000, large = std::size_t{256} << 20,
                      huge = std::size_t{1} << 30;

/// The second of Ray's loops in a worker process: one ref, whose value came from the program.
double gets_of_one_ref(ref<int> one) {
  auto rt = this_task::runtime();
  return seconds([&] {
           for (std::size_t i = 0; i < small_ones; ++i)
             if (must(rt.get(one), "get") != 1) std::exit(1);
         }) /
         small_ones;
}
BEAMLET_REMOTE(gets_of_one_ref);

void print(const char* row, const std::function<double()>& work) {
  std::vector<double> all;
  work();
  for (int i = 0; i < rounds; ++i) all.push_back(work());
  std::printf("%s: %.9f\n", row, median(all));
  std::fflush(stdout);
}

struct two {
  client writer, reader;
  explicit two(const std::string& path) : writer(path), reader(path) {}

  /// As an int travels: a few bytes in the message.
  object_id put_int(int value) {
    object_id id = writer.session.mint();
    writer.session.publish(id);
    std::vector<std::byte> bytes;
    beamlet::writer out(bytes);
    codec<int>::encode(out, value);
    writer.session.fulfil(id, {.inline_bytes = std::move(bytes)});
    return id;
  }
  void get_int(const object_id& id) {
    for (auto& one : reader.fetch({&id, 1})) {
      beamlet::reader in(std::span(one.bytes.data, one.bytes.size));
      if (codec<int>::decode(in).value() != 1) std::exit(1);
      silent::drop(one);
    }
  }
  /// Until the agent has taken what was said before.
  void settle(const object_id& id) {
    for (auto& one : writer.fetch({&id, 1})) silent::drop(one);
  }
};

void int_rows(two& box) {
  print("put of an int", [&] {
    std::vector<object_id> ids;
    double taken = seconds([&] {
      for (std::size_t i = 0; i < small_ones; ++i) ids.push_back(box.put_int(1));
      box.settle(ids.back());
    });
    for (const object_id& id : ids) box.writer.session.let_go(id);
    return taken / small_ones;
  });
  object_id one = box.put_int(1);
  box.settle(one);
  box.reader.session.retain(one);
  print("get of an int, by a session", [&] {
    return seconds([&] {
             for (std::size_t i = 0; i < small_ones; ++i) box.get_int(one);
           }) /
           small_ones;
  });
}

void large_rows(two& box) {
  std::vector<std::byte> source(large, std::byte{1}), target(large);
  std::vector<double> gets, copies;
  print("put of 256 MiB", [&] {
    object_id id;
    double put = seconds([&] {
      id = box.writer.put(large, source.data());
      box.settle(id);
    });
    box.reader.session.retain(id);
    double copy = 0;
    gets.push_back(seconds([&] {
      auto got = box.reader.fetch({&id, 1});
      copy = seconds([&] { std::memcpy(target.data(), got[0].bytes.data, large); });
      if (target.back() != std::byte{1}) std::exit(1);
      silent::drop(got[0]);
    }));
    copies.push_back(gets.back() - copy);
    box.reader.session.let_go(id);
    box.writer.session.let_go(id);
    return put;
  });
  std::printf("get of 256 MiB: %.9f\n", median(gets));
  std::printf("get of 256 MiB, read in place: %.9f\n", median(copies));
}

void huge_row(two& box) {
  std::vector<std::byte> source(huge, std::byte{1});
  print("put of a 1 GiB array", [&] {
    object_id id;
    double put = seconds([&] {
      id = box.writer.put(huge, source.data());
      box.settle(id);
    });
    box.writer.session.let_go(id);
    return put;
  });
}

void ref_row() {
  auto rt = must(runtime::start(), "runtime");
  auto one = rt.put(1);
  task_options apart{.isolation = isolation::process};
  print("get of an int",
        [&] { return must(rt.get(rt.task(gets_of_one_ref).options(apart).remote(one)), "task"); });
}

}  // namespace

int main(int argc, char** argv) {
  if (auto code = run_child(argc, argv)) return *code;
  ref_row();
  char folder[] = "/tmp/beamlet-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  {
    node::agent_thread_options options;
    options.agent.node = 1;
    options.agent.cpus = 2;
    options.agent.store.memory_bytes = std::uint64_t{4} << 30;  // as Ray's has in its program
    auto agent = must(node::agent_thread::start(options), "agent");
    must(agent->listen(folder, "box"), "listen");
    two box(std::string(folder) + "/box");
    int_rows(box);
    large_rows(box);
    huge_row(box);
  }
  std::filesystem::remove_all(folder);
}
