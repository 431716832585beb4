// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a device can be asked to compute: each op is a value that says how. Its inputs and outputs
// are tensors, which say on what.
//
// Numbers are f32, or f16 in memory that is computed with as f32. Inputs may be strided in any way
// (a transposed or sliced tensor is one), outputs are written side by side. A wrong combination of
// types or shapes is errc::invalid_argument with a sentence, one that no kernel was written for
// errc::unsupported. Infinities and NaN go the way that IEEE 754 gives them where an op does not
// say otherwise; results of two devices differ by the rounding of their functions and the order of
// their sums.

#include <beamlet/base/dtype.hpp>
#include <beamlet/base/result.hpp>

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace ops {

/// Functions of one element x, of x and another tensor's element y; a and b are the step's own.
enum class function : std::uint8_t {
  // of x
  negate,
  absolute,
  square,
  sqrt,
  rsqrt,       ///< 1 / sqrt(x)
  reciprocal,  ///< 1 / x
  exp,
  log,
  sin,
  cos,
  tanh,
  erf,
  sigmoid,     ///< 1 / (1 + exp(-x))
  relu,        ///< max(x, 0)
  leaky_relu,  ///< x < 0 ? a x : x
  elu,         ///< x < 0 ? a (exp(x) - 1) : x
  gelu,        ///< x (1 + erf(x / sqrt 2)) / 2
  silu,        ///< x sigmoid(x)
  hard_swish,  ///< x min(max(x + 3, 0), 6) / 6
  softplus,    ///< log(1 + exp(x))
  floor,
  ceil,
  round,   ///< halves to the even number
  affine,  ///< a x + b
  clamp,   ///< min(max(x, a), b)
  // of x and y
  add,
  subtract,
  multiply,
  divide,
  minimum,
  maximum,
  power,  ///< x >= 0, or an integral y
  less,   ///< x < y ? 1 : 0, as the two below
  equal,
  greater,
};
inline constexpr std::size_t function_count = static_cast<std::size_t>(function::greater) + 1;

constexpr bool takes_two(function f) noexcept { return f >= function::add; }

/// One function of a chain: x is what came before it.
struct step {
  function what = function::negate;
  std::uint8_t with = 1;  ///< which input is y
  float a = 0, b = 0;
  friend bool operator==(const step&, const step&) = default;
};

/// Functions of elements, one behind the other, in one pass over memory. x begins as the first
/// input. Shapes broadcast as in NumPy; the result has the first input's type (f32, f16).
/// Limits: 3 inputs, `steps_max` steps.
struct elementwise {
  static constexpr std::size_t inputs_max = 3, steps_max = 16;
  std::vector<step> steps;
};

/// Each number as another type, `scale x + offset`. To integers: rounded, halves to the even
/// number, and what does not fit becomes the nearest that does; NaN becomes 0. From and to f32,
/// f16, u8, i8, i32. Computed as f32, which has not all digits of a large i32; without a scale and
/// an offset, i32 to i32 is a copy.
struct cast {
  dtype to = dtypes::f32;
  float scale = 1, offset = 0;
};

/// The elements side by side: of a transposed, sliced or broadcast tensor. Any type.
struct copy {};

/// Tensors behind one another along a dimension; negative ones count from the last. Any type.
struct concat {
  std::int64_t dimension = 0;
};

/// More elements before and after, in each dimension: the same number everywhere, or the nearest
/// element, or those that a mirror at the outermost element shows (fewer than there are). Any type.
struct pad {
  enum class mode : std::uint8_t { constant, edge, reflect };
  dimensions before, after;
  mode how = mode::constant;
  double value = 0;  ///< an integer's has to fit its type
};

/// One number of all along some dimensions. Sums are of f32, in pairs or blocks, so that errors do
/// not grow with their number. Of no element: 0 (sum, mean is NaN), 1 (product), the infinity that
/// every number wins against (maximum, minimum). A NaN among them: NaN.
struct reduce {
  enum class kind : std::uint8_t { sum, mean, product, maximum, minimum, sum_of_squares };
  kind what = kind::sum;
  dimensions over;               ///< which; none: all
  bool keep_dimensions = false;  ///< as 1
};

/// Where the largest (or smallest) is along one dimension, which has an element: the first of
/// equals, as i32. A NaN counts as the largest, and as the smallest.
struct argmax {
  std::int64_t dimension = -1;
  bool keep_dimension = false;
  bool smallest = false;
};

/// exp(x - max) / sum of those, or its logarithm, along one dimension. All of it is NaN where one
/// is, or where the largest is an infinity.
struct softmax {
  std::int64_t dimension = -1;
  bool logarithm = false;
};

/// (x - mean) / sqrt(variance + epsilon) along the last dimension, times the second input, plus the
/// third: both of that dimension's length, and may be left out.
struct layer_norm {
  float epsilon = 1e-5f;
};

/// x / sqrt(mean of squares + epsilon) along the last dimension, times the second input, which may
/// be left out.
struct rms_norm {
  float epsilon = 1e-5f;
};

/// Matrix products A B: [..., m, k] times [..., k, n], where dimensions before the last two
/// broadcast; a vector is given as [1, k] or [k, 1]. Types of A and B: f32 both; f16 both; or B of
/// i8 beside an A of f32, with a scale for each of its n columns (an input of f32 [n] after B).
/// With `bias` one more input of f32 [n] is added to each row. Sums are of f32, and 0 where k is.
/// The result has A's type.
struct matmul {
  bool bias = false;
};

}  // namespace ops

namespace compute {

/// Every op there is; kernels/ops.def says the same with tolerances and kernels.
using op = std::variant<ops::elementwise, ops::cast, ops::copy, ops::concat, ops::pad, ops::reduce,
                        ops::argmax, ops::softmax, ops::layer_norm, ops::rms_norm, ops::matmul>;

/// "matmul"; never null.
const char* name_of(const op& what) noexcept;

/// A tensor without its elements.
struct tensor_type {
  dtype type = dtypes::f32;
  dimensions shape;
  friend bool operator==(const tensor_type&, const tensor_type&) = default;
};

/// What an op makes of inputs, one entry per output.
///
/// Thread: any.   Blocks: no.
/// Errors: invalid_argument, unsupported (a type), too_large.
result<std::vector<tensor_type>> outputs_of(const op& what, std::span<const tensor_type> inputs);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
