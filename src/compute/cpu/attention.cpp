// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "compute/cpu/folds.hpp"
#include "compute/cpu/gemm.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr float attention_nothing = -std::numeric_limits<float>::infinity();
// Rows begin a line further than their length: a power of two between them would put all into one
// set of the cache.
constexpr std::size_t attention_gap = gemm_alignment / sizeof(float);
constexpr std::size_t attention_keys_gap = cpu_attention::keys + attention_gap;

std::size_t in_lines(std::size_t floats) {
  return (floats + attention_gap - 1) / attention_gap * attention_gap;
}

// What a group has of scratch memory, in floats from its beginning.
struct attention_scratch {
  std::size_t scores, sums, largest, weights, queries, keys, product, end;

  attention_scratch(const cpu_attention& how, isa set) {
    const std::size_t m = cpu_attention::queries, n = cpu_attention::keys;
    const auto d = static_cast<std::size_t>(how.d), dv = static_cast<std::size_t>(how.dv);
    const bool converts = how.type != number::f32;
    scores = 0;
    sums = scores + m * attention_keys_gap;
    largest = sums + in_lines(m * (dv + attention_gap));
    weights = largest + in_lines(m);
    queries = weights + in_lines(m);
    keys = queries + (converts ? in_lines(m * (d + attention_gap)) : 0);
    product = keys + (converts ? in_lines(n * (std::max(d, dv) + attention_gap)) : 0);
    const std::size_t most =
        std::max({gemm_scratch_bytes(set, {m, n, d}), gemm_scratch_bytes(set, {m, dv, n}),
                  gemm_scratch_bytes(set, {1, n, std::max(d, n)}),
                  gemm_scratch_bytes(set, {m, 1, std::max(d, n)})});
    end = product + in_lines(most / sizeof(float) + 1);
  }
};

// Scores become weights, and what was summed up before shrinks to the new largest score.
struct attention_softmax {
  isa set;
  const cpu_attention& how;
  float *scores, *sums, *largest, *weights;
  const float* mask;  ///< of the first row and key; null: none
  std::size_t rows, keys, sums_stride;
  std::int64_t seen;  ///< so many of the keys by the first row
  bool is_first;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    for (std::size_t r = 0; r < rows; ++r) {
      const std::int64_t most = seen + static_cast<std::int64_t>(r);
      const auto count =
          how.is_causal != 0
              ? static_cast<std::size_t>(std::clamp<std::int64_t>(most, 0, std::int64_t(keys)))
              : keys;
      run_row<N>(r, count);
    }
  }

  template <int N>
  BEAMLET_IN_LOOPS void run_row(std::size_t r, std::size_t count) const {
    float* row = scores + r * attention_keys_gap;
    const floats<N> scale = how.scale;
    if (mask != nullptr) {
      float_block gathered;
      const float* more =
          mask + static_cast<std::ptrdiff_t>(r) * static_cast<std::ptrdiff_t>(how.mask.row);
      if (how.mask.column != 1)
        more = load_block(set, number::f32, reinterpret_cast<const std::byte*>(more),
                          {1, {static_cast<std::int64_t>(count)}, {how.mask.column}}, 0, count,
                          gathered);
      std::size_t i = 0;
      for (; i + N <= count; i += N)
        (floats<N>::load(row + i) * scale + floats<N>::load(more + i)).store(row + i);
      for (; i < count; ++i) row[i] = row[i] * how.scale + more[i];
    } else {
      map_row<N>(
          row, row, count, [&](const auto& x) __attribute__((always_inline)) { return x * scale; });
    }
    const float before = largest[r], here = fold<N>(row, count, taking_larger{});
    const float now = here > before || here != here ? here : before;
    std::fill(row + count, row + keys, 0.0f);
    float factor = 0;
    if (now == attention_nothing) {
      std::fill_n(row, count, 0.0f);
    } else {
      factor = std::exp(before - now);
      const floats<N> less = now;
      map_row<N>(
          row, row, count, [&](const auto& x) __attribute__((always_inline)) {
            return vectored::exp_up_to_1(x - less);
          });
      weights[r] = weights[r] * factor + fold<N>(row, count, adding{});
      largest[r] = now;
    }
    if (is_first || factor == 1) return;
    float* sum = sums + r * sums_stride;
    const floats<N> times = factor;
    map_row<N>(
        sum, sum,
        static_cast<std::size_t>(how.dv), [&](const auto& x) __attribute__((always_inline)) {
          return x * times;
        });
  }
};

