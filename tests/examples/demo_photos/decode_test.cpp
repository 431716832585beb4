// SPDX-License-Identifier: Apache-2.0
#include "decode.hpp"

#include "jpeg.hpp"
#include "png.hpp"
#include "test_support.hpp"

namespace demo {

TEST_CASE("a file is decoded by its content, whatever its name says") {
  const scratch_folder folder;
  const picture image = busy_picture({20, 10}, 3);
  const auto path = folder.write("really_a_png.jpg", must(encode_png(image)));
  CHECK(must(decode(path)) == image);
  CHECK(must(measure(path)) == image.size);
}

TEST_CASE("an empty file is not an image") {
  const scratch_folder folder;
  const failure why = must_fail(decode(folder.write("empty.png", file_bytes())));
  CHECK(why.kind == fault::not_an_image);
  CHECK(why.message == "the file is empty");
}

TEST_CASE("a text named like a photo is not an image") {
  const scratch_folder folder;
  const auto path = folder.write("notes.jpg", std::string_view("buy milk\n"));
  CHECK(must_fail(decode(path)).kind == fault::not_an_image);
  CHECK(must_fail(measure(path)).kind == fault::not_an_image);
}

TEST_CASE("a file that is not there is unreadable and the system says why") {
  const scratch_folder folder;
  const failure why = must_fail(decode((folder.path() / "gone.jpg").string()));
  CHECK(why.kind == fault::unreadable);
  CHECK(why.message == "No such file or directory");
}

TEST_CASE("a truncated photo is damaged though its header can be measured") {
  const scratch_folder folder;
  file_bytes file = must(encode_jpeg(busy_picture({64, 48}, 3), 90));
  file.resize(file.size() - 100);
  const auto path = folder.write("cut.jpg", file);
  CHECK(must(measure(path)) == picture_size{64, 48});
  CHECK(must_fail(decode(path)).kind == fault::damaged);
}

}  // namespace demo
