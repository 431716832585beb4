// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports/port_error.hpp"
#include "ports/posix/system.hpp"
#include "ports/posix/system_error.hpp"
#include "ports/processes.hpp"
#include "ports/threads.hpp"

#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
#define BEAMLET_SPAWN_CLOSES_THE_REST 1
#endif
#endif

extern char** environ;

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// What posix_spawn() needs, with one place that frees it. The first errno is kept.
class spawn_plan {
 public:
  explicit spawn_plan(bool detached) {
    keep(posix_spawn_file_actions_init(&actions_));
    keep(posix_spawnattr_init(&attributes_));
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    keep(posix_spawnattr_setsigmask(&attributes_, &none));
    keep(posix_spawnattr_setsigdefault(&attributes_, &all));
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (detached) flags |= POSIX_SPAWN_SETSID;
    keep(posix_spawnattr_setflags(&attributes_, static_cast<short>(flags)));
    for (int number = 0; detached && number <= STDERR_FILENO; ++number) {
      keep(posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", O_RDWR, 0));
    }
  }
  ~spawn_plan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;

  // Each first gets a number above all that are wanted: none overwrites another that is still to be
  // copied.
  void give(const std::vector<spawn_options::given>& wanted) {
    int highest = STDERR_FILENO;
    for (const auto& each : wanted) highest = std::max(highest, each.as);
    for (const auto& each : wanted) {
      int copy = fcntl(each.number, F_DUPFD_CLOEXEC, highest + 1);
      if (copy < 0) return keep(errno);
      copies_.emplace_back(copy);
      keep(posix_spawn_file_actions_adddup2(&actions_, copy, each.as));
    }
    close_others(wanted, highest);
  }

  int run(const char* path, char** arguments, char** environment, int& id) {
    if (failed_ != 0) return failed_;
    pid_t child = 0;
    int failed = posix_spawn(&child, path, &actions_, &attributes_, arguments, environment);
    id = child;
    return failed;
  }

 private:
  void keep(int failed) {
    if (failed_ == 0) failed_ = failed;
  }
  // The program may have opened things without close-on-exec, which a child must not hold open.
  // Where the C library cannot do this, those stay open in the child.
  void close_others(const std::vector<spawn_options::given>& wanted, int highest) {
#ifdef BEAMLET_SPAWN_CLOSES_THE_REST
    for (int number = STDERR_FILENO + 1; number < highest; ++number) {
      auto is_it = [number](const auto& each) { return each.as == number; };
      if (std::any_of(wanted.begin(), wanted.end(), is_it)) continue;
      keep(posix_spawn_file_actions_addclose(&actions_, number));
    }
    keep(posix_spawn_file_actions_addclosefrom_np(&actions_, highest + 1));
#else
    (void)wanted, (void)highest;
#endif
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<descriptor> copies_;
  int failed_ = 0;
};

result<void> check_given(const std::vector<spawn_options::given>& wanted) {
  constexpr int numbers_max = 256;  // each is an action of its own
  for (const auto& each : wanted) {
    auto same = [&](const auto& other) { return other.as == each.as; };
    if (each.as < 0 || each.as >= numbers_max ||
        std::count_if(wanted.begin(), wanted.end(), same) != 1) {
      return port_error(errc::invalid_argument, "a child cannot have descriptor " +
                                                    std::to_string(each.as) +
                                                    ": it is given twice, or not from 0 to 255");
    }
  }
  return {};
}

std::string_view name_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

// The changes first, from the last to the first, then what they do not name.
std::vector<char*> changed_environment(const std::vector<std::string>& changes) {
  std::vector<std::string_view> named;
  std::vector<char*> all;
  auto add = [&](const char* text) {
    std::string_view variable(text), name = name_of(variable);
    if (std::find(named.begin(), named.end(), name) != named.end()) return;
    if (variable.size() > name.size()) all.push_back(const_cast<char*>(text));
    named.push_back(name);
  };
  for (auto each = changes.rbegin(); each != changes.rend(); ++each) add(each->c_str());
  std::size_t own_from = named.size();
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    auto end = named.begin() + static_cast<std::ptrdiff_t>(own_from);
    if (std::find(named.begin(), end, name_of(*each)) == end) all.push_back(*each);
  }
  all.push_back(nullptr);
  return all;
}

std::vector<char*> argument_list(const std::vector<std::string>& arguments, const char* path) {
  std::vector<char*> all;
  for (const std::string& each : arguments) all.push_back(const_cast<char*>(each.c_str()));
  if (all.empty()) all.push_back(const_cast<char*>(path));
  all.push_back(nullptr);
  return all;
}

// A pipe that nobody writes to is ready to read when the last holder of its other side is gone: the
// child, or at once where that has no copy.
result<std::pair<descriptor, descriptor>> end_pipe() {
  int both[2];
  if (pipe2(both, O_CLOEXEC) != 0) return system_error("a child cannot be watched", errno);
  return std::pair(descriptor(both[0]), descriptor(both[1]));
}

process_end end_of(const siginfo_t& info) {
  process_end end{.known = true};
  if (info.si_code == CLD_EXITED) end.status = info.si_status;
  else end.signal = info.si_status;
  return end;
}

}  // namespace