// Some queries of one head, and one part of the keys.
class attention_block {
 public:
  attention_block(const cpu_call& call, const cpu_attention& how, std::uint64_t block,
                  float* scratch)
      : call_(call), how_(how), at_(how, call.set), scratch_(scratch) {
    const std::uint64_t blocks = (how.tq + how.queries - 1) / how.queries;
    query_ = block % blocks * how.queries;
    rows_ = static_cast<std::size_t>(std::min(how.queries, how.tq - query_));
    block /= blocks;
    split_ = block % how.splits;
    head_ = block / how.splits;  // of the queries
    std::uint64_t rest = head_ / how.sharing;
    const auto shared = static_cast<std::int64_t>(head_ % how.sharing);
    const auto query = static_cast<std::int64_t>(query_);
    q_ = shared * how.q.head + query * how.q.row;
    mask_ = shared * how.mask.head + query * how.mask.row;
    for (std::uint32_t d = 0; d < how.rank; ++d) {
      const auto size = static_cast<std::uint64_t>(how.size[d]);
      const auto index = static_cast<std::int64_t>(rest % size);
      rest /= size;
      q_ += index * how.q.batch[d];
      k_ += index * how.k.batch[d];
      v_ += index * how.v.batch[d];
      mask_ += index * how.mask.batch[d];
    }
  }

  void run() const {
    const std::uint64_t begin = split_ * how_.chunk;
    std::uint64_t end = std::min(how_.tk, begin + how_.chunk);
    // So many keys, from the first on, are seen by the first row.
    const std::int64_t first_sees =
        static_cast<std::int64_t>(query_) + 1 +
        (static_cast<std::int64_t>(how_.tk) - static_cast<std::int64_t>(how_.tq));
    if (how_.is_causal != 0) {
      const std::int64_t last_sees = first_sees + static_cast<std::int64_t>(rows_) - 1;
      end = std::min(end, static_cast<std::uint64_t>(std::max<std::int64_t>(last_sees, 0)));
    }
    std::fill_n(scratch_ + at_.largest, rows_, attention_nothing);
    std::fill_n(scratch_ + at_.weights, rows_, 0.0f);
    if (begin >= end) std::fill_n(scratch_ + at_.sums, rows_ * sums_stride(), 0.0f);
    const matrix_in q = matrix(0, how_.q, q_, rows_, how_.d, at_.queries);
    for (std::uint64_t key = begin; key < end; key += how_.keys)
      add_keys(q, key, static_cast<std::size_t>(std::min(how_.keys, end - key)),
               first_sees - static_cast<std::int64_t>(key), key == begin);
    if (how_.splits > 1) finish_part();
    else finish();
  }

 private:
  std::size_t sums_stride() const { return static_cast<std::size_t>(how_.dv) + attention_gap; }

  // Some rows of an input as floats: where they lie, or as a copy.
  matrix_in matrix(std::size_t input, const attention_input& where, std::int64_t at,
                   std::size_t rows, std::uint64_t columns, std::size_t into) const {
    const auto row = static_cast<std::ptrdiff_t>(where.row);
    const auto column = static_cast<std::ptrdiff_t>(where.column);
    if (how_.type == number::f32)
      return {call_.buffer<const float>(input) + static_cast<std::ptrdiff_t>(at), row, column};
    const std::byte* from = call_.buffer<const std::byte>(input) +
                            static_cast<std::ptrdiff_t>(at) * std::ptrdiff_t(bytes_of(how_.type));
    const strided along{1, {static_cast<std::int64_t>(columns)}, {where.column}};
    const std::size_t count = static_cast<std::size_t>(columns), stride = count + attention_gap;
    float_block block;
    for (std::size_t r = 0; r < rows; ++r)
      std::copy_n(load_block(call_.set, how_.type,
                             from + static_cast<std::ptrdiff_t>(r) * row *
                                        std::ptrdiff_t(bytes_of(how_.type)),
                             along, 0, count, block),
                  count, scratch_ + into + r * stride);
    return {scratch_ + into, static_cast<std::ptrdiff_t>(stride), 1};
  }

