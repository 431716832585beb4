// SPDX-License-Identifier: Apache-2.0
#include "ports/processes.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports/threads.hpp"
#include "tests/unit/ports/in_child.hpp"
#include "tests/unit/ports/scratch_folder.hpp"
#include "tests/unit/ports/uv_worlds.hpp"

namespace processes_cases {

namespace {
using namespace beamlet;
using ports::process;
using ports::process_end;
using ports::spawn_options;

process start(const spawn_options& options) {
  auto made = process::spawn(options);
  REQUIRE_MESSAGE(made.has_value(), std::string(made.has_value() ? "" : made.error().describe()));
  return *std::move(made);
}

spawn_options shell(const std::string& script) {
  spawn_options options;
  options.path = "/bin/sh";
  options.arguments = {"sh", "-c", script};
  return options;
}

// A pipe that a child writes to, and what it wrote.
struct child_output {
  ports::descriptor reading, writing;
  child_output() {
    int both[2];
    REQUIRE(pipe2(both, O_CLOEXEC) == 0);
    reading = ports::descriptor(both[0]);
    writing = ports::descriptor(both[1]);
  }
  std::string text() {
    writing.close();
    std::string all;
    char part[256];
    for (ssize_t got = 0; (got = read(reading.number(), part, sizeof part)) > 0;) {
      all.append(part, static_cast<std::size_t>(got));
    }
    return all;
  }
};

std::string output_of(spawn_options options) {
  child_output output;
  options.descriptors.push_back({.number = output.writing.number(), .as = 1});
  process child = start(options);
  std::string text = output.text();
  CHECK(child.wait().succeeded());
  return text;
}

TEST_CASE("a child's status is what it ended with") {
  process child = start(shell("exit 3"));
  CHECK(child.id() != 0);
  process_end end = child.wait();
  CHECK(end.known);
  CHECK(end.status == 3);
  CHECK(end.signal == 0);
  CHECK_FALSE(end.succeeded());
  CHECK(child.poll()->status == 3);  // and stays that
  CHECK(ports::describe(end) == "ended with status 3");
}

TEST_CASE("a killed child tells the signal") {
  process child = start(shell("exec sleep 1000"));
  CHECK_FALSE(child.poll());
  child.kill();
  process_end end = child.wait();
  CHECK(end.signal == SIGKILL);
  CHECK(ports::describe(end) == "was ended by signal 9 (SIGKILL)");
  child.kill();  // nothing: it has ended
  process polite = start(shell("kill -STOP $$; exit 1"));
  polite.ask_to_end();
  polite.kill();
  CHECK(polite.wait().signal != 0);
}

TEST_CASE("a child that is asked to end may do so in its own way") {
  child_output output;
  auto options = shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
  options.descriptors = {{.number = output.writing.number(), .as = 1}};
  process child = start(options);
  char byte = 0;
  REQUIRE(read(output.reading.number(), &byte, 1) == 1);
  child.ask_to_end();
  CHECK(child.wait().status == 5);
}

TEST_CASE_TEMPLATE("the end of a child is seen by the loop", World, uv_worlds::own_loop_world,
                   uv_worlds::guest_world) {
  World world;
  process child = start(shell("exit 0"));
  struct state {
    ports::port* port;
    bool ended = false;
  } seen{&world.port()};
  auto on_end = [](void* user, unsigned) {
    auto& self = *static_cast<state*>(user);
    self.ended = true;
    self.port->wake();
  };
  auto watch = world.port().watch_descriptor(child.end_descriptor(), on_end, &seen);
  REQUIRE(watch.has_value());
  (*watch)->want(ports::ready_to_read);
  while (!seen.ended) world.turn(ports::forever);
  auto end = child.poll();
  REQUIRE(end);
  CHECK(end->succeeded());
  CHECK(child.wait().succeeded());  // though a loop has made the descriptor non-blocking
}

TEST_CASE("a child that is forgotten is ended and leaves no zombie") {
  std::uint32_t id = 0;
  {
    process child = start(shell("exec sleep 1000"));
    id = child.id();
  }
  CHECK(kill(static_cast<pid_t>(id), 0) != 0);
  CHECK(errno == ESRCH);
}

TEST_CASE("a child has the descriptors that it was given, by their new numbers, and no others") {
  int leaked = open("/", O_RDONLY);  // without close-on-exec, as a program may
  REQUIRE(leaked > 2);
  child_output first, second;
  // No pipe, which the shell might still hold, and not the last command, which it might become.
  auto options = shell("exec >&5; echo one; echo two >&9; ls /proc/$$/fd; true");
  // Numbers that would overwrite each other if they were copied one after the other.
  options.descriptors = {{.number = first.writing.number(), .as = 5},
                         {.number = second.writing.number(), .as = 9}};
  process child = start(options);
  CHECK(second.text() == "two\n");
  CHECK(first.text() == "one\n0\n1\n2\n5\n9\n");
  CHECK(child.wait().succeeded());
  close(leaked);
}

TEST_CASE("descriptors may change places") {
  child_output first, second;
  int a = first.writing.number(), b = second.writing.number();
  auto options = shell("echo to-b >&" + std::to_string(a) + "; echo to-a >&" + std::to_string(b));
  options.path = "/bin/bash";  // numbers of two digits
  if (!std::filesystem::exists(options.path)) {
    MESSAGE("SKIPPED: no bash here");
    return;
  }
  options.descriptors = {{.number = a, .as = b}, {.number = b, .as = a}};
  process child = start(options);
  CHECK(first.text() == "to-a\n");
  CHECK(second.text() == "to-b\n");
  CHECK(child.wait().succeeded());
}

TEST_CASE("the environment is this process's with the changes") {
  setenv("BEAMLET_TEST_KEPT", "kept", 1);
  setenv("BEAMLET_TEST_GONE", "gone", 1);
  setenv("BEAMLET_TEST_CHANGED", "before", 1);
  auto options = shell(
      "echo $BEAMLET_TEST_KEPT ${BEAMLET_TEST_GONE-none} $BEAMLET_TEST_CHANGED $BEAMLET_TEST_NEW");
  options.environment = {"BEAMLET_TEST_CHANGED=first", "BEAMLET_TEST_GONE",
                         "BEAMLET_TEST_CHANGED=last", "BEAMLET_TEST_NEW=a=b"};
  CHECK(output_of(options) == "kept none last a=b\n");
  unsetenv("BEAMLET_TEST_KEPT");
  unsetenv("BEAMLET_TEST_GONE");
  unsetenv("BEAMLET_TEST_CHANGED");
}

TEST_CASE("this program runs once more, even where its file was replaced") {
  spawn_options options;
  options.arguments = {"again", "--test-case=no case has this name", "--minimal"};
  child_output output;
  options.descriptors = {{.number = output.writing.number(), .as = 1}};
  process child = start(options);
  std::string self = std::filesystem::read_symlink("/proc/self/exe");
  output.text();
  CHECK(child.wait().succeeded());

  scratch_folder scratch;
  std::string copy = scratch.path() + "/copy";
  std::filesystem::copy_file(self, copy);
  auto from_copy = shell("");
  from_copy.path = copy;
  from_copy.arguments = {"copy", "--test-case=a program whose file is gone runs once more",
                         "--no-skip", "--minimal"};
  from_copy.environment = {"BEAMLET_TEST_FILE=" + copy};
  CHECK(start(from_copy).wait().succeeded());
}

TEST_CASE("a program whose file is gone runs once more" * doctest::skip()) {
  const char* own = std::getenv("BEAMLET_TEST_FILE");
  if (own == nullptr) return;  // only as the child of the case above
  std::filesystem::remove(own);
  spawn_options options;
  options.arguments = {"again", "--test-case=no case has this name", "--minimal"};
  CHECK(start(options).wait().succeeded());
}

TEST_CASE("a child's signals are the system's, whatever its parent does with its own") {
  auto look = [] {
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    // The C library keeps signals 32 and 33 to itself.
    auto child =
        process::spawn(shell("grep -q 'SigBlk:.0000000000000000' /proc/self/status && "
                             "grep -q 'SigIgn:.*0000000$' /proc/self/status"));
    return child.has_value() && child->wait().succeeded() ? 0 : 1;
  };
  CHECK(in_forked_process(look) == 0);
}

TEST_CASE("a child does not disturb the program's own, nor its dispositions") {
  struct sigaction before {
  }, after{};
  REQUIRE(sigaction(SIGCHLD, nullptr, &before) == 0);
  std::fflush(nullptr);
  pid_t own = fork();
  REQUIRE(own >= 0);
  if (own == 0) _exit(9);
  CHECK(start(shell("exit 0")).wait().succeeded());
  int status = 0;
  CHECK(waitpid(own, &status, 0) == own);
  CHECK(WEXITSTATUS(status) == 9);
  REQUIRE(sigaction(SIGCHLD, nullptr, &after) == 0);
  CHECK((before.sa_handler == after.sa_handler));
}

TEST_CASE("where the program lets nobody wait for children, the end is seen and not known") {
  auto look = [] {
    signal(SIGCHLD, SIG_IGN);
    auto child = process::spawn(shell("exit 3"));
    if (!child.has_value()) return 1;
    pollfd ending{.fd = child->end_descriptor(), .events = POLLIN, .revents = 0};
    if (poll(&ending, 1, -1) != 1) return 2;
    process_end end = child->wait();
    child->kill();
    return end.known ? 3 : 0;
  };
  CHECK(in_forked_process(look) == 0);
}

TEST_CASE("processor time past its limit ends a child with the signal that says so") {
  auto options = shell("while :; do :; done");
  options.cpu_seconds_max = 1;
  process child = start(options);
  CHECK(child.wait().signal == SIGXCPU);
}

TEST_CASE("what cannot be run is an error, and nothing runs") {
  spawn_options options;
  options.path = "/nowhere/at/all";
  CHECK(process::spawn(options).error() == errc::not_found);
  options.path = "/etc/passwd";
  CHECK(process::spawn(options).error() == errc::permission);
  auto given = [](std::vector<spawn_options::given> descriptors) {
    auto made = shell("exit 0");
    made.descriptors = std::move(descriptors);
    return process::spawn(made).error().code();
  };
  CHECK(given({{.number = 987'654, .as = 5}}) == errc::invalid_argument);
  CHECK(given({{.number = 0, .as = 5}, {.number = 1, .as = 5}}) == errc::invalid_argument);
  CHECK(given({{.number = 0, .as = -1}}) == errc::invalid_argument);
  CHECK(waitpid(-1, nullptr, WNOHANG) < 0);
}

TEST_CASE("a process out of descriptors is told which limit to raise, and no child is left") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto made = process::spawn(shell("exit 0"));
  setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error() == errc::exhausted);
  CHECK(made.error().message().find("RLIMIT_NOFILE") != std::string_view::npos);
  CHECK(waitpid(-1, nullptr, WNOHANG) < 0);
}

TEST_CASE("a detached child has a session of its own and nothing behind its streams") {
  spawn_options options = shell(
      "readlink /proc/$$/fd/0 /proc/$$/fd/2; set -- $(cat /proc/$$/stat); test $6 = $$ && echo "
      "own");
  options.detached = true;
  CHECK(output_of(options) == "/dev/null\n/dev/null\nown\n");
}

TEST_CASE("a child that was left goes on") {
  int id = 0;
  {
    process child = start(shell("exec sleep 1000"));
    id = static_cast<int>(child.id());
    child.leave();
  }
  CHECK(waitpid(id, nullptr, WNOHANG) == 0);
  CHECK(::kill(id, SIGKILL) == 0);
  CHECK(waitpid(id, nullptr, 0) == id);
}

TEST_CASE("processes of one file are known by it, and others are not") {
  auto own = static_cast<std::uint32_t>(getpid());
  process other = start(shell("exec sleep 1000"));
  CHECK(ports::program_identity(own) != 0);
  CHECK(ports::program_identity(own) == ports::program_identity(own));
  CHECK(ports::program_identity(own) != ports::program_identity(other.id()));
  CHECK(ports::program_identity(0) == 0);
}

TEST_CASE("a fork that destroys its parent's child leaves it running") {
  std::optional<process> child = start(shell("exec sleep 1000"));
  auto destroy = [&] {
    child.reset();
    return 0;
  };
  CHECK(in_forked_process(destroy) == 0);
  CHECK_FALSE(child->poll());
}

TEST_CASE("spawning leaves no descriptor behind") {
  auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  auto before = count();
  for (int i = 0; i < 5; ++i) start(shell("exit 0")).wait();
  CHECK(count() == before);
}

// The system calls that hand out descriptors of processes, as a kernel before 5.3 has them: not.
bool forget_process_descriptors() {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 434, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 424, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{.len = sizeof rules / sizeof rules[0], .filter = rules};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_CASE("a kernel without process descriptors does the same by other means") {
  auto look = [] {
    if (!forget_process_descriptors()) return 77;
    auto child = process::spawn(shell("exit 3"));
    if (!child.has_value()) return 1;
    pollfd ending{.fd = child->end_descriptor(), .events = POLLIN, .revents = 0};
    if (poll(&ending, 1, -1) != 1) return 2;
    if (child->wait().status != 3) return 3;
    auto endless = process::spawn(shell("while :; do :; done"));
    if (!endless.has_value()) return 4;
    ending.fd = endless->end_descriptor();
    if (poll(&ending, 1, 0) != 0 || endless->poll()) return 5;
    endless->kill();
    if (endless->wait().signal != SIGKILL) return 6;
    return poll(&ending, 1, -1) == 1 ? 0 : 7;
  };
  int outcome = in_forked_process(look);
  if (outcome == 77) MESSAGE("SKIPPED: this test may not install a filter for system calls");
  else CHECK(outcome == 0);
}

}  // namespace

}  // namespace processes_cases
