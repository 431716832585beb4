// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/fft.hpp"

#include <cmath>
#include <cstring>
#include <utility>

#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// exp(-2 pi i r q / (4 s)) for r = 1, 2, 3 and q < s: the factors of the pass that follows s
// numbers in order, the same for every length. Those of s = 4 are there twice, for vectors of 8.
struct fft_factors {
  static constexpr std::size_t steps_max = 1024;
  static constexpr std::size_t count = 8 + (16 + 64 + 256 + 1024);
  alignas(64) float re[3][count];
  alignas(64) float im[3][count];

  fft_factors() noexcept {
    for (std::size_t s = 4; s <= steps_max; s *= 4)
      for (std::size_t q = 0; q < (s == 4 ? 8 : s); ++q)
        for (std::size_t r = 1; r <= 3; ++r) {
          const double turn = static_cast<double>(r * (q % s)) / static_cast<double>(4 * s);
          const double angle = -6.283185307179586 * turn;
          re[r - 1][at(s) + q] = static_cast<float>(std::cos(angle));
          im[r - 1][at(s) + q] = static_cast<float>(std::sin(angle));
        }
  }
  static std::size_t at(std::size_t s) noexcept { return s == 4 ? 0 : (s - 16) / 3 + 8; }
};

const fft_factors& factors_of_fft() {
  static const fft_factors made;
  return made;
}

bool is_power_of_four(std::size_t n) noexcept { return (n & 0x5555555555555555ull) != 0; }

// Real and imaginary parts of n numbers.
struct fft_numbers {
  float *re, *im;
};

template <int N>
BEAMLET_IN_LOOPS floats<N> reversed(const floats<N>& x) {
  if constexpr (N == 8) return __builtin_shufflevector(x.v, x.v, 7, 6, 5, 4, 3, 2, 1, 0);
  else if constexpr (N == 4) return __builtin_shufflevector(x.v, x.v, 3, 2, 1, 0);
  else return x;
}

template <int N>
struct complexes {
  floats<N> re, im;

  BEAMLET_IN_LOOPS static complexes load(const fft_numbers& from, std::size_t at) {
    return {floats<N>::load(from.re + at), floats<N>::load(from.im + at)};
  }
  BEAMLET_IN_LOOPS void store(const fft_numbers& to, std::size_t at) const {
    re.store(to.re + at);
    im.store(to.im + at);
  }
  /// The conjugates, the last first.
  BEAMLET_IN_LOOPS complexes mirrored() const { return {reversed<N>(re), -reversed<N>(im)}; }
  BEAMLET_IN_LOOPS friend complexes operator+(const complexes& a, const complexes& b) {
    return {a.re + b.re, a.im + b.im};
  }
  BEAMLET_IN_LOOPS friend complexes operator-(const complexes& a, const complexes& b) {
    return {a.re - b.re, a.im - b.im};
  }
  BEAMLET_IN_LOOPS friend complexes operator*(const complexes& a, const complexes& b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
};

// a0 b0 a1 b1 ..., the first half and the second.
template <int N>
BEAMLET_IN_LOOPS void zip(const floats<N>& a, const floats<N>& b, floats<N>& low, floats<N>& high) {
  if constexpr (N == 8) {
    low = __builtin_shufflevector(a.v, b.v, 0, 8, 1, 9, 2, 10, 3, 11);
    high = __builtin_shufflevector(a.v, b.v, 4, 12, 5, 13, 6, 14, 7, 15);
  } else if constexpr (N == 4) {
    low = __builtin_shufflevector(a.v, b.v, 0, 4, 1, 5);
    high = __builtin_shufflevector(a.v, b.v, 2, 6, 3, 7);
  } else {
    low = a, high = b;
  }
}
template <int N>
BEAMLET_IN_LOOPS void store_pairs(const complexes<N>& x, float* to) {
  floats<N> low, high;
  zip<N>(x.re, x.im, low, high);
  low.store(to);
  high.store(to + N);
}
template <int N>
BEAMLET_IN_LOOPS void unzip(const floats<N>& low, const floats<N>& high, floats<N>& a,
                            floats<N>& b) {
  if constexpr (N == 8) {
    a = __builtin_shufflevector(low.v, high.v, 0, 2, 4, 6, 8, 10, 12, 14);
    b = __builtin_shufflevector(low.v, high.v, 1, 3, 5, 7, 9, 11, 13, 15);
  } else if constexpr (N == 4) {
    a = __builtin_shufflevector(low.v, high.v, 0, 2, 4, 6);
    b = __builtin_shufflevector(low.v, high.v, 1, 3, 5, 7);
  } else {
    a = low, b = high;
  }
}

template <int N>
struct four_complexes {
  complexes<N> at[4];