  void add_keys(const matrix_in& q, std::uint64_t key, std::size_t keys, std::int64_t seen,
                bool is_first) const {
    const auto d = static_cast<std::size_t>(how_.d), dv = static_cast<std::size_t>(how_.dv);
    auto* product = reinterpret_cast<std::byte*>(scratch_ + at_.product);
    float* scores = scratch_ + at_.scores;
    const auto first = static_cast<std::int64_t>(key);
    const matrix_in k = matrix(1, how_.k, k_ + first * how_.k.row, keys, how_.d, at_.keys);
    gemm(call_.set, {rows_, keys, d}, q, {k.data, k.column_stride, k.row_stride},
         {scores, attention_keys_gap}, gemm_output::replace, product);
    const float* mask = nullptr;
    if (how_.has_mask != 0)
      mask = call_.buffer<const float>(3) +
             static_cast<std::ptrdiff_t>(mask_ + first * how_.mask.column);
    run_for(call_.set, attention_softmax{call_.set, how_, scores, scratch_ + at_.sums,
                                         scratch_ + at_.largest, scratch_ + at_.weights, mask,
                                         rows_, keys, sums_stride(), seen, is_first});
    const matrix_in v = matrix(2, how_.v, v_ + first * how_.v.row, keys, how_.dv, at_.keys);
    gemm(call_.set, {rows_, dv, keys}, {scores, attention_keys_gap, 1}, v,
         {scratch_ + at_.sums, static_cast<std::ptrdiff_t>(sums_stride())},
         is_first ? gemm_output::replace : gemm_output::add, product);
  }

  void finish() const {
    const auto dv = static_cast<std::size_t>(how_.dv);
    const auto row = static_cast<std::size_t>(head_ * how_.tq + query_);
    std::byte* out = call_.buffer<std::byte>(4) + row * dv * bytes_of(how_.type);
    for (std::size_t r = 0; r < rows_; ++r) {
      float* sum = scratch_ + at_.sums + r * sums_stride();
      const float all = scratch_[at_.weights + r], factor = all == 0 ? 0.0f : 1 / all;
      for (std::size_t c = 0; c < dv; ++c) sum[c] *= factor;
      store_block(call_.set, how_.type, sum, dv, out + r * dv * bytes_of(how_.type));
    }
  }

  void finish_part() const {
    const auto dv = static_cast<std::size_t>(how_.dv);
    const auto row = static_cast<std::size_t>(split_ * how_.rows() + head_ * how_.tq + query_);
    float* out = call_.buffer<float>(4) + row * (dv + 2);
    for (std::size_t r = 0; r < rows_; ++r, out += dv + 2) {
      std::copy_n(scratch_ + at_.sums + r * sums_stride(), dv, out);
      out[dv] = scratch_[at_.largest + r];
      out[dv + 1] = scratch_[at_.weights + r];
    }
  }

  const cpu_call& call_;
  const cpu_attention& how_;
  const attention_scratch at_;
  float* scratch_;
  std::uint64_t query_, split_, head_;
  std::size_t rows_;
  std::int64_t q_ = 0, k_ = 0, v_ = 0, mask_ = 0;
};

}  // namespace

std::uint64_t cpu_attention_scratch_bytes(const cpu_attention& how) noexcept {
  std::size_t most = 0;
  for (isa set : isas) most = std::max(most, attention_scratch(how, set).end);
  return most * sizeof(float);
}

void attention_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_attention>();
  const std::uint64_t blocks = how.block_count();
  for (std::uint64_t group = first; group < last; ++group) {
    std::byte* scratch =
        call.buffer<std::byte>(5) + static_cast<std::size_t>(group * how.scratch_bytes);
    const std::uint64_t end = blocks * (group + 1) / how.groups;
    for (std::uint64_t block = blocks * group / how.groups; block < end; ++block)
      attention_block(call, how, block, reinterpret_cast<float*>(scratch)).run();
  }
}

void attention_join_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_attention_join>();
  const auto dv = static_cast<std::size_t>(how.dv), rows = static_cast<std::size_t>(how.rows);
  const std::size_t next = rows * (dv + 2), splits = static_cast<std::size_t>(how.splits);
  const auto begin = static_cast<std::size_t>(first * how.rows_of_group);
  const auto end = static_cast<std::size_t>(std::min(how.rows, last * how.rows_of_group));
  float_block sum;
  for (std::size_t row = begin; row < end; ++row) {
    const float* part = call.buffer<const float>(0) + row * (dv + 2);
    float most = attention_nothing, weights = 0;
    for (std::size_t s = 0; s < splits; ++s) {
      const float largest = part[s * next + dv];
      if (largest > most || largest != largest) most = largest;
    }
    std::fill_n(sum.at, dv, 0.0f);
    for (std::size_t s = 0; s < splits; ++s) {
      const float* from = part + s * next;
      if (from[dv] == attention_nothing) continue;
      const float factor = std::exp(from[dv] - most);
      weights += factor * from[dv + 1];
      for (std::size_t c = 0; c < dv; ++c) sum.at[c] += factor * from[c];
    }
    const float factor = weights == 0 ? 0.0f : 1 / weights;
    for (std::size_t c = 0; c < dv; ++c) sum.at[c] *= factor;
    store_block(call.set, how.type, sum.at, dv,
                call.buffer<std::byte>(1) + row * dv * bytes_of(how.type));
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
