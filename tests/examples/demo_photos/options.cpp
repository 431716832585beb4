// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <charconv>
#include <optional>

#include "job.hpp"

namespace demo {
namespace {

constexpr int workers_max = 256;

// Takes the command line from left to right; the first thing wrong stays in `wrong`.
struct option_reader {
  int argc;
  const char* const* argv;
  int next = 1;
  std::string wrong = {};

  std::optional<std::string_view> take() {
    if (next >= argc || !wrong.empty()) return std::nullopt;
    return argv[next++];
  }

  std::string_view text_of(std::string_view option) {
    const auto text = take();
    if (!text || text->empty()) wrong = std::string(option) + " needs a value";
    return text.value_or("");
  }

  int number_of(std::string_view option, int least, int most) {
    const std::string_view text = text_of(option);
    int number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = failed == std::errc() && end == text.data() + text.size();
    if (wrong.empty() && (!whole || number < least || number > most)) {
      wrong = std::string(option) + " takes a whole number from " + std::to_string(least) + " to " +
              std::to_string(most) + ", not '" + std::string(text) + "'";
    }
    return number;
  }
};

}  // namespace

std::variant<options, std::string> read_options(int argc, const char* const* argv) {
  options chosen;
  option_reader reader{argc, argv};
  while (const auto word = reader.take()) {
    if (*word == "--repeat") chosen.repeat = reader.number_of(*word, 1, rounds_max);
    else if (*word == "--workers") chosen.workers = reader.number_of(*word, 0, workers_max);
    else if (*word == "--out") chosen.out = reader.text_of(*word);
    else if (*word == "--generate") chosen.generate = true;
    else if (*word == "--processes") chosen.processes = true;
    else if (*word == "--device") chosen.device = reader.text_of(*word);
    else if (*word == "--help") chosen.help = true;
    else if (word->starts_with("-")) reader.wrong = "unknown option '" + std::string(*word) + "'";
    else if (word->empty()) reader.wrong = "the folder's name is empty";
    else if (!chosen.folder.empty()) reader.wrong = "only one folder can be given";
    else chosen.folder = *word;
  }
  if (!reader.wrong.empty()) return reader.wrong;
  if (chosen.generate && !chosen.folder.empty()) {
    return std::string("--generate takes the place of a folder");
  }
  return chosen;
}

}  // namespace demo
