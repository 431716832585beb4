// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace progress_cases {

namespace {
using beamlet::progress;
using beamlet::progress_options;

constexpr std::uint64_t second = 1'000'000'000;

/// A clock and a sink of the test's own.
struct stage {
  std::uint64_t time = 7 * second;
  std::string text;

  progress_options options(bool terminal, std::uint64_t total = 200) {
    progress_options o;
    o.title = "photos";
    o.total = total;
    o.terminal = terminal;
    o.write = [this](std::string_view s) { text += s; };
    o.now_ns = [this] { return time; };
    return o;
  }
  std::string take() { return std::exchange(text, {}); }
};

TEST_CASE("progress prints one plain line every ten seconds where there is no terminal") {
  stage s;
  progress shown(s.options(false));
  s.time += 9 * second;
  shown.add(40);
  CHECK(s.take() == "");
  s.time += 1 * second;
  shown.add(10);
  CHECK(s.take() == "photos: 25 %, 50 of 200 items, 5.0 per second, 30 s left\n");
  s.time += 9 * second;
  shown.add(1);
  CHECK(s.take() == "");
  s.time += 1 * second;
  shown.add(49);
  CHECK(s.take() == "photos: 50 %, 100 of 200 items, 5.0 per second, 20 s left\n");
}

TEST_CASE("progress draws a bar on a terminal, ten times a second") {
  stage s;
  progress shown(s.options(true));
  s.time += second / 2;
  shown.add(100);
  CHECK(s.take() ==
        "\rphotos [############            ] 50 %, 100 of 200 items, 200.0 per second, 1 s left"
        "\x1b[K");
  s.time += second / 20;
  shown.add(1);
  CHECK(s.take() == "");
  s.time += second / 20;
  shown.add(99);
  CHECK(s.take().find("[########################] 100 %") != std::string::npos);
}

TEST_CASE("progress ends with a final line, once") {
  stage s;
  progress shown(s.options(false));
  s.time += 5 * second;
  shown.add(200);
  shown.finish();
  CHECK(s.take() == "photos: 200 of 200 items in 5 s, 40.0 per second\n");
  s.time += 60 * second;
  shown.add(1);
  shown.update();
  shown.finish();
  CHECK(s.take() == "");
}

TEST_CASE("progress that is left early says how far it came") {
  stage s;
  {
    progress shown(s.options(true));
    s.time += 125 * second;
    shown.add(50);
    s.text.clear();
  }
  CHECK(s.take() == "\rphotos: 50 of 200 items in 2:05, 0.4 per second\x1b[K\n");
}

TEST_CASE("progress without a known total shows amount and rate only") {
  stage s;
  progress shown(s.options(false, 0));
  s.time += 10 * second;
  shown.add(30);
  CHECK(s.take() == "photos: 30 items, 3.0 per second\n");
  CHECK(shown.state().seconds_left < 0);
}

TEST_CASE("progress shows amounts in a unit of the caller") {
  stage s;
  progress_options o = s.options(false, 200'000'000);
  o.unit = "megapixels";
  o.unit_size = 1e6;
  progress shown(o);
  s.time += 3700 * second;
  shown.add(1'500'000);
  CHECK(s.take() == "photos: 1 %, 1.5 of 200.0 megapixels, 0.0 per second, 136:00:33 left\n");
}

TEST_CASE("progress draws when asked to though nothing was done") {
  stage s;
  progress shown(s.options(false));
  s.time += 10 * second;
  shown.update();
  CHECK(s.take() == "photos: 0 %, 0 of 200 items, 0.0 per second\n");
}

TEST_CASE("progress cuts a title of any length and stays within its total") {
  stage s;
  progress_options o = s.options(true, 10);
  o.title = std::string(100'000, 'x');
  o.unit = std::string(100'000, 'y');
  progress shown(o);
  s.time += second;
  shown.add(1'000'000);
  std::string text = s.take();
  CHECK(text.size() < 320);
  CHECK(text.find("100 %, 1000000 of 10 ") != std::string::npos);
}

TEST_CASE("progress counts what several threads add") {
  stage s;
  progress shown(s.options(false, 4000));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) shown.add();
    });
  for (auto& t : threads) t.join();
  CHECK(shown.state().done == 4000);
}

TEST_CASE("progress writes plain lines to a file that is no terminal, and leaves it open") {
  struct close_file {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::unique_ptr<std::FILE, close_file> file(std::tmpfile());
  REQUIRE(file != nullptr);
  stage s;
  progress_options o = s.options(false);
  o.terminal.reset();
  o.write = nullptr;
  o.file = file.get();
  {
    progress shown(o);
    s.time += 2 * second;
    shown.add(200);
  }
  std::rewind(file.get());
  char text[80] = {};
  REQUIRE(std::fgets(text, sizeof text, file.get()) != nullptr);
  CHECK(std::string(text) == "photos: 200 of 200 items in 2 s, 100.0 per second\n");
}

}  // namespace

}  // namespace progress_cases
