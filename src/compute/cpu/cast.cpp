// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/cast.hpp"

#include <algorithm>

#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

struct scaling {
  const float* from;
  float* to;
  float scale, offset;
  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const floats<N> a = scale, b = offset;
    for (std::size_t i = 0; i < block_elements; i += N)
      (floats<N>::load(from + i) * a + b).store(to + i);
  }
};

}  // namespace

void cast_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_cast>();
  const bool is_scaled = how.scale != 1 || how.offset != 0;
  float_block in, scaled;
  const std::uint64_t end = std::min(how.count, last * cpu_cast::group_elements);
  for (std::uint64_t at = first * cpu_cast::group_elements; at < end; at += block_elements) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(block_elements, end - at));
    const float* x =
        load_block(call.set, how.from, call.buffer<const std::byte>(0), how.where, at, count, in);
    std::byte* to = call.buffer<std::byte>(1) + static_cast<std::size_t>(at) * bytes_of(how.to);
    if (is_scaled) {
      const bool is_in_place = how.to == number::f32 && count == block_elements;
      float* made = is_in_place ? reinterpret_cast<float*>(to) : scaled.at;
      run_for(call.set, scaling{x, made, how.scale, how.offset});
      if (is_in_place) continue;
      x = made;
    }
    store_block(call.set, how.to, x, count, to);
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
