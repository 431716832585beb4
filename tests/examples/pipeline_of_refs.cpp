// SPDX-License-Identifier: Apache-2.0
// A pipeline: each step takes the ref of the step before. Nothing waits in between; a step runs
// when its arguments are ready, and an error passes through to the end with its first cause.
#include <beamlet/beamlet.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

using text = std::string;
using words = std::vector<std::string>;

beamlet::result<text> load(int page) {
  if (page == 3)
    return beamlet::error(beamlet::errc::io, beamlet::error_layer::user,
                          {"page 3 is torn out", "", "", ""});
  return "page " + std::to_string(page) + " of a short book";
}
words split_words(const text& t) {
  words found;
  for (std::size_t from = 0; from < t.size();) {
    std::size_t to = std::min(t.find(' ', from), t.size());
    found.push_back(t.substr(from, to - from));
    from = to + 1;
  }
  return found;
}
int count(const words& w) { return static_cast<int>(w.size()); }

// [stream]
// A task that yields: its caller gets the items as refs, while it goes on. It waits when it is too
// far ahead.
beamlet::generator<int> page_numbers(int pages) {
  for (int page = 1; page <= pages; ++page) co_yield page;
}
// [/stream]

// A registered function has this name in errors, statistics and the timeline.
BEAMLET_REMOTE(load);
BEAMLET_REMOTE(count);

int main() {
  auto rt = beamlet::runtime::start().value();
  // [chain]
  auto page = rt.task(load).remote(1);
  auto found = rt.task(split_words).remote(page);  // ref<text> for a parameter const text&
  auto number = rt.task(count).remote(found);
  std::cout << "page 1 has " << rt.get(number).value() << " words\n";
  // [/chain]

  // [wait]
  std::vector<beamlet::ref<int>> counts;
  for (int p = 1; p <= 4; ++p)
    counts.push_back(rt.task(count).remote(rt.task(split_words).remote(rt.task(load).remote(p))));
  auto first = rt.wait(counts, {.num_returns = 1, .timeout = 10s}).value();
  std::cout << "at least one is ready: " << std::boolalpha << !first.ready.empty() << '\n';
  for (auto& c : counts) {
    beamlet::result<int> words_on_page = rt.get(c);
    if (!words_on_page) std::cout << words_on_page.error().describe() << '\n';
  }
  // [/wait]

  // [pin]
  beamlet::ref<words> shared = rt.put(words{"seen", "by", "many"});
  auto view = rt.pin(shared).value();  // no copy; the object stays as long as the view
  std::cout << "the first word: " << view->front() << '\n';
  // [/pin]

  // [items]
  auto numbers = rt.task(page_numbers).backpressure(2).remote(3);
  int items = 0;
  for (;;) {
    beamlet::result<int> n = rt.get(numbers.next());
    if (!n) break;  // errc::end_of_stream, or the generator's error
    ++items;
  }
  std::cout << items << " pages\n";
  // [/items]

  // [options]
  int tries = 0;
  auto flaky = [&tries]() -> beamlet::result<int> {
    if (++tries < 3) return beamlet::errc::busy;
    return tries;
  };
  auto stubborn = rt.task(flaky)
                      .options({.name = "flaky",
                                .max_retries = 5,
                                .retry_exceptions = true,
                                .retry_backoff = 1ms,
                                .deadline = 1min})
                      .remote();
  std::cout << "it worked at try " << rt.get(stubborn).value() << '\n';
  // [/options]
}
