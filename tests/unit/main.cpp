// SPDX-License-Identifier: Apache-2.0
// The main function of every test program.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#ifdef __SANITIZE_THREAD__
// libuv closes descriptors without a call that the sanitizer sees: it takes who opens one with the
// same number for a second writer.
extern "C" const char* __tsan_default_suppressions() { return "race:^epoll_create1$\n"; }
#endif