result<process> process::spawn(const spawn_options& options) {
  const char* path = options.path.empty() ? own_program() : options.path.c_str();
  if (path == nullptr) {
    return port_error(errc::unsupported, "the file of this program is not known; is /proc there?");
  }
  BEAMLET_TRY_VOID(check_given(options.descriptors));
  process made;
  made.generation_ = fork_generation();
  made.handle_ = static_cast<bool>(descriptor(open_process(getpid())));
  auto wanted = options.descriptors;
  BEAMLET_TRY(auto pipe, end_pipe());
  if (!made.handle_) {
    int as = STDERR_FILENO + 1;
    for (const auto& each : wanted) as = std::max(as, each.as + 1);
    wanted.push_back({.number = pipe.second.number(), .as = as});
  }
  spawn_plan plan(options.detached);
  plan.give(wanted);
  auto arguments = argument_list(options.arguments, path);
  auto environment = changed_environment(options.environment);
  int failed = plan.run(path, arguments.data(), environment.data(), made.id_);
  if (failed != 0) {
    made.id_ = 0;
    return system_error("'" + std::string(path) + "' could not be started", failed);
  }
  // The child is ours until it is waited for, so the number cannot be another's yet (unless the
  // program ignores SIGCHLD, and the number was used up within this instant).
  if (made.handle_) made.ending_ = descriptor(open_process(made.id_));
  if (made.handle_ && !made.ending_ && errno != ESRCH) failed = errno;
  if (!made.ending_) {
    made.handle_ = false;
    made.ending_ = std::move(pipe.first);
  }
  if (failed == 0 && options.cpu_seconds_max != 0) {
    failed = limit_cpu_seconds(made.id_, options.cpu_seconds_max);
  }
  if (failed == 0 && options.memory_bytes_max != 0) {
    failed = limit_memory(made.id_, options.memory_bytes_max);
  }
  if (failed == 0 || failed == ESRCH) return made;
  return system_error("a child cannot be watched or limited", failed);  // and it ends with `made`
}

process::~process() {
  if (id_ == 0 || end_ || generation_ != fork_generation()) return;
  kill();
  wait();
}

std::optional<process_end> process::ask(int flags) {
  if (end_) return end_;
  siginfo_t info{};
  int failed = 0;
  do failed = wait_for_child(id_, handle_ ? ending_.number() : -1, WEXITED | flags, info);
  while (failed == EINTR);
  if (failed != 0) end_ = process_end{};  // no child of ours any more: somebody asked before
  else if (info.si_pid != 0) end_ = end_of(info);
  return end_;
}

std::optional<process_end> process::poll() { return ask(WNOHANG); }

process_end process::wait() {
  // A descriptor that a loop has made non-blocking would not wait in waitid().
  pollfd ready{.fd = ending_.number(), .events = POLLIN, .revents = 0};
  while (!ask(handle_ ? WNOHANG : 0)) ::poll(&ready, 1, -1);
  return *end_;
}

void process::send_signal(int signal) noexcept {
  if (id_ == 0 || poll()) return;
  // Not waited for yet, the number is still the child's.
  if (!handle_ || signal_process(ending_.number(), signal) != 0) ::kill(id_, signal);
}

void process::ask_to_end() noexcept { send_signal(SIGTERM); }
void process::kill() noexcept { send_signal(SIGKILL); }

std::string describe(const process_end& end) {
  if (!end.known) return "ended, nobody knows how";
  if (end.signal == 0) return "ended with status " + std::to_string(end.status);
  struct known_signal {
    int number;
    const char* name;
  };
  constexpr known_signal known[] = {
      {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},   {SIGHUP, "SIGHUP"},
      {SIGILL, "SIGILL"},   {SIGINT, "SIGINT"},   {SIGKILL, "SIGKILL"}, {SIGPIPE, "SIGPIPE"},
      {SIGQUIT, "SIGQUIT"}, {SIGSEGV, "SIGSEGV"}, {SIGSYS, "SIGSYS"},   {SIGTERM, "SIGTERM"},
      {SIGTRAP, "SIGTRAP"}, {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"}};
  std::string text = "was ended by signal " + std::to_string(end.signal);
  for (const known_signal& each : known) {
    if (each.number == end.signal) text += std::string(" (") + each.name + ")";
  }
  return text;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#ifdef BEAMLET_SPAWN_CLOSES_THE_REST
#undef BEAMLET_SPAWN_CLOSES_THE_REST
#endif
