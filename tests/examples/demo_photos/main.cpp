// SPDX-License-Identifier: Apache-2.0

// Turns a folder of photographs into a ranked report and a contact sheet, twice: in a plain loop
// and with Beamlet; then compares answers and times. The work itself is in the files beside this
// one: steps.cpp (what is done to a picture), plain.cpp (the loop), pipeline.cpp (the tasks).

#include <chrono>
#include <cstdio>

#include "files.hpp"
#include "frames.hpp"
#include "on_devices.hpp"
#include "options.hpp"
#include "pipeline.hpp"
#include "png.hpp"

namespace demo {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t frames_seed = 2026;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double megapixels(std::uint64_t pixels) { return static_cast<double>(pixels) / 1e6; }

int fail(const std::string& why) {
  std::fprintf(stderr, "demo_photos: %s\n", why.c_str());
  return 1;
}

// The folder to read; without photographs, one of invented frames.
outcome<fs::path> choose_folder(const options& chosen) {
  std::error_code failed;
  if (!chosen.folder.empty()) {
    if (fs::is_directory(chosen.folder, failed)) return chosen.folder;
    return failure{fault::unreadable, "not a folder: " + chosen.folder.string()};
  }
  const fs::path folder = chosen.out / "frames";
  fs::create_directories(folder, failed);
  if (failed) return failure{fault::unreadable, folder.string() + ": " + failed.message()};
  if (auto why = write_frames(folder, frames_seed)) return std::move(*why);
  std::printf("no photographs: %d invented frames stand in for them\n", frames_count);
  return folder;
}

beamlet::progress_options shown_as(const char* title, const job& work) {
  return {.title = title,
          .total = work.pixels(),
          .unit = "megapixels",
          .unit_size = 1e6,
          .file = stderr};
}

struct timed {
  findings found;
  double seconds = 0;
  int killed = 0;  // the worker process that was ended
};

timed time_plain(const job& work) {
  const auto start = std::chrono::steady_clock::now();
  beamlet::progress bar(shown_as("plain loop", work));
  findings found = run_plain(work, [&](const photo& one) { bar.add(one.pixels); });
  return {std::move(found), seconds_since(start)};
}

beamlet::result<timed> time_beamlet(const job& work, const options& chosen) {
  const auto start = std::chrono::steady_clock::now();
  beamlet::runtime_options settings{.timeline_events = 1 << 16};
  if (chosen.workers >= 0) settings.workers = static_cast<unsigned>(chosen.workers);
  BEAMLET_TRY(auto rt, beamlet::runtime::start(settings));
  timed answer;
  {
    beamlet::progress bar(shown_as("beamlet", work));
    BEAMLET_TRY(answer.found, run_with_beamlet(
                                  rt, work, [&](const photo& one) { bar.add(one.pixels); },
                                  chosen.processes ? &answer.killed : nullptr));
  }
  answer.seconds = seconds_since(start);
  BEAMLET_TRY_VOID(rt.write_timeline((chosen.out / "timeline.json").string()));
  return answer;
}

std::optional<failure> write_results(const findings& found, const job& work, const fs::path& out) {
  std::vector<row> first_round(found.rows.begin(),
                               found.rows.begin() + static_cast<long>(work.photos.size()));
  if (auto failed = write_file(out / "report.csv", to_csv(first_round))) return failed;
  if (found.best.empty()) return std::nullopt;
  auto sheet = encode_png(found.sheet);
  if (auto* failed = std::get_if<failure>(&sheet)) return std::move(*failed);
  return write_file(out / "contact_sheet.png", std::get<file_bytes>(sheet));
}

void print_photos(const findings& found, const job& work) {
  for (std::size_t i = 0; i < found.best.size() && i < 3; ++i) {
    std::printf("sharpest %zu  %s (%.1f)\n", i + 1, found.best[i].photo.file.c_str(),
                found.best[i].photo.sharpness);
  }
  for (std::size_t i = 0; i < work.photos.size(); ++i) {
    const row& one = found.rows[i];
    if (!one.failed()) continue;
    std::printf("left out    %s: %s: %s\n", one.file.c_str(), one.error.c_str(),
                one.message.c_str());
  }
}

void print_where(const beamlet::devices_report& report) {
  for (const beamlet::device_work_status& one : report.work) {
    std::printf("  %-12s on %-9s %6llu times, %8.2f ms\n", one.name.c_str(), one.device.c_str(),
                static_cast<unsigned long long>(one.tasks), static_cast<double>(one.busy_ns) / 1e6);
  }
  if (report.reruns > 0) {
    std::printf("  %llu were begun again on another device\n",
                static_cast<unsigned long long>(report.reruns));
  }
}

struct on_device {
  std::vector<row> rows;
  double seconds = 0;
};

beamlet::result<on_device> time_devices(const job& work, const options& chosen,
                                        const std::string& device) {
  beamlet::runtime_options settings{.timeline_events = 1 << 16, .device = device};
  if (chosen.workers >= 0) settings.workers = static_cast<unsigned>(chosen.workers);
  BEAMLET_TRY(auto rt, beamlet::runtime::start(settings));
  BEAMLET_TRY(auto known, rt.devices());  // before the clock: the first time, it takes a while
  for (const beamlet::device_status& one : known.devices) {
    if (one.reason_against.empty()) {
      std::printf("device      %s %s\n", one.info.id().c_str(), one.info.name.c_str());
    }
  }
  const auto start = std::chrono::steady_clock::now();
  on_device answer;
  {
    beamlet::progress bar(shown_as(device.c_str(), work));
    BEAMLET_TRY(answer.rows,
                run_on_devices(rt, work, [&](const photo& one) { bar.add(one.pixels); }));
  }
  answer.seconds = seconds_since(start);
  BEAMLET_TRY(auto report, rt.devices());
  print_where(report);
  BEAMLET_TRY_VOID(rt.write_timeline((chosen.out / ("timeline_" + device + ".json")).string()));
  return answer;
}

int compare_devices(const options& chosen, const job& work) {
  auto here = time_devices(work, chosen, "cpu");
  if (!here) return fail(here.error().describe());
  auto there = time_devices(work, chosen, chosen.device);
  if (!there) return fail(there.error().describe());
  if (auto why = write_file(chosen.out / "report.csv", to_csv(there->rows))) {
    return fail(why->message);
  }
  const double furthest = largest_difference(here->rows, there->rows);
  const double amount = megapixels(work.pixels());
  std::printf("processor   %.2f s, %.1f megapixels/s\n", here->seconds, amount / here->seconds);
  std::printf("%-11s %.2f s, %.1f megapixels/s\n", chosen.device.c_str(), there->seconds,
              amount / there->seconds);
  const bool equal = furthest <= device_tolerance;
  std::printf(
      "reports     %s (%zu rows; the largest difference is %.2g of a figure, at most %.2g)\n",
      equal ? "equal" : "DIFFERENT", there->rows.size(), furthest, device_tolerance);
  std::printf("written     %s/{report.csv,timeline_cpu.json,timeline_%s.json}\n",
              chosen.out.string().c_str(), chosen.device.c_str());
  return equal ? 0 : 1;
}

int run(const options& chosen) {
  std::error_code failed;
  fs::create_directories(chosen.out, failed);
  if (failed) return fail(chosen.out.string() + ": " + failed.message());
  auto folder = choose_folder(chosen);
  if (auto* why = std::get_if<failure>(&folder)) return fail(why->message);
  const bool invented = chosen.folder.empty();
  const job work = plan_job(std::get<fs::path>(folder), invented ? "" : chosen.out, chosen.repeat);
  if (work.photos.empty()) return fail("no .jpg, .jpeg or .png in " + chosen.folder.string());
  std::printf("photos      %zu, %d times: %.1f megapixels\n", work.photos.size(), work.rounds,
              megapixels(work.pixels()));

  if (!chosen.device.empty()) return compare_devices(chosen, work);
  const timed plain = time_plain(work);
  auto parallel = time_beamlet(work, chosen);
  if (!parallel) return fail(parallel.error().describe());
  if (auto why = write_results(parallel->found, work, chosen.out)) return fail(why->message);

  print_photos(parallel->found, work);
  if (chosen.processes) std::printf("killed      worker process %d, mid-way\n", parallel->killed);
  const bool identical = to_csv(plain.found.rows) == to_csv(parallel->found.rows) &&
                         plain.found.sheet == parallel->found.sheet;
  const double amount = megapixels(work.pixels());
  std::printf("plain loop  %.2f s, %.1f megapixels/s\n", plain.seconds, amount / plain.seconds);
  std::printf("beamlet     %.2f s, %.1f megapixels/s\n", parallel->seconds,
              amount / parallel->seconds);
  std::printf("speed-up    %.2f\n", plain.seconds / parallel->seconds);
  std::printf("reports     %s (%zu rows)\n", identical ? "identical" : "DIFFERENT",
              work.rows_count());
  std::printf("written     %s/{report.csv,contact_sheet.png,timeline.json}\n",
              chosen.out.string().c_str());
  return identical ? 0 : 1;
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  auto chosen = demo::read_options(argc, argv);
  if (auto* wrong = std::get_if<std::string>(&chosen)) {
    std::fprintf(stderr, "demo_photos: %s\n%s", wrong->c_str(), demo::usage_text.data());
    return 2;
  }
  if (std::get<demo::options>(chosen).help) {
    std::fputs(demo::usage_text.data(), stdout);
    return 0;
  }
  return demo::run(std::get<demo::options>(chosen));
}
