// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include "frames.hpp"
#include "jpeg.hpp"
#include "png.hpp"
#include "test_support.hpp"

namespace demo {

TEST_CASE("a job is repeated until it is large enough to be timed") {
  const scratch_folder folder;
  folder.write("a.png", must(encode_png(flat_picture({1000, 500}, 1, 0))));
  folder.write("broken.jpg", std::string_view("x"));
  const job work = plan_job(folder.path(), "", 0);
  CHECK(work.photos.size() == 2);
  CHECK(work.rounds == 400);
  CHECK(work.pixels() == job_pixels_min);
}

TEST_CASE("a job of tiny photos is not repeated for ever") {
  const scratch_folder folder;
  folder.write("a.png", must(encode_png(flat_picture({1, 1}, 1, 0))));
  CHECK(plan_job(folder.path(), "", 0).rounds == 20'000);
}

TEST_CASE("a number of rounds that is given is kept") {
  const scratch_folder folder;
  folder.write("a.png", must(encode_png(flat_picture({10, 10}, 1, 0))));
  CHECK(plan_job(folder.path(), "", 3).rounds == 3);
}

TEST_CASE("a job without one readable photo has one round") {
  const scratch_folder folder;
  folder.write("broken.jpg", std::string_view("x"));
  CHECK(plan_job(folder.path(), "", 0).rounds == 1);
}

TEST_CASE("the plain loop reports every photo of every round and stops at none") {
  const scratch_folder folder;
  file_bytes cut = must(encode_jpeg(busy_picture({64, 64}, 3), 90));
  cut.resize(cut.size() / 2);
  folder.write("a.png", must(encode_png(busy_picture({60, 40}, 3))));
  folder.write("b.jpg", cut);
  folder.write("c.jpg", must(encode_jpeg(flat_picture({60, 40}, 3, 9), 90)));
  std::size_t calls = 0;
  const findings found = run_plain(plan_job(folder.path(), "", 2), [&](const photo&) { ++calls; });
  CHECK(calls == 6);
  REQUIRE(found.rows.size() == 6);
  CHECK(found.rows[0].file == "a.png");
  CHECK(found.rows[1].error == "damaged");
  CHECK(found.rows[1].message == "Premature end of JPEG file");
  CHECK(found.rows[5].file == "c.jpg");
  REQUIRE(found.best.size() == 2);
  CHECK(found.best[0].photo.file == "a.png");
  CHECK(found.sheet == contact_sheet(found.best));
}

TEST_CASE("invented frames are the same for the same seed, and the first is the sharpest") {
  CHECK(make_frame(1, 0) == make_frame(1, 0));
  CHECK(make_frame(1, 0) != make_frame(2, 0));
  const auto sharpness_of = [](int index) {
    return sharpness(to_grey(shrink(make_frame(1, index), working_side)));
  };
  CHECK(sharpness_of(0) > sharpness_of(frames_count - 1));
}

TEST_CASE("invented frames are written as real JPEG and PNG files") {
  const scratch_folder folder;
  REQUIRE_FALSE(write_frames(folder.path(), 1).has_value());
  const job work = plan_job(folder.path(), "", 1);
  CHECK(work.photos.size() == frames_count);
  CHECK(work.pixels() == frames_count * frame_size.pixels());
}

}  // namespace demo
