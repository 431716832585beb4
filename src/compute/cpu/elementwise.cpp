// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/elementwise.hpp"

#include <algorithm>
#include <cmath>

#include "compute/cpu/blocks.hpp"
#include "compute/cpu/functions.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

template <int N, class Function>
BEAMLET_IN_LOOPS void map_block(float* out, const float* x, const Function& f) {
  for (std::size_t i = 0; i < block_elements; i += N) f(floats<N>::load(x + i)).store(out + i);
}
template <int N, class Function>
BEAMLET_IN_LOOPS void zip_block(float* out, const float* x, const float* y, const Function& f) {
  for (std::size_t i = 0; i < block_elements; i += N)
    f(floats<N>::load(x + i), floats<N>::load(y + i)).store(out + i);
}

// Functions of turns: elements past vectored::turns_size_max are the C library's. Looked for a few
// vectors at a time, so that what comes from memory is computed with while more of it comes.
template <int N, class Function>
BEAMLET_IN_LOOPS void map_block_of_turns(float* out, const float* x, const Function& f,
                                         float (*far)(float)) {
  constexpr float most = vectored::turns_size_max;
  constexpr std::size_t piece = 8 * N;
  for (std::size_t from = 0; from < block_elements; from += piece) {
    ints<N> past = 0;
    for (std::size_t i = from; i < from + piece; i += N)
      past = past | (vectored::absolute(floats<N>::load(x + i)) > most);
    const bool has_far = is_any(past);
    for (std::size_t i = from; i < from + piece; i += N) {
      const auto v = floats<N>::load(x + i);
      f(v).store(out + i);
      for (int k = 0; has_far && k < N; ++k)
        if (std::abs(v[k]) > most) out[i + static_cast<std::size_t>(k)] = far(v[k]);
    }
  }
}

// Functions that nobody wrote for vectors yet.
template <int N, class Function>
BEAMLET_IN_LOOPS floats<N> one_by_one(const Function& f) {
  float made[N];
  for (int i = 0; i < N; ++i) made[i] = f(i);
  return floats<N>::load(made);
}

#define BEAMLET_OF_X(name, ...)                                              \
  case ops::function::name:                                                  \
    map_block<N>(                                                            \
        out, x, [ a, b ](const vec& v) __attribute__((always_inline))->vec { \
          (void)a, (void)b;                                                  \
          return __VA_ARGS__;                                                \
        });                                                                  \
    break;
#define BEAMLET_OF_TURNS(name)                                                              \
  case ops::function::name:                                                                 \
    map_block_of_turns<N>(                                                                  \
        out, x,                                                                             \
        [](const vec& v) __attribute__((always_inline))->vec { return vectored::name(v); }, \
        +[](float v) { return std::name(v); });                                             \
    break;
#define BEAMLET_OF_XY(name, ...)                                                        \
  case ops::function::name:                                                             \
    zip_block<N>(                                                                       \
        out, x, y, [](const vec& v, const vec& w) __attribute__((always_inline))->vec { \
          return __VA_ARGS__;                                                           \
        });                                                                             \
    break;

