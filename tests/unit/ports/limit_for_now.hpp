// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <sys/resource.h>

/// A limit of this process that is lower as long as this lives.
struct limit_for_now {
  decltype(RLIMIT_FSIZE) what;
  rlimit before{};
  limit_for_now(decltype(RLIMIT_FSIZE) resource, rlim_t value) : what(resource) {
    REQUIRE(getrlimit(what, &before) == 0);
    rlimit now = before;
    now.rlim_cur = value;
    REQUIRE(setrlimit(what, &now) == 0);
  }
  ~limit_for_now() { setrlimit(what, &before); }
};
