// SPDX-License-Identifier: Apache-2.0
// How errors of user functions are told, and how they are passed on to what depends on them.

#include "beamlet/sched/core.hpp"
#include "beamlet/sched/coroutine.hpp"
#include "beamlet/sched/extra.hpp"
#include "beamlet/sched/function_names.hpp"

#if BEAMLET_HAS_EXCEPTIONS
#include <cxxabi.h>

#include <exception>
#include <new>
#endif
#include <cstdlib>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

error passed_on(const cell& task, const error& cause) {
  error_detail detail;
  detail.message = "an argument failed";
  detail.type = cause.type();
  detail.function = function_name(task);
  detail.cause = cause.cause().empty() ? cause.describe() : std::string(cause.cause());
  return error(cause.code(), cause.layer(), std::move(detail), cause.system());
}

error named(const cell& task, error e) {
  if (!e.function().empty()) return e;
  error_detail detail = e.detail() != nullptr ? *e.detail() : error_detail{};
  detail.function = function_name(task);
  return error(e.code(), e.layer(), std::move(detail), e.system());
}

#if BEAMLET_HAS_EXCEPTIONS
namespace {

std::string thrown_type() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return {};
  int status = 0;
  char* readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string text = status == 0 && readable != nullptr ? readable : type->name();
  std::free(readable);
  return text;
}

}  // namespace

error describe_exception(const cell& task) noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return error(errc::no_memory, error_layer::user,
                 {"the function ran out of memory", "std::bad_alloc", function_name(task), ""});
  } catch (const std::exception& e) {
    return error(errc::user_exception, error_layer::user,
                 {e.what(), thrown_type(), function_name(task), ""});
  } catch (...) {
    return error(errc::user_exception, error_layer::user,
                 {"", thrown_type(), function_name(task), ""});
  }
}

error current_exception_error(coroutine_root* root) noexcept {
  return root != nullptr && root->target != nullptr ? describe_exception(*root->target)
                                                    : error(errc::user_exception);
}
#endif

// -- extra

cell_extra* extra_of(cell& x) noexcept {
  cell_extra* seen = x.extra.load(std::memory_order_acquire);
  if (seen != nullptr) return seen;
  auto* fresh = new (std::nothrow) cell_extra;
  if (fresh == nullptr) return nullptr;
  if (x.extra.compare_exchange_strong(seen, fresh, std::memory_order_acq_rel)) return fresh;
  delete fresh;
  return seen;
}

void destroy_extra(cell_extra* extra) noexcept {
  if (extra == nullptr) return;
  if (coroutine_root* root = extra->root.load(std::memory_order_acquire)) root->release();
  if (outside* o = extra->away.load(std::memory_order_acquire)) extra->forget_outside(o);
  if (extra->held.drop != nullptr) extra->held.drop(extra->held.keeper);
  if (cell* producer = extra->producer.load(std::memory_order_acquire)) producer->release();
  delete extra;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
