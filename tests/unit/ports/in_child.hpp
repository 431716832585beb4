// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

/// Runs `body` in a fork and gives what it returns (the number of the first thing that was wrong, 0
/// if none), or minus the signal that ended it.
template <class Body>
int in_forked_process(Body body) {
  std::fflush(nullptr);  // or the child may print what its parent has not yet
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(body());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