  BEAMLET_IN_LOOPS void transform() {
    const complexes<N> s02 = at[0] + at[2], d02 = at[0] - at[2];
    const complexes<N> s13 = at[1] + at[3], d13 = at[1] - at[3];
    at[0] = s02 + s13;
    at[1] = {d02.re + d13.im, d02.im - d13.re};
    at[2] = s02 - s13;
    at[3] = {d02.re - d13.im, d02.im + d13.re};
  }
};

// The numbers of four vectors in turn.
template <int N>
BEAMLET_IN_LOOPS void store_in_turn(const floats<N>& a, const floats<N>& b, const floats<N>& c,
                                    const floats<N>& d, float* to) {
  if constexpr (N == 1) {
    a.store(to), b.store(to + 1), c.store(to + 2), d.store(to + 3);
  } else {
    floats<N> ac[2], bd[2], made[4];
    zip<N>(a, c, ac[0], ac[1]);
    zip<N>(b, d, bd[0], bd[1]);
    zip<N>(ac[0], bd[0], made[0], made[1]);
    zip<N>(ac[1], bd[1], made[2], made[3]);
    for (int i = 0; i < 4; ++i) made[i].store(to + std::ptrdiff_t{i} * N);
  }
}

template <int N>
BEAMLET_IN_LOOPS void first_fft_pass(std::size_t n, const fft_numbers& x, const fft_numbers& y) {
  const std::size_t quarter = n / 4;
  for (std::size_t j = 0; j < quarter; j += N) {
    four_complexes<N> v;
    for (std::size_t r = 0; r < 4; ++r) v.at[r] = complexes<N>::load(x, j + r * quarter);
    v.transform();
    store_in_turn<N>(v.at[0].re, v.at[1].re, v.at[2].re, v.at[3].re, y.re + 4 * j);
    store_in_turn<N>(v.at[0].im, v.at[1].im, v.at[2].im, v.at[3].im, y.im + 4 * j);
  }
}

// The pass after which 4 s numbers are in order.
template <int N>
BEAMLET_IN_LOOPS void fft_pass(std::size_t n, std::size_t s, const fft_factors& table,
                               const fft_numbers& x, const fft_numbers& y) {
  const std::size_t quarter = n / 4, factors = fft_factors::at(s);
  // Vectors of 8 take two times 4 neighbours.
  const bool are_halves = N == 8 && s == 4;
  const std::size_t wide = are_halves ? 8 : s;
  for (std::size_t q = 0; q < wide; q += N) {
    complexes<N> w[3];
    for (std::size_t r = 0; r < 3; ++r)
      w[r] = {floats<N>::load(table.re[r] + factors + q),
              floats<N>::load(table.im[r] + factors + q)};
    for (std::size_t j = q; j < quarter; j += wide) {
      four_complexes<N> v;
      v.at[0] = complexes<N>::load(x, j);
      for (std::size_t r = 1; r < 4; ++r)
        v.at[r] = complexes<N>::load(x, j + r * quarter) * w[r - 1];
      v.transform();
      const std::size_t to = 4 * (j - q) + q;
      if constexpr (N == 8) {
        if (are_halves) {
          for (std::size_t r = 0; r < 4; ++r)
            for (std::size_t half = 0; half < 2; ++half) {
              std::memcpy(y.re + to + 16 * half + 4 * r,
                          reinterpret_cast<const char*>(&v.at[r].re) + 16 * half, 16);
              std::memcpy(y.im + to + 16 * half + 4 * r,
                          reinterpret_cast<const char*>(&v.at[r].im) + 16 * half, 16);
            }
          continue;
        }
      }
      for (std::size_t r = 0; r < 4; ++r) v.at[r].store(y, to + r * s);
    }
  }
}

template <int N>
BEAMLET_IN_LOOPS void last_fft_pass(std::size_t n, const fft_factors& table, const fft_numbers& x,
                                    const fft_numbers& y) {
  const std::size_t half = n / 2, factors = fft_factors::at(half);
  for (std::size_t j = 0; j < half; j += N) {
    const complexes<N> w{floats<N>::load(table.re[1] + factors + j),
                         floats<N>::load(table.im[1] + factors + j)};
    const complexes<N> a = complexes<N>::load(x, j), b = complexes<N>::load(x, j + half) * w;
    (a + b).store(y, j);
    (a - b).store(y, j + half);
  }
}

// Of x, with y as room; returns which of them has the result.
template <int N>
BEAMLET_IN_LOOPS fft_numbers transformed(std::size_t n, const fft_factors& table, fft_numbers x,
                                         fft_numbers y) {
  if (n == 1) return x;
  if (n == 2) {
    y.re[0] = x.re[0] + x.re[1], y.re[1] = x.re[0] - x.re[1];
    y.im[0] = x.im[0] + x.im[1], y.im[1] = x.im[0] - x.im[1];
    return y;
  }
  first_fft_pass<N>(n, x, y);
  std::size_t s = 4;
  for (std::swap(x, y); 4 * s <= n; s *= 4, std::swap(x, y)) fft_pass<N>(n, s, table, x, y);
  if (s == n) return x;
  last_fft_pass<N>(n, table, x, y);
  return y;
}

struct fft_rows {
  const cpu_call& call;
  std::uint64_t first, last;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const auto& how = call.parameters_as<cpu_fft>();
    const auto n = static_cast<std::size_t>(how.n);
    const fft_factors& table = factors_of_fft();
    const std::size_t row_floats = 2 * n + (how.from_real != 0 ? 2 : 0);
    for (std::uint64_t g = first; g < last; ++g) {
      auto* memory = reinterpret_cast<float*>(call.buffer<std::byte>(2) +
                                              static_cast<std::size_t>(g * how.scratch_bytes()));
      const std::size_t apart = how.array_floats();
      fft_numbers x{memory, memory + apart}, y{memory + 2 * apart, memory + 3 * apart};
      // Parts exchanged before and after: the other direction.
      if (how.is_inverse != 0) std::swap(x.re, x.im);
      for (std::uint64_t row = how.rows * g / how.groups; row < how.rows * (g + 1) / how.groups;
           ++row) {
        const float* from =
            call.buffer<const float>(0) + static_cast<std::ptrdiff_t>(cursor(how.kept, row).at());
        float* to = call.buffer<float>(1) + static_cast<std::size_t>(row) * row_floats;
        if (how.to_real != 0) {
          load<N>(how, from, y);
          const float* end =
              from + static_cast<std::ptrdiff_t>(n) * static_cast<std::ptrdiff_t>(how.stride);
          y.re[n] = *end;
          put_together<N>(n, table, y, x);
        } else {
          load<N>(how, from, x);
        }
        fft_numbers in = x;
        if (how.is_inverse != 0) std::swap(in.re, in.im);
        fft_numbers made = transformed<N>(n, table, in, y);
        if (how.is_inverse != 0) std::swap(made.re, made.im);
        if (how.from_real != 0) take_apart<N>(n, table, made, to);
        else store<N>(n, made, how.scale, to);
      }
    }
  }

