// SPDX-License-Identifier: Apache-2.0
#include "steps.hpp"

#include "test_support.hpp"

namespace demo {
namespace {

picture grey_picture(picture_size size, file_bytes bytes) {
  picture image(size, 1);
  REQUIRE(image.bytes.size() == bytes.size());
  image.bytes = std::move(bytes);
  return image;
}

}  // namespace

TEST_CASE("shrinking averages the pixels that become one") {
  const picture image = grey_picture({4, 2}, {0, 10, 100, 200,  //
                                              20, 30, 100, 203});
  CHECK(shrink(image, 2) == grey_picture({2, 1}, {15, 151}));  // 150.75 rounded
}

TEST_CASE("shrinking keeps the channels apart") {
  picture image({2, 2}, 3);
  image.bytes = {0, 100, 8, 2, 100, 8, 0, 100, 8, 2, 100, 8};
  picture expected({1, 1}, 3);
  expected.bytes = {1, 100, 8};
  CHECK(shrink(image, 1) == expected);
}

TEST_CASE("shrinking by a fraction counts every pixel once") {
  const picture image = grey_picture({3, 1}, {30, 60, 90});
  CHECK(shrink(image, 2) == grey_picture({2, 1}, {30, 75}));
}

TEST_CASE("a picture that is small enough is not changed") {
  const picture image = busy_picture({5, 7}, 3);
  CHECK(shrink(image, 7) == image);
}

TEST_CASE("shrinking a line leaves at least one pixel across") {
  CHECK(shrink(flat_picture({1000, 1}, 3, 9), 10) == flat_picture({10, 1}, 3, 9));
}

TEST_CASE("shrinking keeps a flat picture flat at any size") {
  for (int side = 1; side < 50; ++side) {
    const picture small = shrink(flat_picture({50, 31}, 3, 213), side);
    CHECK(small == flat_picture(small.size, 3, 213));
    CHECK(small.size.width == side);
  }
}

TEST_CASE("grey weighs green most and blue least") {
  picture rgb({4, 1}, 3);
  rgb.bytes = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
  CHECK(to_grey(rgb) == grey_picture({4, 1}, {77, 149, 29, 255}));
}

TEST_CASE("an edge map shows the steepness between light and dark") {
  const picture image = grey_picture({4, 3}, {0, 0, 40, 40,  //
                                              0, 0, 40, 40,  //
                                              0, 0, 40, 40});
  CHECK(edge_map(image) == grey_picture({4, 3}, {0, 0, 0, 0,    //
                                                 0, 40, 40, 0,  //
                                                 0, 0, 0, 0}));
}

TEST_CASE("the edge density is the share of steep pixels") {
  CHECK(edge_density(grey_picture({4, 1}, {0, 255, 47, 48})) == 0.5);
  CHECK(edge_density(picture()) == 0);
}

TEST_CASE("the sharpness is the variance of the Laplacian") {
  // Inside are two pixels: 4 neighbours of 0 around 10 give -40, and around 0 one 10 gives +10.
  const picture image = grey_picture({4, 3}, {0, 0, 0, 0,   //
                                              0, 10, 0, 0,  //
                                              0, 0, 0, 0});
  CHECK(sharpness(image) == 625);  // mean -15, both 25 away from it
}

TEST_CASE("a flat picture has no sharpness, and neither has one without an inside") {
  CHECK(sharpness(flat_picture({9, 9}, 1, 128)) == 0);
  CHECK(sharpness(busy_picture({2, 9}, 1)) == 0);
}

TEST_CASE("a histogram counts 64 steps of brightness") {
  const histogram tones = make_histogram(grey_picture({4, 1}, {0, 3, 4, 255}));
  CHECK(tones.counts[0] == 2);
  CHECK(tones.counts[1] == 1);
  CHECK(tones.counts[63] == 1);
  CHECK(tones.mean() == 65.5);
  CHECK(tones.entropy() == 1.5);
}

TEST_CASE("the histogram of one brightness has no entropy") {
  const histogram tones = make_histogram(flat_picture({8, 8}, 1, 100));
  CHECK(tones.mean() == 100);
  CHECK(tones.entropy() == 0);
  CHECK(histogram().mean() == 0);
}

}  // namespace demo
