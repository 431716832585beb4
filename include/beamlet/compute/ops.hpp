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

#include <array>
#include <cstdint>
#include <limits>
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
  std::vector<step> steps = {};
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
  dimensions before = {}, after = {};
  mode how = mode::constant;
  double value = 0;  ///< an integer's has to fit its type
};

/// One number of all along some dimensions. Sums are of f32, in pairs or blocks, so that errors do
/// not grow with their number. Of no element: 0 (sum, mean is NaN), 1 (product), the infinity that
/// every number wins against (maximum, minimum). A NaN among them: NaN.
struct reduce {
  enum class kind : std::uint8_t { sum, mean, product, maximum, minimum, sum_of_squares };
  kind what = kind::sum;
  dimensions over = {};          ///< which; none: all
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

// Images are [..., height, width, channels], as cameras and decoders deliver them: a row's pixels
// side by side, a pixel's channels too. A crop is a slice, so every op on images takes one. Bytes
// that come of bytes are computed with integers: every device gives the same.

/// Images of u8 or f32 in another size. u8 are rounded, halves up.
struct resize {
  enum class method : std::uint8_t {
    /// Pixel floor(x in / out), as OpenCV's INTER_NEAREST.
    nearest,
    /// Between the two by two pixels around (x + 1/2) in / out - 1/2 (half-pixel centres; what lies
    /// outside is the outermost pixel), as OpenCV's INTER_LINEAR. Of u8 within 0.01 of exact
    /// before it is rounded. Shrinking to less than a half leaves pixels out: area does not.
    bilinear,
    /// The mean of all that the pixel covers, from x in / out to (x + 1) in / out, as OpenCV's
    /// INTER_AREA. Of u8 exact before it is rounded, but as f32 where height and width in, each
    /// without the factors it shares with that of the result, multiply to more than 2^24.
    area
  };
  std::int64_t height = 0, width = 0;
  method how = method::bilinear;
};

/// Images of u8 in other colours: nv12, yuyv and gray to rgb or bgr, those to each other and to
/// gray. nv12 is one tensor [..., height * 3 / 2, width]: luma, then a row of u, v, u, v, ... for
/// every two rows; yuyv is [..., height, width, 2]: y, u, y, v, ... Both have even sizes (yuyv: an
/// even width), two (four) pixels share u and v as they are. gray is [..., height, width, 1].
///
/// R = L + 2 (1 - kr) V, B = L + 2 (1 - kb) U, G = (L - kr R - kb B) / (1 - kr - kb), where
/// kr, kb are 0.299, 0.114 (ITU-R BT.601) or 0.2126, 0.0722 (BT.709). `limited`, what cameras give:
/// L = (y - 16) 255 / 219, U = (u - 128) 255 / 224, V as U. `full`, JFIF's: L = y, U = u - 128.
/// gray is kr R + (1 - kr - kb) G + kb B, never limited. Within 0.05 of exact before it is rounded.
struct convert_color {
  enum class format : std::uint8_t { rgb, bgr, gray, nv12, yuyv };
  enum class standard : std::uint8_t { bt601_limited, bt601_full, bt709_limited, bt709_full };
  format from = format::nv12, to = format::rgb;
  standard by = standard::bt601_limited;
};

/// From a camera's image to a network's input: `(x - mean) / deviation` of one image of u8
/// [height, width, channels] (1 to 4), between its pixels as resize's bilinear, as f32 or f16. With
/// a second input, boxes of f32 [n, 4] (left, top, right, bottom in pixels: pixel i is from i to i
/// + 1), the result has n images of parts of it, else one of all, without a dimension for n. Boxes
/// are cut at the image's sides, and a NaN is 0; where right is less than left, or bottom than top,
/// the result is mirrored. Pixels next to a box count at its sides.
struct crop_normalize {
  std::int64_t height = 0, width = 0;  ///< of the result
  std::vector<float> mean = {};        ///< 0 to 255; one, or one per channel; none: 0
  std::vector<float> deviation = {};   ///< so too; none: 1
  dtype to = dtypes::f32;
  bool is_channels_first = true;  ///< [channels, height, width]
};

/// What a picture shows beyond its edges, as OpenCV names it: zeros; the nearest element
/// (aaa|abcd); or those that a mirror at the outermost element shows (dcb|abcd).
enum class border : std::uint8_t { constant, replicate, reflect101 };

/// Each element becomes the sum of those around it times `coefficients`, which are not turned round
/// (a correlation, as OpenCV's filter2D); channels do not meet. u8 or f32; the result has the
/// image's type, or is f32. As u8 it is rounded, halves to the even number, and saturated.
/// What has a coefficient of 0 is not looked at.
struct filter2d {
  static constexpr std::uint32_t size_max = 7;
  std::uint32_t rows = 3, columns = 3;   ///< odd: the element itself is in the middle
  std::vector<float> coefficients = {};  ///< row by row; finite
  border edges = border::reflect101;
  bool to_f32 = false;
};

/// The same where the coefficients are products of one for the row, `vertical`, and one for the
/// column, `horizontal`: work grows with the sum of their numbers only. In between it is f32.
struct separable_filter {
  static constexpr std::size_t size_max = 31;
  std::vector<float> horizontal = {}, vertical = {};  ///< odd numbers of them; finite
  border edges = border::reflect101;
  bool to_f32 = false;
};

/// Sobel's gradients of images of u8 or f32, as f32: along x (to the right), along y (down), from
/// 3 x 3 elements, or the square root of the sum of their squares.
struct sobel {
  enum class kind : std::uint8_t { dx, dy, magnitude };
  kind what = kind::magnitude;
  border edges = border::reflect101;
};

/// How often each value occurs, by channel: of images of u8, [..., channels, bins] of i32. Values
/// are spread over bins evenly: value * bins / 256, rounded down.
struct histogram {
  std::uint32_t bins = 256;  ///< 256 at most
};

/// Non-maximum suppression: chooses boxes by falling score, of equal ones the first, and leaves out
/// those that overlap a chosen one by more than `iou_threshold` (the area in both divided by the
/// area in any). Inputs: boxes f32 [n, 4] (x1, y1, x2, y2), scores f32 [n], and classes i32 [n]
/// where boxes of different classes shall not suppress each other. Outputs: indices
/// i32 [outputs_max], -1 behind the last, and their number i32 [1].
/// A score that is NaN, or a box that is not finite, is never chosen. Areas are of f32; a box
/// turned inside out has none.
struct nms {
  static constexpr std::int64_t boxes_max = 12288;
  float iou_threshold = 0.5f;  ///< 0 to 1
  /// Only boxes above it are chosen.
  float score_threshold = -std::numeric_limits<float>::infinity();
  std::int64_t outputs_max = 100;  ///< boxes_max at most
};

/// Scaled dot-product attention, softmax(scale q k' + mask) v, of q [..., heads, tq, d],
/// k [..., kv_heads, tk, d] and v [..., kv_heads, tk, dv]: all f32 or all f16, and the dimensions
/// before the heads are the same. heads is a multiple of kv_heads: as many heads next to each other
/// have the same keys. A fourth input, f32 and broadcast to [..., heads, tq, tk], is added to the
/// scores; minus infinity hides a key. A query that no key is left for gives 0. Hidden keys weigh
/// 0, which an infinity or a NaN among their values still turns into NaN. Computed as f32, a part
/// of the keys at a time: the matrix of scores is never in memory.
struct attention {
  static constexpr std::int64_t depth_max = 256;  ///< of d and dv; d is at least 1
  bool causal = false;                            ///< query i sees keys up to i + tk - tq
  float scale = 0;                                ///< 0: 1 / sqrt(d)
};

/// Discrete Fourier transforms along one dimension of powers of two. `forward` and `inverse`, which
/// is scaled by 1 / n: of complex f32 [..., n, 2], real and imaginary part, to the same shape.
/// `real_forward`: of [..., n] to [..., n / 2 + 1, 2], the rest being its mirror. `real_inverse`:
/// back, where the imaginary parts of the first and the last number count as 0.
struct fft {
  enum class kind : std::uint8_t { forward, inverse, real_forward, real_inverse };
  static constexpr std::int64_t length_max = 4096;  ///< of n, which is at least 2 of real numbers
  kind what = kind::forward;
};

/// Sums of products over windows of images, as ONNX' Conv: of [n, c, h, w] and weights
/// [m, c / groups, kh, kw], both f32 or both f16, [n, m, oh, ow] is made. Each of the `groups`
/// equal parts of the channels makes as many of the output's. Outside of an image there are zeros.
/// With `bias` one more input of f32 [m] is added to each channel. Sums are of f32. A window that
/// reaches over more than there is with the padding is errc::invalid_argument.
struct conv2d {
  std::array<std::int64_t, 2> stride{1, 1}, dilation{1, 1};  ///< down, across
  std::array<std::int64_t, 4> padding{};                     ///< top, left, bottom, right
  std::int64_t groups = 1;
  bool bias = false;
};

/// One number of each window of each channel of [n, c, h, w], as ONNX' MaxPool and AveragePool: the
/// largest, which a NaN is, or the average. Padding is smaller than every number; an average counts
/// it, as zeros, if it is told to. A window of padding only: minus infinity, or NaN. To round up,
/// as `ceil_mode` does, is to give more padding below and to the right. One number of all of a
/// channel, a global pool, is what `reduce` makes.
struct pool2d {
  enum class kind : std::uint8_t { maximum, average };
  kind what = kind::maximum;
  std::array<std::int64_t, 2> size{1, 1}, stride{1, 1}, dilation{1, 1};  ///< down, across
  std::array<std::int64_t, 4> padding{};  ///< top, left, bottom, right
  bool counts_padding = false;            ///< ONNX' count_include_pad
};

}  // namespace ops

namespace compute {

/// Every op there is; kernels/ops.def says the same with tolerances and kernels.
using op = std::variant<ops::elementwise, ops::cast, ops::copy, ops::concat, ops::pad, ops::reduce,
                        ops::argmax, ops::softmax, ops::layer_norm, ops::rms_norm, ops::matmul,
                        ops::resize, ops::convert_color, ops::crop_normalize, ops::filter2d,
                        ops::separable_filter, ops::sobel, ops::histogram, ops::nms, ops::attention,
                        ops::fft, ops::conv2d, ops::pool2d>;

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
