// SPDX-License-Identifier: Apache-2.0
#include "ports/local_socket.hpp"

#include <beamlet/base/bytes.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/ports/in_child.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace local_socket_cases {

namespace {
using namespace beamlet;
using ports::local_listener;
using ports::local_socket;

constexpr ports::socket_limits small_limits{.frame_bytes_max = 1000, .queue_bytes_max = 10'000};

struct socket_pair {
  std::pair<local_socket, local_socket> both;
  local_socket &near = both.first, &far = both.second;
  explicit socket_pair(const ports::socket_limits& limits = {}) : both(make(limits)) {}
  static std::pair<local_socket, local_socket> make(const ports::socket_limits& limits) {
    auto made = local_socket::make_pair(limits);
    REQUIRE(made.has_value());
    return *std::move(made);
  }
};

bool is_ready(int number, short events) {
  pollfd asked{.fd = number, .events = events, .revents = 0};
  return poll(&asked, 1, 0) == 1;
}

// The next frame's text; "-" where none has come, the error's sentence where there is one.
std::string receive(local_socket& socket) {
  auto filled = socket.fill();
  if (!filled.has_value()) return std::string(to_string(filled.error().code()));
  auto next = socket.next();
  if (!next.has_value()) return std::string(to_string(next.error().code()));
  return *next ? std::string(base::text_of((*next)->bytes)) : "-";
}

std::string said(errc code) { return std::string(to_string(code)); }

result<void> send(local_socket& socket, std::string_view text, std::span<const int> given = {}) {
  return socket.send(base::bytes_of(text), given);
}

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

// Sends bytes as a hostile program would, past all framing.
void send_raw(int socket, std::string_view bytes, const std::vector<int>& descriptors = {}) {
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 64)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    std::size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  }
  REQUIRE(sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

TEST_CASE("a frame arrives at the other end, in both directions") {
  socket_pair pair;
  CHECK(receive(pair.far) == "-");
  REQUIRE(send(pair.near, "there").has_value());
  REQUIRE(send(pair.far, "back").has_value());
  CHECK(receive(pair.far) == "there");
  CHECK(receive(pair.near) == "back");
  CHECK(receive(pair.near) == "-");
}

TEST_CASE("thousands of frames arrive whole and in order, past a full socket") {
  socket_pair pair;
  constexpr unsigned frames = 20'000;
  unsigned sent = 0, received = 0, queued = 0;
  while (received < frames) {
    while (sent < frames) {
      std::string text = std::to_string(sent) + std::string(sent % 700, '.');
      if (!send(pair.near, text).has_value()) break;
      ++sent;
    }
    queued += pair.near.unsent_bytes() != 0;
    REQUIRE(pair.far.fill().has_value());
    for (auto next = pair.far.next(); next.has_value() && *next; next = pair.far.next()) {
      std::string text(base::text_of((*next)->bytes));
      REQUIRE(text == std::to_string(received) + std::string(received % 700, '.'));
      ++received;
    }
    REQUIRE(pair.near.flush().has_value());
  }
  CHECK(queued > 0);
  CHECK(pair.near.unsent_bytes() == 0);
}

TEST_CASE("a frame of the limit's size passes, one byte more does not") {
  socket_pair pair(small_limits);
  REQUIRE(send(pair.near, std::string(1000, 'x')).has_value());
  CHECK(send(pair.near, std::string(1001, 'x')).error() == errc::too_large);
  CHECK(receive(pair.far).size() == 1000);
}

TEST_CASE("a peer that never reads makes the queue full, and nothing grows further") {
  socket_pair pair(small_limits);
  std::string text(1000, 'x');
  unsigned sent = 0;
  result<void> last;
  while ((last = send(pair.near, text)).has_value()) ++sent;
  CHECK(last.error() == errc::queue_full);
  CHECK(pair.near.unsent_bytes() <= small_limits.queue_bytes_max);
  CHECK_FALSE(is_ready(pair.near.number(), POLLOUT));
  // What was refused left no trace: once it reads, all that was accepted arrives.
  unsigned received = 0;
  for (std::string got = receive(pair.far); received < sent; got = receive(pair.far)) {
    if (got == "-") REQUIRE(pair.near.flush().has_value());
    else {
      REQUIRE(got == text);
      ++received;
    }
  }
  CHECK(pair.near.unsent_bytes() == 0);
}

TEST_CASE("descriptors arrive with their frame, closed on exec, and the sender may close its own") {
  socket_pair pair;
  int pipe_ends[2];
  REQUIRE(pipe2(pipe_ends, O_CLOEXEC) == 0);
  REQUIRE(send(pair.near, "plain").has_value());
  REQUIRE(send(pair.near, "pipe", pipe_ends).has_value());
  REQUIRE(send(pair.near, "after").has_value());
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  REQUIRE(pair.far.fill().has_value());
  CHECK(receive(pair.far) == "plain");
  auto frame = pair.far.next();
  REQUIRE(frame.has_value());
  REQUIRE(*frame);
  REQUIRE((*frame)->descriptors.size() == 2);
  int reading = (*frame)->descriptors[0].number(), writing = (*frame)->descriptors[1].number();
  CHECK((fcntl(reading, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(write(writing, "!", 1) == 1);
  char got = 0;
  CHECK(read(reading, &got, 1) == 1);
  CHECK(got == '!');
  CHECK(receive(pair.far) == "after");
}

TEST_CASE("descriptors of queued frames arrive with the right ones") {
  socket_pair pair;
  std::string filler(1000, 'x');
  while (pair.near.unsent_bytes() == 0) REQUIRE(send(pair.near, filler).has_value());
  for (int i = 0; i < 20; ++i) {
    ports::descriptor file(open("/", O_RDONLY | O_CLOEXEC));
    int number = file.number();
    std::vector<int> given(static_cast<std::size_t>(i % 3), number);
    REQUIRE(send(pair.near, "g" + std::to_string(i), given).has_value());
  }
  int seen = 0;
  while (seen < 20) {
    REQUIRE(pair.near.flush().has_value());
    REQUIRE(pair.far.fill().has_value());
    for (auto next = pair.far.next(); next.has_value() && *next; next = pair.far.next()) {
      if (base::text_of((*next)->bytes)[0] != 'g') continue;
      CHECK((*next)->descriptors.size() == static_cast<std::size_t>(seen % 3));
      ++seen;
    }
  }
  CHECK(pair.near.unsent_bytes() == 0);
}

TEST_CASE("too many descriptors are refused by the sender") {
  socket_pair pair;
  std::vector<int> many(ports::frame_descriptors_max + 1, 0);
  CHECK(send(pair.near, "x", many).error() == errc::invalid_argument);
}

TEST_CASE("too many descriptors from a hostile peer are an error, and none stays open") {
  socket_pair pair;
  std::ptrdiff_t before = open_descriptors();
  auto header = ports::frame_header(0, ports::frame_descriptors_max);
  std::vector<int> many(ports::frame_descriptors_max + 20, pair.far.number());
  send_raw(pair.near.number(), base::text_of(header), many);
  CHECK(receive(pair.far) == said(errc::malformed));
  CHECK(open_descriptors() == before);
}

TEST_CASE("descriptors without a frame from a hostile peer are an error, and none stays open") {
  socket_pair pair;
  std::ptrdiff_t before = open_descriptors();
  auto header = ports::frame_header(0, 0);
  send_raw(pair.near.number(), base::text_of(header), {0, 1, 2});
  CHECK(receive(pair.far) == "");
  CHECK(receive(pair.far) == said(errc::malformed));
  CHECK(open_descriptors() == before);
}

TEST_CASE("descriptors that do not fit this process's limit are told as such") {
  socket_pair pair;
  std::vector<int> given(4, 0);
  REQUIRE(send(pair.near, "x", given).has_value());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto filled = pair.far.fill();
  setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE_FALSE(filled.has_value());
  CHECK(filled.error() == errc::exhausted);
  CHECK(filled.error().message().find("RLIMIT_NOFILE") != std::string_view::npos);
}

TEST_CASE("a giant length from a hostile peer is refused at once") {
  socket_pair pair;
  auto header = ports::frame_header(0xffffffff, 0);
  send_raw(pair.near.number(), base::text_of(header));
  CHECK(receive(pair.far) == said(errc::too_large));
}

TEST_CASE("half a frame and then the end is malformed, the end between frames is not") {
  for (bool half : {false, true}) {
    socket_pair pair;
    REQUIRE(send(pair.near, "whole").has_value());
    auto header = ports::frame_header(100, 0);
    if (half) send_raw(pair.near.number(), base::text_of(header));
    pair.near.release().close();
    CHECK(receive(pair.far) == "whole");
    CHECK(receive(pair.far) == said(half ? errc::malformed : errc::closed));
    CHECK(receive(pair.far) == said(half ? errc::malformed : errc::closed));
  }
}

TEST_CASE("what a peer sent is read after it has gone, even when it never read") {
  socket_pair pair;
  REQUIRE(send(pair.far, "never read").has_value());
  for (int i = 0; i < 10; ++i) REQUIRE(send(pair.near, std::to_string(i)).has_value());
  pair.near.release().close();
  for (int i = 0; i < 10; ++i) CHECK(receive(pair.far) == std::to_string(i));
  CHECK(receive(pair.far) == said(errc::closed));
}

TEST_CASE("sending to a peer that has gone is an error and no signal") {
  socket_pair pair;
  pair.far.release().close();
  CHECK(send(pair.near, "x").error() == errc::closed);
  CHECK(pair.near.unsent_bytes() == 0);
}

TEST_CASE("what is no stream socket is not taken over") {
  ports::descriptor folder(open("/", O_RDONLY | O_CLOEXEC));
  CHECK(local_socket::adopt(std::move(folder)).error() == errc::invalid_argument);
  CHECK(local_socket::adopt(ports::descriptor()).error() == errc::invalid_argument);
}

// -- listening

local_listener listen(const std::string& folder, const std::string& name = "agent") {
  auto made = local_listener::listen(folder, name);
  REQUIRE_MESSAGE(made.has_value(), std::string(made.has_value() ? "" : made.error().describe()));
  return *std::move(made);
}

TEST_CASE("a program connects by path and both know who the other is") {
  scratch_folder scratch;
  auto listener = listen(scratch.path() + "/box");
  auto none = listener.accept();
  REQUIRE(none.has_value());
  CHECK_FALSE(none->has_value());
  auto client = local_socket::connect(listener.path());
  REQUIRE(client.has_value());
  CHECK(is_ready(listener.number(), POLLIN));
  auto accepted = listener.accept();
  REQUIRE(accepted.has_value());
  REQUIRE(accepted->has_value());
  for (local_socket* end : {&*client, &**accepted}) {
    auto peer = end->peer();
    REQUIRE(peer.has_value());
    CHECK(peer->user == ports::current_user());
    CHECK(peer->process == static_cast<std::uint32_t>(getpid()));
  }
  REQUIRE(send(*client, "hello").has_value());
  CHECK(receive(**accepted) == "hello");
}

TEST_CASE("the end of the process at the other end can be watched") {
  scratch_folder scratch;
  auto listener = listen(scratch.path());
  int go[2];
  REQUIRE(pipe2(go, O_CLOEXEC) == 0);
  std::fflush(nullptr);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    close(go[1]);
    auto client = local_socket::connect(listener.path());
    char byte = 0;
    _exit(client.has_value() && read(go[0], &byte, 1) == 0 ? 0 : 1);
  }
  pollfd waiting{.fd = listener.number(), .events = POLLIN, .revents = 0};
  REQUIRE(poll(&waiting, 1, -1) == 1);
  auto accepted = listener.accept();
  REQUIRE(accepted.has_value());
  REQUIRE(accepted->has_value());
  CHECK((*accepted)->peer()->process == static_cast<std::uint32_t>(child));
  auto process = (*accepted)->peer_process();
  REQUIRE(process.has_value());
  CHECK_FALSE(is_ready(process->number(), POLLIN));
  close(go[0]);
  close(go[1]);
  pollfd ending{.fd = process->number(), .events = POLLIN, .revents = 0};
  CHECK(poll(&ending, 1, -1) == 1);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a name has one listener, and is free again after it") {
  scratch_folder scratch;
  std::string path;
  {
    auto listener = listen(scratch.path());
    path = listener.path();
    CHECK(local_listener::listen(scratch.path(), "agent").error() == errc::already_exists);
    CHECK(local_socket::connect(path).has_value());
    listen(scratch.path(), "another");
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(local_socket::connect(path).error() == errc::connection_refused);
  listen(scratch.path());
}

TEST_CASE("what a killed listener left is replaced") {
  scratch_folder scratch;
  auto die_listening = [&] {
    auto made = local_listener::listen(scratch.path(), "agent");
    _exit(made.has_value() ? 7 : 1);  // no destructor
    return 0;
  };
  CHECK(in_forked_process(die_listening) == 7);
  REQUIRE(std::filesystem::exists(scratch.path() + "/agent"));
  CHECK(local_socket::connect(scratch.path() + "/agent").error() == errc::connection_refused);
  auto listener = listen(scratch.path());
  CHECK(local_socket::connect(listener.path()).has_value());
}

TEST_CASE("a fork that destroys its parent's listener leaves the name alone") {
  scratch_folder scratch;
  std::optional<local_listener> listener = listen(scratch.path());
  auto destroy = [&] {
    listener.reset();
    return 0;
  };
  CHECK(in_forked_process(destroy) == 0);
  CHECK(local_socket::connect(listener->path()).has_value());
}

TEST_CASE("a listener does not remove the file of its successor") {
  scratch_folder scratch;
  std::optional<local_listener> first = listen(scratch.path());
  std::filesystem::remove(first->path());  // somebody tidies up
  auto second = listen(scratch.path());
  first.reset();
  CHECK(local_socket::connect(second.path()).has_value());
}

TEST_CASE("of many programs that start at once one gets the name") {
  scratch_folder scratch;
  constexpr int programs = 12;
  int start[2], done[2];
  REQUIRE(pipe2(start, O_CLOEXEC) == 0);
  REQUIRE(pipe2(done, O_CLOEXEC) == 0);
  std::fflush(nullptr);
  std::vector<pid_t> children;
  for (int i = 0; i < programs; ++i) {
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      close(start[1]);
      close(done[1]);
      char byte = 0;
      if (read(start[0], &byte, 1) != 0) _exit(3);
      auto made = local_listener::listen(scratch.path(), "agent");
      if (!made.has_value())
        _exit(made.error() == errc::already_exists || made.error() == errc::busy ? 0 : 2);
      // Keeps the name until all have tried.
      if (read(done[0], &byte, 1) != 0) _exit(5);
      _exit(1);
    }
    children.push_back(child);
  }
  close(start[0]);
  close(start[1]);
  close(done[0]);
  // Those that were refused end first; the one that listens waits for the end of `done`.
  int refused = 0, listening = 0, other = 0;
  for (int i = 0; i < programs - 1; ++i) {
    int status = 0;
    if (waitpid(-1, &status, 0) > 0 && WIFEXITED(status)) refused += WEXITSTATUS(status) == 0;
  }
  close(done[1]);
  int status = 0;
  if (waitpid(-1, &status, 0) > 0 && WIFEXITED(status)) listening += WEXITSTATUS(status) == 1;
  else ++other;
  CHECK(refused == programs - 1);
  CHECK(listening == 1);
  CHECK(other == 0);
}

TEST_CASE("a folder that others can reach into is refused") {
  scratch_folder scratch;
  std::string open_to_all = scratch.path() + "/open", real = scratch.path() + "/real";
  REQUIRE(mkdir(open_to_all.c_str(), 0700) == 0);
  REQUIRE(chmod(open_to_all.c_str(), 0777) == 0);
  CHECK(local_listener::listen(open_to_all, "agent").error() == errc::permission);
  REQUIRE(mkdir(real.c_str(), 0700) == 0);
  REQUIRE(symlink(real.c_str(), (scratch.path() + "/link").c_str()) == 0);
  CHECK(local_listener::listen(scratch.path() + "/link", "agent").error() == errc::permission);
  auto made = listen(scratch.path() + "/made");
  struct stat status {};
  REQUIRE(stat((scratch.path() + "/made").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  if (getuid() != 0) {
    MESSAGE("SKIPPED: another user's folder, as this process is not root's");
    return;
  }
  REQUIRE(chown(real.c_str(), 65534, 65534) == 0);
  CHECK(local_listener::listen(real, "agent").error() == errc::permission);
}

TEST_CASE("a path that no socket can have is an error that says so") {
  scratch_folder scratch;
  CHECK(local_listener::listen(scratch.path(), std::string(200, 'n')).error() ==
        errc::invalid_argument);
  CHECK(local_listener::listen(scratch.path(), "").error() == errc::invalid_argument);
  CHECK(local_listener::listen(scratch.path(), "../out").error() == errc::invalid_argument);
  CHECK(local_socket::connect(std::string(200, 'n')).error() == errc::invalid_argument);
  CHECK(local_socket::connect("").error() == errc::invalid_argument);
}

TEST_CASE("a process out of descriptors leaves the connection waiting") {
  scratch_folder scratch;
  auto listener = listen(scratch.path());
  auto client = local_socket::connect(listener.path());
  REQUIRE(client.has_value());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto refused = listener.accept();
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(refused.error() == errc::exhausted);
  auto accepted = listener.accept();
  REQUIRE(accepted.has_value());
  CHECK(accepted->has_value());
}

}  // namespace

}  // namespace local_socket_cases
