// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

/// The element of the mask that broadcasts to these scores.
inline double mask_at(const host_tensor& mask, const dimensions& score) {
  dimensions own = mask.what().shape;
  const std::size_t more = score.size() - own.size();
  for (std::size_t d = 0; d < own.size(); ++d) own[d] = own[d] == 1 ? 0 : score[more + d];
  return mask.at(own);
}

inline void reference(const ops::attention& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions &q = in[0].what().shape, &k = in[1].what().shape;
  const std::size_t rank = q.size(), heads = rank - 3, row = rank - 2, column = rank - 1;
  const std::int64_t sharing = k[heads] == 0 ? 1 : q[heads] / k[heads], tk = k[row];
  const double scale = what.scale != 0 ? what.scale : 1 / std::sqrt(double(q[column]));
  const std::int64_t dv = out[0].what().shape[column];
  for (std::int64_t i = 0; i < out[0].elements(); i += dv) {
    dimensions at_q = out[0].index_of(i), at_k = at_q, score = at_q;
    at_k[heads] /= sharing;
    const std::int64_t sees =
        what.causal ? std::clamp<std::int64_t>(at_q[row] + 1 + tk - q[row], 0, tk) : tk;
    std::vector<double> scores;
    for (std::int64_t key = 0; key < sees; ++key) {
      at_k[row] = score[column] = key;
      double sum = 0;
      for (std::int64_t c = 0; c < q[column]; ++c) {
        at_q[column] = at_k[column] = c;
        sum += in[0].at(at_q) * in[1].at(at_k);
      }
      scores.push_back(sum * scale + (in.size() > 3 ? mask_at(in[3], score) : 0));
    }
    double most = -std::numeric_limits<double>::infinity(), weights = 0;
    for (const double s : scores) most = s > most || std::isnan(s) ? s : most;
    for (double& s : scores) weights += s = std::isinf(s) && s < 0 ? 0 : std::exp(s - most);
    dimensions to = out[0].index_of(i);
    for (std::int64_t c = 0; c < dv; ++c) {
      double sum = 0;
      for (std::int64_t key = 0; key < sees; ++key) {
        at_k[row] = key, at_k[column] = c;
        sum += scores[static_cast<std::size_t>(key)] * in[2].at(at_k);
      }
      to[column] = c;
      out[0].set(to, weights == 0 ? 0 : sum / weights);
    }
  }
}

struct attention_shape {
  dimensions q, k, v;
};

inline op_case attention_case(const std::string& name, const attention_shape& of,
                              const ops::attention& what = {}, dtype type = dtypes::f32) {
  op_case made{type.name() + ", " + name + ": " + text_of(of.q) + ", " + text_of(of.k) + ", " +
                   text_of(of.v) + (what.causal ? ", causal" : ""),
               what,
               {host_tensor(type, of.q), host_tensor(type, of.k), host_tensor(type, of.v)}};
  for (std::size_t i = 0; i < 3; ++i)
    fill_between(made.inputs[i], -1.5, 1.5, 31 + static_cast<std::uint32_t>(i));
  return made;
}

inline host_tensor attention_mask(const dimensions& shape, bool hides) {
  host_tensor t(dtypes::f32, shape);
  numbers from(37);
  return t.fill([&](std::int64_t) {
    const double x = from.between(-3, 3);
    return hides && x < -2 ? -std::numeric_limits<double>::infinity() : x;
  });
}

inline void add_attention_shapes(std::vector<op_case>& cases) {
  for (const dtype type : {dtypes::f32, dtypes::f16})
    for (const bool causal : {false, true}) {
      const auto add = [&](const char* name, const attention_shape& of, float scale = 0) {
        cases.push_back(attention_case(name, of, ops::attention{causal, scale}, type));
      };
      add("small", {{2, 3, 5}, {2, 7, 5}, {2, 7, 3}});
      add("more queries than keys", {{1, 9, 4}, {1, 5, 4}, {1, 5, 4}}, 1.5f);
      add("blocks", {{2, 150, 24}, {2, 300, 24}, {2, 300, 20}});
      add("shared keys", {{2, 6, 37, 16}, {2, 2, 41, 16}, {2, 2, 41, 16}});
      add("one query, shared keys", {{3, 8, 1, 16}, {3, 2, 530, 16}, {3, 2, 530, 17}});
      // Drivers compile one more kernel for these.
      if (type == dtypes::f16) continue;
      add("one number", {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}});
      add("one query", {{8, 1, 32}, {8, 77, 32}, {8, 77, 32}});
    }
  cases.push_back(attention_case("deep", {{1, 20, 256}, {1, 40, 256}, {1, 40, 256}}));
  cases.push_back(attention_case("parts of keys", {{1, 1, 8}, {1, 2000, 8}, {1, 2000, 8}}));
  cases.push_back(
      attention_case("parts of keys", {{1, 2, 8}, {1, 20000, 8}, {1, 20000, 8}}, {}, dtypes::f16));
  cases.push_back(attention_case("parts of keys", {{1, 21, 8}, {1, 3000, 8}, {1, 3000, 8}},
                                 ops::attention{true}));
  cases.push_back(attention_case("no key", {{2, 3, 4}, {2, 0, 4}, {2, 0, 5}}, {}, dtypes::f16));
  cases.push_back(attention_case("no query", {{2, 0, 4}, {2, 3, 4}, {2, 3, 5}}));
  cases.push_back(attention_case("no head", {{0, 2, 4}, {0, 3, 4}, {0, 3, 5}}));
}

