// SPDX-License-Identifier: Apache-2.0
// The main function of every test program.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "beamlet/config.hpp"

#include <doctest/doctest.h>

#if BEAMLET_THREAD_SANITIZER
// libuv closes descriptors by a raw system call, which the sanitizer does not see: it takes whoever
// opens the same number next for a second writer of it. Only reports whose innermost frame opens a
// descriptor are left out.
extern "C" const char* __tsan_default_suppressions() {
  return "race_top:^__interceptor_epoll_create1$\n"
         "race_top:^__interceptor_eventfd$\n"
         "race_top:^__interceptor_open64$\n"
         "race_top:^__interceptor_open$\n"
         "race_top:^__interceptor_pipe2$\n"
         "race_top:^__interceptor_socket$\n"
         "race_top:^__interceptor_socketpair$\n";
}
#endif
