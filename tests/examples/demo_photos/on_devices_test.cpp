// SPDX-License-Identifier: Apache-2.0
#include "on_devices.hpp"

#include <cmath>

#include "jpeg.hpp"
#include "png.hpp"
#include "test_support.hpp"

namespace demo {
namespace {

TEST_CASE("ops on the processor find about what the plain loop finds, and name bad photos") {
  const scratch_folder folder;
  file_bytes cut = must(encode_jpeg(busy_picture({64, 64}, 3), 90));
  cut.resize(cut.size() / 2);
  folder.write("a/sharp.png", must(encode_png(busy_picture({1200, 900}, 3))));
  folder.write("b/cut.jpg", cut);
  folder.write("c/flat.jpg", must(encode_jpeg(flat_picture({800, 30}, 1, 9), 90)));
  folder.write("d/notes.jpg", std::string_view("buy milk\n"));
  folder.write("e/tiny.png", must(encode_png(flat_picture({1, 1}, 3, 200))));
  const job work = plan_job(folder.path(), "", 3);
  const findings plain = run_plain(work, [](const photo&) {});
  auto rt = beamlet::runtime::start({.workers = 2, .device = "cpu"}).value();
  std::size_t seen = 0;
  auto found = run_on_devices(rt, work, [&](const photo&) { ++seen; });
  REQUIRE_MESSAGE(found.has_value(), found.error().describe());
  CHECK(seen == work.rows_count());
  REQUIRE(found->size() == plain.rows.size());
  for (std::size_t i = 0; i < found->size(); ++i) {
    CAPTURE(plain.rows[i].file);
    CHECK((*found)[i].file == plain.rows[i].file);
    CHECK((*found)[i].failed() == plain.rows[i].failed());
    // Here of the middle of each step of brightness.
    CHECK(std::abs((*found)[i].mean - plain.rows[i].mean) < 3);
    CHECK(std::abs((*found)[i].entropy - plain.rows[i].entropy) < 1);
  }
  CHECK(largest_difference(*found, *found) == 0);
  CHECK(largest_difference(*found, plain.rows) > 0);
  CHECK(largest_difference(*found, {}) > 1e9);
}

TEST_CASE("a device that is not there is an error") {
  const scratch_folder folder;
  folder.write("a.png", must(encode_png(busy_picture({90, 90}, 3))));
  auto rt = beamlet::runtime::start({.workers = 1, .device = "abacus"}).value();
  auto found = run_on_devices(rt, plan_job(folder.path(), "", 1), [](const photo&) {});
  REQUIRE(!found.has_value());
  CHECK(found.error() == beamlet::errc::not_found);
}

}  // namespace
}  // namespace demo