inline void add_attention_masks(std::vector<op_case>& cases) {
  const auto add = [&](const char* name, const attention_shape& of, const host_tensor& mask,
                       bool causal = false, dtype type = dtypes::f32) {
    op_case made = attention_case(name, of, ops::attention{causal}, type);
    made.name += ", mask " + text_of(mask.what().shape);
    made.inputs.push_back(mask);
    cases.push_back(made);
  };
  const attention_shape heads{{2, 4, 10, 8}, {2, 2, 12, 8}, {2, 2, 12, 8}};
  add("of all", heads, attention_mask({2, 4, 10, 12}, true));
  add("of keys", heads, attention_mask({12}, true));
  add("of keys of a batch", heads, attention_mask({2, 1, 1, 12}, true), true, dtypes::f16);
  add("of heads and queries", heads, attention_mask({4, 10, 1}, false), true);
  add("one query", {{2, 6, 1, 8}, {2, 2, 300, 8}, {2, 2, 300, 8}},
      attention_mask({2, 6, 1, 300}, true));
  add("parts of keys", {{2, 3, 8}, {1, 1100, 8}, {1, 1100, 8}}, attention_mask({1100}, true));
  add("batches", {{2, 1, 3, 4, 5, 6}, {2, 1, 3, 2, 7, 6}, {2, 1, 3, 2, 7, 6}},
      attention_mask({1, 1, 3, 4, 1, 7}, true));
  host_tensor strided(dtypes::f32, {10, 12}, {-1, 21});
  add("strided", heads, fill_between(strided, -2, 2, 38));
  host_tensor hidden = attention_mask({10, 12}, true);
  for (std::int64_t i = 0; i < 12; ++i) {
    hidden.set({3, i}, -std::numeric_limits<double>::infinity());
    if (i != 5) hidden.set({9, i}, -std::numeric_limits<double>::infinity());
  }
  hidden.set({6, 2}, std::nan(""));
  add("a query that sees nothing, one key, and NaN", heads, hidden);
}

inline void add_attention_strides(std::vector<op_case>& cases) {
  const auto add = [&](const char* name, const attention_shape& of, const attention_shape& strides,
                       dtype type) {
    op_case made = attention_case(name, of, ops::attention{true}, type);
    const dimensions* const all[] = {&strides.q, &strides.k, &strides.v};
    for (std::size_t i = 0; i < 3; ++i) {
      const host_tensor dense = made.inputs[i];
      host_tensor t(type, dense.what().shape, *all[i]);
      made.inputs[i] = t.fill([&](std::int64_t e) { return dense.at(e); });
    }
    cases.push_back(made);
  };
  const attention_shape of{{2, 4, 10, 8}, {2, 2, 12, 8}, {2, 2, 12, 6}};
  for (const dtype type : {dtypes::f32, dtypes::f16}) {
    // [batch, length, heads, depth] in memory
    add("heads inside", of, {{320, 8, 32, 1}, {192, 8, 16, 1}, {144, 6, 12, 1}}, type);
    add("transposed", of,
        {transposed_strides(of.q), transposed_strides(of.k), transposed_strides(of.v)}, type);
    add("reversed", of, {{-320, 80, -8, 1}, {192, -96, -8, 1}, {144, 72, -12, -2}}, type);
  }
  const attention_shape deep{{2, 3, 2, 4, 2, 5}, {2, 3, 2, 2, 3, 5}, {2, 3, 2, 2, 3, 5}};
  add("batches the other way round", deep,
      {transposed_strides(deep.q), {180, 60, 30, 15, 5, 1}, transposed_strides(deep.v)},
      dtypes::f32);
}

inline std::vector<op_case> cases_of_attention() {
  std::vector<op_case> cases;
  add_attention_shapes(cases);
  add_attention_masks(cases);
  add_attention_strides(cases);
  return cases;
}

}  // namespace conformance
