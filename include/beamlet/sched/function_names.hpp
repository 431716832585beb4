// SPDX-License-Identifier: Apache-2.0
#pragma once

// The names of functions, taken from what the compiler prints of a template argument, and the
// process-wide list that BEAMLET_REMOTE fills before main. The list is a chain of static objects:
// nothing is allocated for it.

#include <beamlet/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

template <class T>
constexpr std::string_view spelled_type() noexcept {
  std::string_view text = __PRETTY_FUNCTION__;
  std::size_t from = text.find("T = ");
  if (from == std::string_view::npos) return text;
  text.remove_prefix(from + 4);
  std::size_t to = text.find("; ");
  return text.substr(0, to != std::string_view::npos ? to : text.rfind(']'));
}

template <auto F>
constexpr std::string_view spelled_value() noexcept {
  std::string_view text = __PRETTY_FUNCTION__;
  std::size_t from = text.find("F = ");
  if (from == std::string_view::npos) return text;
  text.remove_prefix(from + 4);
  std::size_t to = text.find("; ");
  return text.substr(0, to != std::string_view::npos ? to : text.rfind(']'));
}

/// "int add(int, int)" or "&detector::run" -> "add", "detector::run"; the same from g++ and clang.
std::string readable_value(std::string_view spelled);
/// A type for people: "main()::<lambda()>" -> "lambda in main()".
std::string readable_type(std::string_view spelled);

/// Empty when nothing was registered under this key.
std::string registered_name(const void* key);

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
