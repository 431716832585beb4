// SPDX-License-Identifier: Apache-2.0
// Waits for the end of a process that is not necessarily ours to wait for.
#pragma once

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

/// Whether it has ended, or does within a minute.
inline bool ends(int process) {
  constexpr long call_open_process = 434;
  constexpr int patience_ms = 60'000;
  int opened = static_cast<int>(syscall(call_open_process, process, 0));
  if (opened < 0) return errno == ESRCH;
  pollfd ended{.fd = opened, .events = POLLIN, .revents = 0};
  bool has = poll(&ended, 1, patience_ms) == 1;
  close(opened);
  return has;
}