template <int N>
BEAMLET_IN_LOOPS void chain_step(const ops::step& step, float* out, const float* x,
                                 const float* y) {
  using vec = floats<N>;
  const vec a = step.a, b = step.b;
  switch (step.what) {
    BEAMLET_OF_X(negate, -v)
    BEAMLET_OF_X(absolute, vectored::absolute(v))
    BEAMLET_OF_X(square, v * v)
    BEAMLET_OF_X(sqrt, vectored::square_root(v))
    BEAMLET_OF_X(rsqrt, 1.0f / vectored::square_root(v))
    BEAMLET_OF_X(reciprocal, 1.0f / v)
    BEAMLET_OF_X(exp, vectored::exp(v))
    BEAMLET_OF_X(log, vectored::log(v))
    BEAMLET_OF_TURNS(sin)
    BEAMLET_OF_TURNS(cos)
    BEAMLET_OF_X(tanh, vectored::tanh(v))
    BEAMLET_OF_X(erf, vectored::erf(v))
    BEAMLET_OF_X(sigmoid, 1.0f / (vectored::exp(-v) + 1.0f))
    BEAMLET_OF_X(relu, vectored::larger<N>(0.0f, v))
    BEAMLET_OF_X(leaky_relu, select<float, N>(v < 0.0f, a * v, v))
    BEAMLET_OF_X(elu, select<float, N>(v < 0.0f, a * (vectored::exp(v) - 1.0f), v))
    BEAMLET_OF_X(gelu, 0.5f * v * (vectored::erf(v * 0.707106781f) + 1.0f))
    BEAMLET_OF_X(silu, v / (vectored::exp(-v) + 1.0f))
    BEAMLET_OF_X(hard_swish, v * (vectored::smaller<N>(6.0f, vectored::larger<N>(0.0f, v + 3.0f)) *
                                  (1.0f / 6.0f)))
    BEAMLET_OF_X(softplus, vectored::larger<N>(0.0f, v) +
                               vectored::log(vectored::exp(-vectored::absolute(v)) + 1.0f))
    BEAMLET_OF_X(floor, vectored::floor(v))
    BEAMLET_OF_X(ceil, vectored::ceil(v))
    BEAMLET_OF_X(round, vectored::round(v))
    BEAMLET_OF_X(affine, a * v + b)
    BEAMLET_OF_X(clamp, vectored::smaller(b, vectored::larger(a, v)))
    BEAMLET_OF_XY(add, v + w)
    BEAMLET_OF_XY(subtract, v - w)
    BEAMLET_OF_XY(multiply, v * w)
    BEAMLET_OF_XY(divide, v / w)
    BEAMLET_OF_XY(minimum, vectored::smaller(w, v))
    BEAMLET_OF_XY(maximum, vectored::larger(w, v))
    BEAMLET_OF_XY(power, one_by_one<N>([&](int i) { return std::pow(v[i], w[i]); }))
    BEAMLET_OF_XY(less, floats_of_bits((v < w) & bits_of(vec(1.0f))))
    BEAMLET_OF_XY(equal, floats_of_bits((v == w) & bits_of(vec(1.0f))))
    BEAMLET_OF_XY(greater, floats_of_bits((v > w) & bits_of(vec(1.0f))))
  }
}
#undef BEAMLET_OF_X
#undef BEAMLET_OF_TURNS
#undef BEAMLET_OF_XY

// A block through the chain. x[i] is input i; all point to block_elements numbers.
struct chain_run {
  const cpu_elementwise* how;
  const float* x[ops::elementwise::inputs_max];
  float_block* between;  // two
  float* out;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const float* value = x[0];
    const std::uint32_t steps = how->steps;
    for (std::uint32_t s = 0; s < steps; ++s) {
      const ops::step& step = how->step[s];
      float* to = s + 1 == steps ? out : between[s % 2].at;
      chain_step<N>(step, to, value, x[takes_two(step.what) ? step.with : 0]);
      value = to;
    }
  }
};

}  // namespace

void elementwise_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_elementwise>();
  const number type = how.is_f16 != 0 ? number::f16 : number::f32;
  float_block in[ops::elementwise::inputs_max], between[2], made;
  std::array<strided, ops::elementwise::inputs_max> where;
  for (std::uint32_t i = 0; i < how.inputs; ++i) where[i] = {how.rank, how.size, how.stride[i]};
  auto* const out = call.buffer<std::byte>(how.inputs);
  const std::uint64_t end = std::min(how.count, last * cpu_elementwise::group_elements);
  for (std::uint64_t at = first * cpu_elementwise::group_elements; at < end; at += block_elements) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(block_elements, end - at));
    chain_run run{&how, {}, between, made.at};
    for (std::uint32_t i = 0; i < how.inputs; ++i)
      run.x[i] =
          load_block(call.set, type, call.buffer<const std::byte>(i), where[i], at, count, in[i]);
    std::byte* to = out + static_cast<std::size_t>(at) * bytes_of(type);
    const bool in_place = type == number::f32 && count == block_elements;
    if (in_place) run.out = reinterpret_cast<float*>(to);
    run_for_widest(call.set, run);
    if (!in_place) store_block(call.set, type, made.at, count, to);
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