  template <int N>
  BEAMLET_IN_LOOPS static void load(const cpu_fft& how, const float* from, const fft_numbers& to) {
    const auto n = static_cast<std::size_t>(how.n);
    if (how.stride == 2 && how.part == 1) {
      for (std::size_t i = 0; i < n; i += N) {
        floats<N> re, im;
        unzip<N>(floats<N>::load(from + 2 * i), floats<N>::load(from + 2 * i + N), re, im);
        re.store(to.re + i);
        im.store(to.im + i);
      }
      return;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const float* at =
          from + static_cast<std::ptrdiff_t>(i) * static_cast<std::ptrdiff_t>(how.stride);
      to.re[i] = at[0];
      to.im[i] = at[static_cast<std::ptrdiff_t>(how.part)];
    }
  }

  template <int N>
  BEAMLET_IN_LOOPS static void store(std::size_t n, const fft_numbers& from, float scale,
                                     float* to) {
    const floats<N> times = scale;
    for (std::size_t i = 0; i < n; i += N)
      store_pairs<N>({floats<N>::load(from.re + i) * times, floats<N>::load(from.im + i) * times},
                     to + 2 * i);
  }

  // exp(-2 pi i k / 2n), for 0 < k < n / 2.
  struct half_turn {
    const float *re, *im;
    half_turn(std::size_t n, const fft_factors& table) {
      // Of n >= 4: the factors that a pass has for n / 2 or n numbers in order.
      const bool is_four = is_power_of_four(n);
      const std::size_t at = n < 4 ? 0 : fft_factors::at(is_four ? n : n / 2);
      re = table.re[is_four ? 1 : 0] + at;
      im = table.im[is_four ? 1 : 0] + at;
    }
  };

