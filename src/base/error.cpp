// SPDX-License-Identifier: Apache-2.0
#include "beamlet/base/error.hpp"

#include <atomic>
#include <cstdio>
#include <new>

#include "beamlet/base/limits.hpp"
#include "beamlet/base/panic.hpp"
#include "beamlet/base/result.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {

struct error::counted_detail {
  error_detail detail;
  std::atomic<std::uint32_t> references{1};
};

namespace {
void cut_text(std::string& text) {
  if (text.size() > limits::error_text_bytes_max) text.resize(limits::error_text_bytes_max);
}
}  // namespace

std::string_view to_string(errc code) noexcept {
  switch (code) {
#define BEAMLET_X(name, number, text) \
  case errc::name: return text;
    BEAMLET_ERROR_CODES(BEAMLET_X)
#undef BEAMLET_X
  }
  return "unknown error";
}

std::string_view to_string(error_layer layer) noexcept {
  static constexpr std::string_view names[] = {"user",  "base",  "wire",    "cluster", "ports",
                                               "store", "sched", "compute", "node",    "runtime",
                                               "data",  "infer", "serve",   "train"};
  auto index = static_cast<std::size_t>(layer);
  return index < std::size(names) ? names[index] : "unknown";
}

error::error(errc code, error_layer layer, error_detail detail, std::int32_t system) noexcept
    : code_(code), layer_(layer), system_(system), detail_(new (std::nothrow) counted_detail) {
  if (detail_ == nullptr) return;
  for (std::string* text : {&detail.message, &detail.type, &detail.function, &detail.cause})
    cut_text(*text);
  detail_->detail = std::move(detail);
}

error::error(const error& other) noexcept
    : code_(other.code_), layer_(other.layer_), system_(other.system_), detail_(other.detail_) {
  if (detail_ != nullptr) detail_->references.fetch_add(1, std::memory_order_relaxed);
}

void error::release() noexcept {
  if (detail_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete detail_;
}

const error_detail* error::detail() const noexcept {
  return detail_ != nullptr ? &detail_->detail : nullptr;
}

std::string_view error::message() const noexcept {
  return detail_ != nullptr && !detail_->detail.message.empty()
             ? std::string_view(detail_->detail.message)
             : to_string(code_);
}

std::string_view error::type() const noexcept {
  return detail_ != nullptr ? detail_->detail.type : std::string_view();
}

std::string_view error::function() const noexcept {
  return detail_ != nullptr ? detail_->detail.function : std::string_view();
}

std::string_view error::cause() const noexcept {
  return detail_ != nullptr ? detail_->detail.cause : std::string_view();
}

void detail::panic_without_value(const error& e) noexcept {
  static char text[limits::error_text_bytes_max];  // static, because a panic is
  std::snprintf(text, sizeof text, "%s", e.describe().c_str());
  panic({"the result has a value", text, __FILE__, __LINE__});
}

std::string error::describe() const {
  std::string line;
  if (!function().empty()) line.append(function()).append(": ");
  line.append(to_string(code_));
  if (message() != to_string(code_)) line.append(": ").append(message());
  if (!type().empty()) line.append(" [").append(type()).append("]");
  if (!cause().empty()) line.append("; first cause: ").append(cause());
  if (system_ != 0) line.append(" (system error ").append(std::to_string(system_)).append(")");
  return line;
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
