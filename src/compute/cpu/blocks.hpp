// SPDX-License-Identifier: Apache-2.0
#pragma once

// What kernels of the cpu backend do with memory of any type and strides: a block of elements at a
// time becomes floats side by side, and back, while it is in the L1 cache.

#include <array>
#include <cstddef>
#include <cstdint>

#include "beamlet/base/dtype.hpp"
#include "compute/cpu/isa.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// What floats can be made of.
enum class number : std::uint32_t { f32, f16, u8, i8, i32 };
inline constexpr std::size_t number_count = 5;
constexpr std::size_t bytes_of(number type) noexcept {
  constexpr std::size_t bytes[] = {4, 2, 1, 1, 4};
  return bytes[static_cast<std::size_t>(type)];
}
/// number_count: of none of them.
std::size_t number_index_of(dtype type) noexcept;
inline number number_of(dtype type) noexcept { return static_cast<number>(number_index_of(type)); }

/// Elements of dimensions that were put together, the fastest first.
struct strided {
  std::uint64_t rank = 0;
  std::array<std::int64_t, dimensions::count_max> size{}, stride{};

  /// One operand of a walk.
  static strided of(const walk& path, std::size_t which) noexcept {
    return {path.rank, path.size, path.stride[which]};
  }
  bool is_row() const noexcept { return rank == 0 || (rank == 1 && stride[0] == 1); }
};

/// A place among strided elements that goes from one to the next in the order of their indices.
class cursor {
 public:
  cursor(const strided& where, std::uint64_t element) noexcept : where_(&where) {
    for (std::size_t d = 0; d < where.rank; ++d) {
      const auto size = static_cast<std::uint64_t>(where.size[d]);
      index_[d] = static_cast<std::int64_t>(element % size);
      element /= size;
      at_ += index_[d] * where.stride[d];
    }
  }
  std::int64_t at() const noexcept { return at_; }
  std::int64_t stride() const noexcept { return where_->rank == 0 ? 0 : where_->stride[0]; }
  /// So many follow with that stride between them.
  std::uint64_t run() const noexcept {
    return where_->rank == 0 ? 1 : static_cast<std::uint64_t>(where_->size[0] - index_[0]);
  }
  /// REQUIRES: by <= run().
  void advance(std::uint64_t by) noexcept {
    if (where_->rank == 0) return;
    index_[0] += static_cast<std::int64_t>(by);
    at_ += static_cast<std::int64_t>(by) * where_->stride[0];
    for (std::size_t d = 0; d + 1 < where_->rank && index_[d] == where_->size[d]; ++d) {
      at_ += where_->stride[d + 1] - where_->size[d] * where_->stride[d];
      index_[d] = 0;
      ++index_[d + 1];
    }
  }

 private:
  const strided* where_;
  std::array<std::int64_t, dimensions::count_max> index_{};
  std::int64_t at_ = 0;
};

/// Elements of a block; a multiple of every vector's.
inline constexpr std::size_t block_elements = 1024;

struct alignas(64) float_block {
  float at[block_elements] = {};
};

/// `count` <= block_elements elements from index `from` on, as floats: in place where a whole block
/// already lies so, else in `into`. A whole block can be read either way.
const float* load_block(isa set, number type, const std::byte* first, const strided& where,
                        std::uint64_t from, std::size_t count, float_block& into) noexcept;

/// `count` floats of a block as numbers side by side: rounded to the nearest, halves to the even
/// one; what no integer can be becomes the nearest that can, NaN becomes 0.
void store_block(isa set, number type, const float* from, std::size_t count,
                 std::byte* to) noexcept;

/// `count` numbers of u8 as floats.
void widen_bytes(isa set, const std::byte* from, float* to, std::size_t count) noexcept;

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
