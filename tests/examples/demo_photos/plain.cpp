// SPDX-License-Identifier: Apache-2.0

// The job as anyone would first write it: one photo after the other, on one core. It is what
// pipeline.cpp has to beat, and what it must agree with byte for byte.

#include "decode.hpp"
#include "job.hpp"

namespace demo {
namespace {

row process(const photo& one, ranking& board) {
  picture working;
  picture_size size;
  {
    auto decoded = decode(one.path);
    if (auto* failed = std::get_if<failure>(&decoded)) {
      return make_failed_row(one.name, to_string(failed->kind), failed->message);
    }
    size = size_of(std::get<picture>(decoded));
    working = shrink(std::get<picture>(decoded), working_side);
  }  // the large picture is not needed any more
  const picture grey = to_grey(working);
  row result = make_row(one.name, size, edge_map(grey), sharpness(grey), make_histogram(grey));
  board.add(result, shrink(working, thumbnail_side));
  return result;
}

}  // namespace

findings run_plain(const job& work, const on_photo& done) {
  findings found;
  ranking board;
  for (int round = 0; round < work.rounds; ++round) {
    for (const photo& one : work.photos) {
      found.rows.push_back(process(one, board));
      done(one);
    }
  }
  found.best = board.best();
  found.sheet = contact_sheet(found.best);
  return found;
}

}  // namespace demo
