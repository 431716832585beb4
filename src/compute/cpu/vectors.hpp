// SPDX-License-Identifier: Apache-2.0
#pragma once

// N floats or integers side by side, on the vectors that g++ and clang have for every instruction
// set. g++ -O2 makes vectors of simple loops by itself, but not of those that choose: it keeps
// comparisons of floats (which may trap) as branches.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "beamlet/config.hpp"
#include "compute/cpu/isa.hpp"

#define BEAMLET_IN_LOOPS [[gnu::always_inline]] inline

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

template <class T, int N>
struct raw_vector_of {
  typedef T type __attribute__((vector_size(4 * N)));
  typedef T in_memory __attribute__((vector_size(4 * N), aligned(4), may_alias));
  typedef T wrapping __attribute__((vector_size(4 * N)));
};
/// Integers wrap: they are bits of floats as well.
template <int N>
struct raw_vector_of<std::int32_t, N> {
  typedef std::int32_t type __attribute__((vector_size(4 * N)));
  typedef std::int32_t in_memory __attribute__((vector_size(4 * N), aligned(4), may_alias));
  typedef std::uint32_t wrapping __attribute__((vector_size(4 * N)));
};

/// A struct, and always passed by reference: functions that pass vectors have another ABI with
/// every instruction set, and the compilers say so even of those that are always inlined.
template <class T, int N>
struct vector_of {
  using raw = typename raw_vector_of<T, N>::type;
  using in_memory = typename raw_vector_of<T, N>::in_memory;
  using wrapping = typename raw_vector_of<T, N>::wrapping;
  raw v;

  vector_of() = default;
  BEAMLET_IN_LOOPS vector_of(const raw& value) : v(value) {}  // NOLINT: converts
  BEAMLET_IN_LOOPS vector_of(T value) : v(value - raw{}) {}   // NOLINT: one for all; -0 stays

  BEAMLET_IN_LOOPS static vector_of load(const T* from) {
    const raw value = *reinterpret_cast<const in_memory*>(from);  // a raw there need not be aligned
    return value;
  }
  /// The first `count` < N, and `rest` in the others.
  BEAMLET_IN_LOOPS static vector_of load(const T* from, std::size_t count, T rest) {
    vector_of made = rest;
    std::memcpy(&made, from, count * sizeof(T));
    return made;
  }
  BEAMLET_IN_LOOPS void store(T* to) const { *reinterpret_cast<in_memory*>(to) = v; }
  BEAMLET_IN_LOOPS void store(T* to, std::size_t count) const {
    std::memcpy(to, this, count * sizeof(T));
  }
  BEAMLET_IN_LOOPS T operator[](int i) const { return v[i]; }

#define BEAMLET_VECTOR_OPERATOR(op)                                                       \
  BEAMLET_IN_LOOPS friend vector_of operator op(const vector_of& a, const vector_of& b) { \
    return raw(wrapping(a.v) op wrapping(b.v));                                           \
  }
  BEAMLET_VECTOR_OPERATOR(+)
  BEAMLET_VECTOR_OPERATOR(-)
  BEAMLET_VECTOR_OPERATOR(*)
  BEAMLET_VECTOR_OPERATOR(&)
  BEAMLET_VECTOR_OPERATOR(|)
  BEAMLET_VECTOR_OPERATOR(^)
#undef BEAMLET_VECTOR_OPERATOR
  BEAMLET_IN_LOOPS friend vector_of operator/(const vector_of& a, const vector_of& b) {
    return a.v / b.v;
  }
  BEAMLET_IN_LOOPS vector_of operator-() const { return -v; }
  BEAMLET_IN_LOOPS friend vector_of operator<<(const vector_of& a, int bits) { return a.v << bits; }
  BEAMLET_IN_LOOPS friend vector_of operator>>(const vector_of& a, int bits) { return a.v >> bits; }

