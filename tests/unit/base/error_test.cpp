// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/base/error.hpp>
#include <beamlet/base/limits.hpp>

#include <string>
#include <utility>

using beamlet::errc;
using beamlet::error;
using beamlet::error_detail;
using beamlet::error_layer;

namespace {
error detailed() {
  return error(errc::user_exception, error_layer::sched,
               error_detail{.message = "no such file",
                            .type = "std::runtime_error",
                            .function = "load",
                            .cause = "io"},
               2);
}
}  // namespace

TEST_CASE("a default error is no error") {
  error e;
  CHECK(e == errc::ok);
  CHECK(e.system() == 0);
  CHECK(e.detail() == nullptr);
}

TEST_CASE("an error is two words on a 64-bit machine") { CHECK(sizeof(error) <= 16); }

TEST_CASE("every code has a sentence of its own") {
  std::string all;
#define BEAMLET_X(name, number, text)                               \
  CHECK(beamlet::to_string(errc::name) == text);                    \
  CHECK(static_cast<int>(errc::name) == number);                    \
  CHECK_MESSAGE(all.find("|" text "|") == std::string::npos, text); \
  all += "|" text "|";
  BEAMLET_ERROR_CODES(BEAMLET_X)
#undef BEAMLET_X
}

TEST_CASE("codes and layers of a newer version have a text too") {
  CHECK(beamlet::to_string(errc{65535}) == "unknown error");
  CHECK(beamlet::to_string(error_layer{65535}) == "unknown");
  CHECK(beamlet::to_string(error_layer::train) == "train");
}

TEST_CASE("an error without detail says its code's sentence") {
  error e(errc::timeout, error_layer::sched, -110);
  CHECK(e.message() == "timed out");
  CHECK(e.type().empty());
  CHECK(e.describe() == "timed out (system error -110)");
}

TEST_CASE("a detail is shared by copies and outlives the first") {
  error copy;
  {
    error e = detailed();
    copy = e;
    CHECK(copy.detail() == e.detail());
  }
  CHECK(copy.message() == "no such file");
  CHECK(copy.type() == "std::runtime_error");
  CHECK(copy.function() == "load");
  CHECK(copy.cause() == "io");
  CHECK(copy.system() == 2);
}

TEST_CASE("a description names function, code, message, type and first cause") {
  CHECK(detailed().describe() ==
        "load: the function threw: no such file [std::runtime_error]; first cause: io (system "
        "error 2)");
}

TEST_CASE("moving an error leaves one without detail") {
  error e = detailed();
  error moved = std::move(e);
  CHECK(e.detail() == nullptr);  // NOLINT: that is the point
  CHECK(moved.detail() != nullptr);
}

TEST_CASE("assigning an error to itself keeps it") {
  error e = detailed();
  const error& same = e;
  e = same;
  CHECK(e.message() == "no such file");
}

TEST_CASE("long texts are cut at the limit") {
  error e(errc::unknown, error_layer::user,
          error_detail{.message = std::string(100'000, 'x'),
                       .type = {},
                       .function = {},
                       .cause = std::string(5000, 'y')});
  CHECK(e.message().size() == beamlet::limits::error_text_bytes_max);
  CHECK(e.cause().size() == beamlet::limits::error_text_bytes_max);
}

TEST_CASE("errors are equal when code, layer and system number are") {
  CHECK(detailed() == error(errc::user_exception, error_layer::sched, 2));
  CHECK_FALSE(detailed() == error(errc::user_exception, error_layer::sched, 3));
  CHECK_FALSE(detailed() == error(errc::user_exception, error_layer::node, 2));
  CHECK_FALSE(detailed() == error(errc::user_error, error_layer::sched, 2));
  CHECK(detailed() == errc::user_exception);
}
