// SPDX-License-Identifier: Apache-2.0

// The same job as plain.cpp, from the same functions. Per photo:
//
//   decode --+-- size_of -----------------------------+
//            +-- shrink --+-- grey --+-- edges -------+-- row -------+
//                         |          +-- sharpness ---+              +-- ranking (an actor)
//                         |          +-- histogram ---+              |
//                         +-- thumbnail -----------------------------+
//
// No step waits for another in the code: each gets the refs of what it needs and runs when they are
// there. When decode fails, every step behind it fails with the same error, and the row says so.

#include "pipeline.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "decode.hpp"

/// How a picture crosses to another process. image.hpp need not know.
template <>
struct beamlet::codec<demo::picture> {
  static void encode(writer& out, const demo::picture& one) {
    out.number(one.size.width);
    out.number(one.size.height);
    out.number(one.channels);
    codec<std::vector<std::uint8_t>>::encode(out, one.bytes);
  }
  static result<demo::picture> decode(reader& in) {
    demo::picture one;
    one.size.width = in.number<int>();
    one.size.height = in.number<int>();
    one.channels = in.number<int>();
    BEAMLET_TRY(one.bytes, codec<std::vector<std::uint8_t>>::decode(in));
    const bool whole = one.size.width >= 0 && one.size.height >= 0 && one.channels >= 0 &&
                       one.size.pixels() * static_cast<unsigned>(one.channels) == one.bytes.size();
    if (!whole) in.fail();
    return one;
  }
  static void name(std::string& out) { out += "picture"; }
};

namespace demo {
namespace {

// Decoded photos are large, so not all of them may be on their way at once: one for each worker
// and one to come, and while they are small, more, so that nobody waits for the one in front.
constexpr std::uint64_t pixels_per_worker = 4'000'000;
// Small photos count as this many, so that their number is bounded too.
constexpr std::uint64_t photo_pixels_counted_min = 250'000;

constexpr struct {
  fault ours;
  beamlet::errc theirs;
} codes[] = {{fault::unreadable, beamlet::errc::io},
             {fault::not_an_image, beamlet::errc::unsupported},
             {fault::damaged, beamlet::errc::malformed},
             {fault::too_large, beamlet::errc::too_large}};

// A task's function may return a result: its error reaches everyone who waits for the value.
beamlet::result<picture> decode_photo(const std::string& path) {
  auto decoded = decode(path);
  if (auto* image = std::get_if<picture>(&decoded)) return std::move(*image);
  auto& failed = std::get<failure>(decoded);
  beamlet::error_detail why;
  why.message = std::move(failed.message);
  for (const auto& code : codes) {
    if (code.ours != failed.kind) continue;
    return beamlet::error(code.theirs, beamlet::error_layer::user, why);
  }
  return beamlet::errc::unknown;
}

int process_number() { return getpid(); }

BEAMLET_REMOTE(decode_photo);
BEAMLET_REMOTE(process_number);

row failed_row(const std::string& file, const beamlet::error& why) {
  for (const auto& code : codes) {
    if (why == code.theirs) return make_failed_row(file, to_string(code.ours), why.message());
  }
  return make_failed_row(file, beamlet::to_string(why.code()), why.message());
}

std::uint64_t cost_of(const photo& one) { return std::max(one.pixels, photo_pixels_counted_min); }

class pipeline {
 public:
  pipeline(beamlet::runtime& rt, bool processes, const on_photo& done)
      : rt_(rt), done_(done), board_(rt.actor<ranking>().remote()) {
    decode_options_.name = "decode";
    if (!processes) return;
    decode_options_.isolation = beamlet::isolation::process;
    decode_options_.max_retries = 3;  // after a worker process has died
  }

  // Ends one of the worker processes, in the middle of what it does.
  beamlet::result<int> kill_a_worker_process() {
    beamlet::task_options there{.isolation = beamlet::isolation::process};
    BEAMLET_TRY(int number, rt_.get(rt_.task(process_number).options(there).remote()));
    kill(number, SIGKILL);
    return number;
  }

  // Starts all steps of one photo; returns at once unless too many are on their way.
  void submit(const photo& one) {
    while (is_full(cost_of(one))) finish_oldest();

    auto decoded = rt_.task(decode_photo).options(decode_options_).remote(one.path);
    auto size = rt_.task(size_of).options({.name = "size"}).remote(decoded);
    auto working = rt_.task(shrink).options({.name = "shrink"}).remote(decoded, working_side);
    auto grey = rt_.task(to_grey).options({.name = "grey"}).remote(working);
    auto edges = rt_.task(edge_map).options({.name = "edges"}).remote(grey);
    auto sharp = rt_.task(sharpness).options({.name = "sharpness"}).remote(grey);
    auto tones = rt_.task(make_histogram).options({.name = "histogram"}).remote(grey);
    auto result =
        rt_.task(make_row).options({.name = "row"}).remote(one.name, size, edges, sharp, tones);
    auto small = rt_.task(shrink).options({.name = "thumbnail"}).remote(working, thumbnail_side);
    board_.call(&ranking::add, result, small);

    on_their_way_.push_back({&one, decoded, result});
    pixels_ += cost_of(one);
  }

  beamlet::result<findings> finish() {
    while (!on_their_way_.empty()) finish_oldest();
    auto best = board_.call(&ranking::best);
    auto sheet = rt_.task(contact_sheet).options({.name = "contact sheet"}).remote(best);
    BEAMLET_TRY(found_.best, rt_.get(best));
    BEAMLET_TRY(found_.sheet, rt_.get(sheet));
    return std::move(found_);
  }

 private:
  struct started {
    const photo* one;
    beamlet::ref<picture> decoded;
    beamlet::ref<row> result;
  };

  bool is_full(std::uint64_t cost) const {
    const std::uint64_t busy = rt_.workers() + 1;
    return on_their_way_.size() >= busy && pixels_ + cost > busy * pixels_per_worker;
  }

  // Waits for the photo that was submitted first, so that the rows come in the order of the job;
  // the workers go on with the others meanwhile.
  void finish_oldest() {
    const started oldest = std::move(on_their_way_.front());
    on_their_way_.pop_front();
    found_.rows.push_back(row_of(oldest));
    pixels_ -= cost_of(*oldest.one);
    done_(*oldest.one);
  }

  row row_of(const started& photo) {
    auto measured = rt_.get(photo.result);
    if (measured) return std::move(*measured);
    // Steps behind a failed one say "an argument failed"; what went wrong is said by decode itself.
    auto decoded = rt_.get(photo.decoded);
    return failed_row(photo.one->name, decoded ? measured.error() : decoded.error());
  }

  beamlet::task_options decode_options_;
  beamlet::runtime& rt_;
  const on_photo& done_;
  beamlet::actor_handle<ranking> board_;
  std::deque<started> on_their_way_;
  std::uint64_t pixels_ = 0;
  findings found_;
};

}  // namespace

beamlet::result<findings> run_with_beamlet(beamlet::runtime& rt, const job& work,
                                           const on_photo& done, int* killed) {
  pipeline steps(rt, killed != nullptr, done);
  const std::size_t halfway = work.rows_count() / 2;
  std::size_t submitted = 0;
  for (int round = 0; round < work.rounds; ++round) {
    for (const photo& one : work.photos) {
      steps.submit(one);
      if (++submitted != halfway || killed == nullptr) continue;
      BEAMLET_TRY(*killed, steps.kill_a_worker_process());
    }
  }
  return steps.finish();
}

}  // namespace demo