  /// All bits of an element set: yes.
  using mask = vector_of<std::int32_t, N>;
  BEAMLET_IN_LOOPS friend mask operator<(const vector_of& a, const vector_of& b) {
    return mask(a.v < b.v);
  }
  BEAMLET_IN_LOOPS friend mask operator>(const vector_of& a, const vector_of& b) {
    return mask(a.v > b.v);
  }
  BEAMLET_IN_LOOPS friend mask operator==(const vector_of& a, const vector_of& b) {
    return mask(a.v == b.v);
  }
  BEAMLET_IN_LOOPS friend mask operator!=(const vector_of& a, const vector_of& b) {
    return mask(a.v != b.v);
  }
};

template <int N>
using floats = vector_of<float, N>;
template <int N>
using ints = vector_of<std::int32_t, N>;

template <class T, int N>
BEAMLET_IN_LOOPS vector_of<T, N> select(const ints<N>& mask, const vector_of<T, N>& yes,
                                        const vector_of<T, N>& no) {
  return mask.v ? yes.v : no.v;
}
template <int N>
BEAMLET_IN_LOOPS ints<N> bits_of(const floats<N>& x) {
  return (typename ints<N>::raw)x.v;
}
template <int N>
BEAMLET_IN_LOOPS floats<N> floats_of_bits(const ints<N>& x) {
  return (typename floats<N>::raw)x.v;
}
template <int N>
BEAMLET_IN_LOOPS floats<N> as_floats(const ints<N>& x) {
  return __builtin_convertvector(x.v, typename floats<N>::raw);
}
/// REQUIRES: whole numbers that fit.
template <int N>
BEAMLET_IN_LOOPS ints<N> as_ints(const floats<N>& x) {
  return __builtin_convertvector(x.v, typename ints<N>::raw);
}

template <int N>
BEAMLET_IN_LOOPS ints<N> is_nan(const floats<N>& x) {
  return x != x;  // NOLINT: as nothing else
}
template <int N>
BEAMLET_IN_LOOPS ints<N> is_number(const floats<N>& x) {
  return x == x;  // NOLINT: as all but NaN
}

/// Is any element of a mask set?
template <int N>
BEAMLET_IN_LOOPS bool is_any(const ints<N>& mask) {
  std::int32_t all = 0;
  for (int i = 0; i < N; ++i) all |= mask[i];
  return all != 0;
}

/// Outputs from this size on are not read again before the caches have forgotten them.
inline constexpr std::uint64_t past_caches_bytes = std::uint64_t{16} << 20;
/// Writes a whole line that is not read into the caches before; finish_past_caches() comes last.
/// REQUIRES: `to` is aligned to 64.
BEAMLET_IN_LOOPS void store_past_caches(const ints<16>& x, void* to) {
#if defined(__clang__)
  __builtin_nontemporal_store(x.v, static_cast<ints<16>::raw*>(to));
#elif BEAMLET_X86_64
  asm volatile("vmovntdq %1, %0" : "=m"(*static_cast<ints<16>::raw*>(to)) : "v"(x.v));
#else
  std::memcpy(to, &x, sizeof x);
#endif
}
inline void finish_past_caches() {
#if BEAMLET_X86_64
  __builtin_ia32_sfence();
#endif
}

/// Runs `body.template run<N>()` with the vectors of an instruction set. What it calls has to be
/// BEAMLET_IN_LOOPS all the way down: only that is compiled once more for the set.
template <class Body>
void run_for_any(const Body& body) {
  body.template run<4>();
}
#if BEAMLET_X86_64
template <class Body>
[[gnu::target("avx2,fma")]] void run_for_avx2(const Body& body) {
  body.template run<8>();
}
template <class Body>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]] void run_for_avx512(
    const Body& body) {
  body.template run<16>();
}
#endif
template <class Body>
void run_for(isa set, const Body& body) {
#if BEAMLET_X86_64
  if (set >= isa::avx2) return run_for_avx2(body);
#endif
  (void)set;
  run_for_any(body);
}
/// The same with the widest vectors there are: where more is computed than moved.
template <class Body>
void run_for_widest(isa set, const Body& body) {
#if BEAMLET_X86_64
  if (set >= isa::avx512) return run_for_avx512(body);
#endif
  run_for(set, body);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
