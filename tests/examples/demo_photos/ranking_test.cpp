// SPDX-License-Identifier: Apache-2.0
#include "ranking.hpp"

#include "test_support.hpp"

namespace demo {
namespace {

row row_of(const std::string& file, double sharpness) {
  row one;
  one.file = file;
  one.sharpness = sharpness;
  return one;
}

std::string files_of(const ranking& board) {
  std::string files;
  for (const ranked& place : board.best()) files += place.photo.file;
  return files;
}

}  // namespace

TEST_CASE("the ranking is the same whatever the order of arrival") {
  ranking forwards;
  ranking backwards;
  const std::vector<row> photos{row_of("a", 1), row_of("b", 3), row_of("c", 2), row_of("d", 3)};
  for (auto one = photos.begin(); one != photos.end(); ++one) forwards.add(*one, {});
  for (auto one = photos.rbegin(); one != photos.rend(); ++one) backwards.add(*one, {});
  CHECK(files_of(forwards) == "bdca");
  CHECK(files_of(backwards) == "bdca");
}

TEST_CASE("a photo that comes twice takes one place") {
  ranking board;
  board.add(row_of("a", 1), {});
  board.add(row_of("a", 1), {});
  CHECK(files_of(board) == "a");
}

TEST_CASE("the ranking keeps the sharpest and has an end") {
  ranking board;
  for (int i = 0; i < 1000; ++i) board.add(row_of(std::to_string(i), i), {});
  CHECK(board.best().size() == ranking::places_max);
  CHECK(board.best().front().photo.file == "999");
}

TEST_CASE("a contact sheet shows the thumbnails in ranking order, each in the middle of its cell") {
  ranking board;
  board.add(row_of("dull", 1), flat_picture({160, 80}, 3, 100));
  board.add(row_of("sharp", 2), flat_picture({80, 160}, 3, 200));
  const picture sheet = contact_sheet(board.best());
  CHECK(sheet.size == picture_size{2 * 168 + 8, 168 + 8});
  CHECK(sheet.row(8)[(8 + 40) * 3] == 200);
  CHECK(sheet.row(8)[(8 + 39) * 3] != 200);
  CHECK(sheet.row(8 + 40)[(168 + 8) * 3] == 100);
  CHECK(sheet.row(8 + 39)[(168 + 8) * 3] != 100);
}

TEST_CASE("a contact sheet of nothing has no pixels") {
  CHECK(contact_sheet({}).size.pixels() == 0);
}

TEST_CASE("a full contact sheet has a bounded size") {
  ranking board;
  const picture thumbnail = flat_picture({160, 160}, 3, 1);
  for (int i = 0; i < 100; ++i) board.add(row_of(std::to_string(i), i), thumbnail);
  CHECK(contact_sheet(board.best()).size == picture_size{6 * 168 + 8, 8 * 168 + 8});
}

}  // namespace demo
