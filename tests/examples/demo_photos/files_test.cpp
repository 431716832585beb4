// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include "test_support.hpp"

namespace demo {
namespace {

std::vector<std::string> names(const scratch_folder& folder, const std::string& except = "") {
  std::vector<std::string> found;
  for (const auto& path : find_photos(folder.path(), folder.path() / except)) {
    found.push_back(path.lexically_relative(folder.path()).generic_string());
  }
  return found;
}

}  // namespace

TEST_CASE("photos are found at any depth, by any case of their endings, in sorted order") {
  const scratch_folder folder;
  for (const char* name : {"b.JPG", "a.jpeg", "deep/er/c.Png", "notes.txt", "jpg", "deep/d.jpg"}) {
    folder.write(name, std::string_view("x"));
  }
  CHECK(names(folder) ==
        std::vector<std::string>{"a.jpeg", "b.JPG", "deep/d.jpg", "deep/er/c.Png"});
}

TEST_CASE("a folder named like a photo is no photo") {
  const scratch_folder folder;
  folder.write("album.jpg/inside.jpg", std::string_view("x"));
  CHECK(names(folder) == std::vector<std::string>{"album.jpg/inside.jpg"});
}

TEST_CASE("a loop of links to folders ends") {
  const scratch_folder folder;
  folder.write("deep/a.jpg", std::string_view("x"));
  std::filesystem::create_directory_symlink(folder.path(), folder.path() / "deep" / "up");
  CHECK(names(folder) == std::vector<std::string>{"deep/a.jpg"});
}

TEST_CASE("the folder of our own output is left out") {
  const scratch_folder folder;
  folder.write("a.jpg", std::string_view("x"));
  folder.write("out/contact_sheet.png", std::string_view("x"));
  CHECK(names(folder, "out") == std::vector<std::string>{"a.jpg"});
}

TEST_CASE("a folder that is not there holds no photos") {
  CHECK(find_photos("/nowhere/at/all", "").empty());
}

TEST_CASE("a file comes back as it was written") {
  const scratch_folder folder;
  const file_bytes content{0, 13, 10, 255};
  const auto path = folder.write("bytes", content);
  CHECK(must(read_file(path)) == content);
}

TEST_CASE("writing below a folder that is not there fails and names the file") {
  const auto failed = write_file("/nowhere/at/all.csv", std::string_view("x"));
  REQUIRE(failed.has_value());
  CHECK(failed->message == "cannot write /nowhere/at/all.csv");
}

}  // namespace demo
