// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/crop_normalize.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// One dimension of a box: where target pixels lie among source pixels.
struct crop_line {
  float begin, step, last;

  // From outside: anything, NaN too, becomes a place in the image.
  static float bounded(float x, float size) { return x > 0 ? std::min(x, size) : 0; }
  crop_line(float from, float to, std::int64_t in, std::int64_t out)
      : begin(bounded(from, static_cast<float>(in))),
        step((bounded(to, static_cast<float>(in)) - begin) / static_cast<float>(out)),
        last(static_cast<float>(in - 1)) {}

  struct place {
    std::int64_t first, second;
    float weight;  // of the second
  };
  place at(std::int64_t target) const {
    const float where = begin + (static_cast<float>(target) + 0.5f) * step - 0.5f;
    const float inside = std::min(std::max(where, 0.0f), last);
    const auto first = static_cast<std::int64_t>(inside);
    const std::int64_t second = std::min(first + 1, static_cast<std::int64_t>(last));
    return {first, second, inside - static_cast<float>(first)};
  }
};

constexpr std::int64_t crop_block = 256;  // pixels; block_elements hold all their channels
static_assert(crop_block * cpu_crop_normalize::channels_max <= std::int64_t{block_elements});

struct crop_columns {
  std::int64_t first[crop_block], second[crop_block];  // elements from the row's beginning
  float weight[crop_block];
  std::int64_t begin = -1, count = 0;

  void set(const crop_line& across, std::int64_t channels, std::int64_t from, std::int64_t pixels) {
    begin = from;
    count = pixels;
    for (std::int64_t i = 0; i < pixels; ++i) {
      const crop_line::place p = across.at(from + i);
      first[i] = p.first * channels;
      second[i] = p.second * channels;
      weight[i] = p.weight;
    }
  }
};

// Four bytes of a pixel's place, of which some may be the next one's. Shifted apart: g++ takes a
// vector of bytes apart one by one.
BEAMLET_IN_LOOPS floats<4> crop_load(const std::uint8_t* from) {
  typedef std::uint32_t four_words __attribute__((vector_size(16)));
  std::uint32_t bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  const four_words all = {bytes, bytes, bytes, bytes};
  const four_words apart = all >> four_words{0, 8, 16, 24};
  return floats<4>(__builtin_convertvector((ints<4>::raw)(apart & 255), floats<4>::raw));
}
// Pixels of a row, each as four floats.
struct crop_blend {
  const std::uint8_t *above, *below;
  const crop_columns& columns;
  float down;
  const float *factor, *offset;
  std::int64_t last_load;  // the last element from which four bytes may be read
  float* to;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const floats<4> v = down, scale = floats<4>::load(factor), shift = floats<4>::load(offset);
    for (std::int64_t i = 0; i < columns.count; ++i) {
      const std::int64_t first = columns.first[i], second = columns.second[i];
      floats<4> a, b, c, d;
      if (std::max(first, second) <= last_load) {
        a = crop_load(above + first), b = crop_load(above + second);
        c = crop_load(below + first), d = crop_load(below + second);
      } else {
        a = near_end(above, first), b = near_end(above, second);
        c = near_end(below, first), d = near_end(below, second);
      }
      const floats<4> u = columns.weight[i];
      const floats<4> top = a + (b - a) * u, bottom = c + (d - c) * u;
      ((top + (bottom - top) * v) * scale + shift).store(to + 4 * i);
    }
  }
  // The row's last bytes; those before the pixel move out of the way.
  BEAMLET_IN_LOOPS floats<4> near_end(const std::uint8_t* row, std::int64_t element) const {
    std::uint8_t bytes[4] = {};
    const std::int64_t count = std::min<std::int64_t>(4, last_load + 4 - element);
    std::memcpy(bytes, row + element, static_cast<std::size_t>(count));
    return crop_load(bytes);
  }
};

class crop_rows {
 public:
  crop_rows(const cpu_call& call, const cpu_crop_normalize& how) : call_(call), how_(how) {}

  void run(std::uint64_t crop, std::int64_t first, std::int64_t end) {
    float box[4] = {0, 0, static_cast<float>(how_.in_width), static_cast<float>(how_.in_height)};
    if (how_.has_boxes != 0) {
      const float* from =
          call_.buffer<const float>(1) + static_cast<std::int64_t>(crop) * how_.box_strides[0];
      for (std::int64_t k = 0; k < 4; ++k) box[k] = from[k * how_.box_strides[1]];
    }
    const crop_line across(box[0], box[2], how_.in_width, how_.out_width);
    const crop_line down(box[1], box[3], how_.in_height, how_.out_height);
    for (std::int64_t x = 0; x < how_.out_width; x += crop_block) {
      columns_.set(across, how_.channels, x, std::min(crop_block, how_.out_width - x));
      for (std::int64_t y = first; y < end; ++y) row(crop, y, down.at(y));
    }
  }

 private:
  void row(std::uint64_t crop, std::int64_t y, const crop_line::place& place) {
    const auto* in = call_.buffer<const std::uint8_t>(0);
    const std::int64_t c = how_.channels;
    alignas(64) float pixels[4 * crop_block];
    run_for(call_.set,
            crop_blend{in + place.first * how_.row_stride, in + place.second * how_.row_stride,
                       columns_, place.weight, how_.factor.data(), how_.offset.data(),
                       how_.in_width * c - 4, pixels});
    const std::int64_t plane = how_.out_height * how_.out_width;
    const std::int64_t first = static_cast<std::int64_t>(crop) * plane * c;
    const std::int64_t pixel = y * how_.out_width + columns_.begin;
    if (how_.is_channels_first == 0) {
      for (std::int64_t i = 0; i < columns_.count; ++i)
        std::copy_n(pixels + 4 * i, c, together_.at + i * c);
      return put(together_.at, columns_.count * c, first + pixel * c);
    }
    for (std::int64_t k = 0; k < c; ++k) {
      for (std::int64_t i = 0; i < columns_.count; ++i) together_.at[i] = pixels[4 * i + k];
      put(together_.at, columns_.count, first + k * plane + pixel);
    }
  }
  void put(const float* from, std::int64_t count, std::int64_t element) {
    store_block(call_.set, how_.to, from, static_cast<std::size_t>(count),
                call_.buffer<std::byte>(2) + static_cast<std::size_t>(element) * bytes_of(how_.to));
  }

  const cpu_call& call_;
  const cpu_crop_normalize& how_;
  crop_columns columns_;
  float_block together_;
};

}  // namespace

void crop_normalize_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_crop_normalize>();
  crop_rows all(call, how);
  const std::uint64_t each = how.groups_each();
  while (first < last) {
    const std::uint64_t crop = first / each, end = std::min(last, (crop + 1) * each);
    const auto row = static_cast<std::int64_t>(first % each) * cpu_crop_normalize::group_rows;
    const auto row_end =
        static_cast<std::int64_t>(end - crop * each) * cpu_crop_normalize::group_rows;
    all.run(crop, row, std::min(row_end, how.out_height));
    first = end;
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
