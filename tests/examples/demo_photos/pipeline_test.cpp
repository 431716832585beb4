// SPDX-License-Identifier: Apache-2.0
#include "pipeline.hpp"

#include "jpeg.hpp"
#include "png.hpp"
#include "test_support.hpp"

namespace demo {
namespace {

void write_good_and_bad_photos(const scratch_folder& folder) {
  file_bytes cut = must(encode_jpeg(busy_picture({64, 64}, 3), 90));
  cut.resize(cut.size() / 2);
  file_bytes flipped = must(encode_png(busy_picture({64, 64}, 3)));
  flipped[flipped.size() / 2] ^= 0x55;
  folder.write("a/sharp.png", must(encode_png(busy_picture({900, 700}, 3))));
  folder.write("b/cut.jpg", cut);
  folder.write("c/empty.jpg", file_bytes());
  folder.write("d/flat, grey.jpg", must(encode_jpeg(flat_picture({800, 30}, 1, 9), 90)));
  folder.write("e/flipped.png", flipped);
  folder.write("f/notes.jpg", std::string_view("buy milk\n"));
  folder.write("g/tiny.png", must(encode_png(flat_picture({1, 1}, 3, 200))));
  std::filesystem::create_symlink("nowhere.jpg", folder.path() / "h.jpg");
}

bool same_ranking(const findings& a, const findings& b) {
  return std::equal(a.best.begin(), a.best.end(), b.best.begin(), b.best.end(),
                    [](const ranked& x, const ranked& y) {
                      return x.photo.file == y.photo.file && x.thumbnail == y.thumbnail;
                    });
}

}  // namespace

TEST_CASE("Beamlet finds byte for byte what the plain loop finds, good photos and bad ones") {
  const scratch_folder folder;
  write_good_and_bad_photos(folder);
  const job work = plan_job(folder.path(), "", 20);
  const findings plain = run_plain(work, [](const photo&) {});
  for (const unsigned workers : {0u, 1u, 4u}) {
    CAPTURE(workers);
    auto rt = beamlet::runtime::start({.workers = workers}).value();
    std::vector<std::string> order;
    auto found = run_with_beamlet(rt, work, [&](const photo& one) { order.push_back(one.name); });
    REQUIRE(found.has_value());
    CHECK(to_csv(found->rows) == to_csv(plain.rows));
    CHECK(found->sheet == plain.sheet);
    CHECK(same_ranking(*found, plain));
    REQUIRE(order.size() == work.rows_count());
    CHECK(order.front() == "a/sharp.png");
    CHECK(order.back() == "h.jpg");
  }
}

TEST_CASE("a job without photos finds nothing") {
  auto rt = beamlet::runtime::start({}).value();
  auto found = run_with_beamlet(rt, job(), [](const photo&) {});
  REQUIRE(found.has_value());
  CHECK(found->rows.empty());
  CHECK(found->best.empty());
}

TEST_CASE("a runtime that has stopped is an error, not a report") {
  const scratch_folder folder;
  write_good_and_bad_photos(folder);
  auto rt = beamlet::runtime::start({}).value();
  REQUIRE(rt.stop().has_value());
  auto found = run_with_beamlet(rt, plan_job(folder.path(), "", 1), [](const photo&) {});
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error() == beamlet::errc::stopped);
}

}  // namespace demo
