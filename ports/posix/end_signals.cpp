// SPDX-License-Identifier: Apache-2.0
#include "ports/end_signals.hpp"

#include <cerrno>
#include <csignal>

#include <unistd.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

sigset_t end_signals() {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGTERM);
  sigaddset(&both, SIGINT);
  return both;
}

}  // namespace

void hold_end_signals() {
  sigset_t both = end_signals();
  pthread_sigmask(SIG_BLOCK, &both, nullptr);
}

void wait_for_end_signal() {
  sigset_t both = end_signals();
  int which = 0;
  while (sigwait(&both, &which) == EINTR) {}
}

void send_end_signal() { ::kill(getpid(), SIGTERM); }

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
