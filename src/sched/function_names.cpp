// SPDX-License-Identifier: Apache-2.0
#include "beamlet/sched/function_names.hpp"

#include <algorithm>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

std::string readable_value(std::string_view spelled) {
  std::string text(spelled);
  replace_all(text, "{anonymous}::", "");
  replace_all(text, "(anonymous namespace)::", "");
  // A cast selects an overload: "(int (*)(int))add", "((int (*)(int))add)": the name is what
  // follows the last ')'.
  while (!text.empty() && text.front() == '(' && text.back() == ')')
    text = text.substr(1, text.size() - 2);
  if (std::size_t at = text.rfind(')'); at != std::string::npos && at + 1 < text.size())
    text.erase(0, at + 1);
  if (!text.empty() && text.front() == '&') text.erase(0, 1);
  return text;
}

std::string readable_type(std::string_view spelled) {
  std::string text(spelled);
  replace_all(text, "{anonymous}::", "");
  replace_all(text, "(anonymous namespace)::", "");
  std::size_t lambda = text.find("<lambda");
  if (lambda != std::string::npos && lambda >= 2) return "lambda in " + text.substr(0, lambda - 2);
  if (text.find("(lambda at ") != std::string::npos) return "lambda";
  return text;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
