// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include "test_support.hpp"

namespace demo {
namespace {

const std::string header =
    "file,rank,width,height,megapixels,sharpness,edge_density,mean,entropy,error,message\n";

row row_with(const std::string& file, double sharpness) {
  row one;
  one.file = file;
  one.size = {1000, 500};
  one.sharpness = sharpness;
  return one;
}

}  // namespace

TEST_CASE("a report without photos is its header") { CHECK(to_csv({}) == header); }

TEST_CASE("a row brings the measurements together") {
  const row one = make_row("a.jpg", {1600, 1200}, flat_picture({2, 2}, 1, 255), 12.3456,
                           make_histogram(flat_picture({4, 4}, 1, 9)));
  CHECK(to_csv({one}) == header + "a.jpg,1,1600,1200,1.920,12.346,1.00000,9.000,0.0000,,\n");
}

TEST_CASE("a failed photo keeps its line, with the error in place of numbers") {
  CHECK(to_csv({make_failed_row("a.jpg", "damaged", "cut short")}) ==
        header + "a.jpg,,,,,,,,,damaged,cut short\n");
}

TEST_CASE("rows keep their order and are ranked by sharpness, then by name") {
  const std::string text = to_csv(
      {row_with("c", 1), row_with("b", 7), row_with("a", 1), make_failed_row("d", "damaged", "")});
  CHECK(text == header + "c,3,1000,500,0.500,1.000,0.00000,0.000,0.0000,,\n" +
                    "b,1,1000,500,0.500,7.000,0.00000,0.000,0.0000,,\n" +
                    "a,2,1000,500,0.500,1.000,0.00000,0.000,0.0000,,\n" + "d,,,,,,,,,damaged,\n");
}

TEST_CASE("names with commas, quotes and line ends are quoted") {
  CHECK(to_csv({make_failed_row("a,\"b\"\nc.jpg", "damaged", "x")}) ==
        header + "\"a,\"\"b\"\"\nc.jpg\",,,,,,,,,damaged,x\n");
}

TEST_CASE("the largest number fits its column") {
  CHECK(to_csv({row_with("a", 1e308)}).size() > 308);
}

}  // namespace demo
