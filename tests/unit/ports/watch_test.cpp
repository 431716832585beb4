// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "ports/local_socket.hpp"
#include "tests/unit/ports/in_child.hpp"
#include "tests/unit/ports/uv_worlds.hpp"

namespace watch_cases {

namespace {
using namespace beamlet;
using ports::ready_to_read;
using ports::ready_to_write;
using uv_worlds::guest_world;
using uv_worlds::own_loop_world;

struct pipe_ends {
  ports::descriptor reading, writing;
  pipe_ends() {
    int both[2];
    REQUIRE(pipe2(both, O_CLOEXEC | O_NONBLOCK) == 0);
    reading = ports::descriptor(both[0]);
    writing = ports::descriptor(both[1]);
  }
  void put() { REQUIRE(write(writing.number(), "x", 1) == 1); }
  void take() {
    char byte = 0;
    REQUIRE(read(reading.number(), &byte, 1) == 1);
  }
};

// A watch, how often it called and for what. Its port is woken so that a guest's turn ends.
struct watching {
  ports::port& port;
  std::unique_ptr<ports::watch> watch;
  unsigned calls = 0, events = 0;
  bool ends_itself = false;

  watching(ports::port& on, int descriptor) : port(on) {
    auto made = port.watch_descriptor(descriptor, on_ready, this);
    REQUIRE(made.has_value());
    watch = *std::move(made);
  }
  static void on_ready(void* user, unsigned events) {
    auto& self = *static_cast<watching*>(user);
    ++self.calls;
    self.events = events;
    self.port.wake();
    if (self.ends_itself) self.watch.reset();
  }
};

// Turns long enough for anything that is ready to be seen.
template <class World>
void look(World& world) {
  world.turn(0);
  world.turn(world.port().now_ns() + 2'000'000);
}

template <class World>
void turn_until_called(World& world, const watching& by) {
  for (unsigned before = by.calls; by.calls == before;) world.turn(ports::forever);
}

TEST_CASE_TEMPLATE(
    "a descriptor that becomes ready to read calls, again and again until it is read", World,
    own_loop_world, guest_world) {
  World world;
  pipe_ends pipe;
  watching reader(world.port(), pipe.reading.number());
  reader.watch->want(ready_to_read);
  look(world);
  CHECK(reader.calls == 0);
  pipe.put();
  turn_until_called(world, reader);
  CHECK(reader.events == ready_to_read);
  turn_until_called(world, reader);
  pipe.take();
  look(world);
  unsigned before = reader.calls;
  look(world);
  CHECK(reader.calls == before);
}

TEST_CASE_TEMPLATE("a watch calls for what it wants only", World, own_loop_world, guest_world) {
  World world;
  pipe_ends pipe;
  watching writer(world.port(), pipe.writing.number());
  look(world);
  CHECK(writer.calls == 0);
  writer.watch->want(ready_to_write);
  turn_until_called(world, writer);
  CHECK(writer.events == ready_to_write);
  writer.watch->want(0);
  unsigned before = writer.calls;
  look(world);
  CHECK(writer.calls == before);
}

TEST_CASE_TEMPLATE("the end of a stream is ready to read", World, own_loop_world, guest_world) {
  World world;
  pipe_ends pipe;
  watching reader(world.port(), pipe.reading.number());
  reader.watch->want(ready_to_read);
  pipe.writing.close();
  turn_until_called(world, reader);
  CHECK(reader.events == ready_to_read);
}

TEST_CASE_TEMPLATE("a peer that left without reading is seen, and everything it sent is read",
                   World, own_loop_world, guest_world) {
  World world;
  auto made = ports::local_socket::make_pair();
  REQUIRE(made.has_value());
  auto [near, far] = *std::move(made);
  REQUIRE(near.send(std::as_bytes(std::span("unread"))).has_value());
  REQUIRE(far.send(std::as_bytes(std::span("last words"))).has_value());
  far.release().close();
  watching reader(world.port(), near.number());
  reader.watch->want(ready_to_read | ready_to_write);
  turn_until_called(world, reader);
  REQUIRE(near.fill().has_value());
  auto last = near.next();
  REQUIRE(last.has_value());
  CHECK(last->has_value());
  reader.watch->want(ready_to_read);
  turn_until_called(world, reader);
  REQUIRE(near.fill().has_value());
  CHECK(near.next().error() == errc::closed);
  reader.watch.reset();
}

TEST_CASE_TEMPLATE("a watch may end in its own callback, and another's", World, own_loop_world,
                   guest_world) {
  World world;
  pipe_ends pipe;
  watching reader(world.port(), pipe.reading.number());
  reader.ends_itself = true;
  reader.watch->want(ready_to_read);
  pipe.put();
  turn_until_called(world, reader);
  look(world);
  CHECK(reader.calls == 1);
  CHECK(reader.watch == nullptr);
}

TEST_CASE_TEMPLATE("a descriptor is watched once, and again after that", World, own_loop_world,
                   guest_world) {
  World world;
  pipe_ends pipe;
  int number = pipe.reading.number();
  {
    watching reader(world.port(), number);
    reader.watch->want(ready_to_read);
    auto second = world.port().watch_descriptor(number, watching::on_ready, nullptr);
    CHECK(second.error() == errc::already_exists);
  }
  watching again(world.port(), number);
  again.watch->want(ready_to_read);
  pipe.put();
  turn_until_called(world, again);
}

TEST_CASE_TEMPLATE("what cannot be polled is not supported", World, own_loop_world, guest_world) {
  World world;
  ports::descriptor folder(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  auto refused = world.port().watch_descriptor(folder.number(), watching::on_ready, nullptr);
  CHECK(refused.error() == errc::unsupported);
  auto closed = world.port().watch_descriptor(987'654, watching::on_ready, nullptr);
  CHECK(closed.error() == errc::invalid_argument);
}

TEST_CASE("a watch does not keep the caller's loop running") {
  uv_worlds::callers_loop caller;
  auto port = uv_worlds::make(&caller.loop);
  pipe_ends pipe;
  watching reader(*port, pipe.reading.number());
  reader.watch->want(ready_to_read);
  CHECK(uv_run(&caller.loop, UV_RUN_DEFAULT) == 0);
}

TEST_CASE_TEMPLATE("a fork that ends its parent's watch leaves the parent's at work", World,
                   own_loop_world, guest_world) {
  World world;
  pipe_ends pipe;
  std::optional<watching> reader;
  reader.emplace(world.port(), pipe.reading.number());
  reader->watch->want(ready_to_read);
  world.turn(0);
  auto end_it = [&] {
    reader.reset();
    return 0;
  };
  CHECK(in_forked_process(end_it) == 0);
  pipe.put();
  turn_until_called(world, *reader);
}

}  // namespace

}  // namespace watch_cases