  // k counts up from 1 and n - k down, to where they meet.
  template <int N, class Step>
  BEAMLET_IN_LOOPS static void for_mirrored(std::size_t n, const Step& step) {
    std::size_t k = 1;
    for (; k + N <= n / 2; k += N) step.template at<N>(k, n - k - N + 1);
    for (; k < n / 2; ++k) step.template at<1>(k, n - k);
  }

  // Of n complex numbers that are 2 n real ones, the transform of these: n + 1 numbers.
  struct taking_apart {
    half_turn w;
    fft_numbers z;
    float* to;

    template <int N>
    BEAMLET_IN_LOOPS void at(std::size_t k, std::size_t m) const {
      const complexes<N> a = complexes<N>::load(z, k), b = complexes<N>::load(z, m).mirrored();
      const complexes<N> even = a + b;
      const complexes<N> t =
          (a - b) * complexes<N>{floats<N>::load(w.re + k), floats<N>::load(w.im + k)};
      const floats<N> half = 0.5f;
      store_pairs<N>({half * (even.re + t.im), half * (even.im - t.re)}, to + 2 * k);
      const complexes<N> rest{half * (even.re - t.im), half * (even.im + t.re)};
      store_pairs<N>(rest.mirrored(), to + 2 * m);
    }
  };
  template <int N>
  BEAMLET_IN_LOOPS static void take_apart(std::size_t n, const fft_factors& table,
                                          const fft_numbers& z, float* to) {
    to[0] = z.re[0] + z.im[0];
    to[1] = 0;
    to[2 * n] = z.re[0] - z.im[0];
    to[2 * n + 1] = 0;
    if (n > 1) {
      to[n] = z.re[n / 2];
      to[n + 1] = -z.im[n / 2];
    }
    for_mirrored<N>(n, taking_apart{half_turn(n, table), z, to});
  }

  // Its reverse, twice as large.
  struct putting_together {
    half_turn w;
    fft_numbers x, z;

    template <int N>
    BEAMLET_IN_LOOPS void at(std::size_t k, std::size_t m) const {
      const complexes<N> a = complexes<N>::load(x, k), b = complexes<N>::load(x, m).mirrored();
      // i times the reciprocal factor
      const complexes<N> turn{floats<N>::load(w.im + k), floats<N>::load(w.re + k)};
      const complexes<N> even = a + b, t = (a - b) * turn;
      (even + t).store(z, k);
      (even - t).mirrored().store(z, m);
    }
  };
  template <int N>
  BEAMLET_IN_LOOPS static void put_together(std::size_t n, const fft_factors& table,
                                            const fft_numbers& x, const fft_numbers& z) {
    z.re[0] = x.re[0] + x.re[n];
    z.im[0] = x.re[0] - x.re[n];
    if (n > 1) {
      z.re[n / 2] = 2 * x.re[n / 2];
      z.im[n / 2] = -2 * x.im[n / 2];
    }
    for_mirrored<N>(n, putting_together{half_turn(n, table), x, z});
  }
};

}  // namespace

void fft_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const fft_rows rows{call, first, last};
  // Of fewer numbers than a butterfly of whole vectors has: one by one.
  const std::uint64_t width = call.set >= isa::avx2 ? 8 : 4;
  if (call.parameters_as<cpu_fft>().n < 4 * width) return rows.run<1>();
  run_for(call.set, rows);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
