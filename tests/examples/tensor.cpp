// SPDX-License-Identifier: Apache-2.0
// An image is built in place, sliced into bands without a copy, and every band is a task's.
#include <beamlet/beamlet.hpp>

#include <iostream>
#include <numeric>
#include <vector>

std::uint64_t brightness(const beamlet::tensor& band) {
  auto pixels = band.view<std::uint8_t>().value();
  return std::accumulate(pixels.begin(), pixels.end(), std::uint64_t{0});
}

int main() {
  auto rt = beamlet::runtime::start().value();
  auto builder = beamlet::tensor_builder<std::uint8_t>::make({400, 300}).value();
  std::size_t n = 0;
  for (std::uint8_t& pixel : builder.values()) pixel = static_cast<std::uint8_t>(n++ / 300 / 100);
  beamlet::tensor image = std::move(builder).freeze();

  std::vector<beamlet::ref<std::uint64_t>> sums;
  for (std::int64_t row = 0; row < 400; row += 100)
    sums.push_back(rt.task(brightness).remote(image.slice(0, row, 100).value()));
  for (auto& sum : sums) std::cout << rt.get(sum).value() << '\n';
}
