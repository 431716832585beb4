// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sums and the like over floats side by side, for the kernels that go along rows.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "compute/cpu/functions.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// What goes with what, and what changes nothing.
struct adding {
  static constexpr float nothing = 0;
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x) {
    return a + x;
  }
};
struct multiplying {
  static constexpr float nothing = 1;
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x) {
    return a * x;
  }
};
/// A NaN is the largest, and the smallest.
struct taking_larger {
  static constexpr float nothing = -std::numeric_limits<float>::infinity();
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x) {
    return select((x > a) | is_nan(x), x, a);
  }
};
struct taking_smaller {
  static constexpr float nothing = std::numeric_limits<float>::infinity();
  template <int N>
  BEAMLET_IN_LOOPS static floats<N> of(const floats<N>& a, const floats<N>& x) {
    return select((x < a) | is_nan(x), x, a);
  }
};

struct as_it_is {
  template <int N>
  BEAMLET_IN_LOOPS floats<N> operator()(const floats<N>& x) const {
    return x;
  }
};

/// All of map(x[0]) ... map(x[count - 1]): four chains, so that one does not wait for the other.
template <int N, class With, class Map = as_it_is>
BEAMLET_IN_LOOPS float fold(const float* x, std::size_t count, With with, const Map& map = {}) {
  floats<N> sum[4];
  for (auto& s : sum) s = With::nothing;
  constexpr std::size_t width = N;
  std::size_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width)
    for (std::size_t k = 0; k < 4; ++k)
      sum[k] = with.of(sum[k], map(floats<N>::load(x + i + k * width)));
  for (; i + width <= count; i += width) sum[0] = with.of(sum[0], map(floats<N>::load(x + i)));
  if (i < count) {
    floats<N> rest = map(floats<N>::load(x + i, count - i, 0));
    float kept[N], all[N];
    rest.store(kept);
    for (int k = 0; k < N; ++k)
      all[k] = static_cast<std::size_t>(k) < count - i ? kept[k] : With::nothing;
    sum[1] = with.of(sum[1], floats<N>::load(all));
  }
  sum[0] = with.of(with.of(sum[0], sum[1]), with.of(sum[2], sum[3]));
  float all[N];
  sum[0].store(all);
  floats<4> made = floats<4>::load(all);
  for (int i = 4; i < N; i += 4) made = with.of(made, floats<4>::load(all + i));
  floats<4> turned = floats<4>::raw{made[2], made[3], made[0], made[1]};
  made = with.of(made, turned);
  turned = floats<4>::raw{made[1], made[0], made[3], made[2]};
  return with.of(made, turned)[0];
}

/// map(x[i]) as out[i], for all of them.
template <int N, class Map>
BEAMLET_IN_LOOPS void map_row(float* out, const float* x, std::size_t count, const Map& map) {
  std::size_t i = 0;
  for (; i + N <= count; i += N) map(floats<N>::load(x + i)).store(out + i);
  if (i < count) map(floats<N>::load(x + i, count - i, 0)).store(out + i, count - i);
}
/// As map_row, and their sum. What is so far from x is fetched, if it is memory, and meanwhile(i)
/// is called before numbers i to i + N, all but the last few.
template <int N, class Map, class Meanwhile>
BEAMLET_IN_LOOPS float map_and_add(float* out, const float* x, std::size_t count, std::size_t ahead,
                                   const Map& map, const Meanwhile& meanwhile) {
  constexpr std::size_t width = N;
  const std::size_t whole = count / width * width;
  floats<N> sum = 0.0f;
  for (std::size_t i = 0; i < whole; i += width) {
    if (i % 16 == 0) __builtin_prefetch(x + i + ahead);
    meanwhile(i);
    const floats<N> made = map(floats<N>::load(x + i));
    made.store(out + i);
    sum = sum + made;
  }
  if (whole < count)
    map(floats<N>::load(x + whole, count - whole, 0)).store(out + whole, count - whole);
  float all[N], rest = 0;
  sum.store(all);
  for (int k = 0; k < N; ++k) rest += all[k];
  for (std::size_t i = whole; i < count; ++i) rest += out[i];
  return rest;
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
