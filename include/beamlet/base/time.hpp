// SPDX-License-Identifier: Apache-2.0
#pragma once

// Time as the library counts it: nanoseconds in 64 bits, of a clock that a port reads. Here are
// only the types and the arithmetic that cannot overflow; nothing in this layer knows what time it
// is.

#include <beamlet/config.hpp>

#include <chrono>
#include <cstdint>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// A span of time in options. Any std::chrono duration converts.
using duration = std::chrono::nanoseconds;

namespace base {

/// A point of a port's clock (monotonic or since boot), in nanoseconds. 584 years fit.
using time_ns = std::uint64_t;

/// A deadline that never comes.
inline constexpr time_ns never_ns = UINT64_MAX;

/// Nanoseconds of a span: 0 for a negative one or a NaN, `duration::max()` for one that does not
/// fit.
template <class Rep, class Period>
constexpr std::int64_t saturated_ns(std::chrono::duration<Rep, Period> span) noexcept {
  using seconds = std::chrono::duration<double>;
  if (!(span > span.zero())) return 0;
  if (seconds(span) >= seconds(duration::max())) return duration::max().count();
  return std::chrono::duration_cast<duration>(span).count();
}

/// The point `timeout` after `now_ns`. A negative timeout has passed already (`now_ns`); one that
/// does not fit never comes (`never_ns`).
template <class Rep, class Period>
constexpr time_ns deadline_after(time_ns now_ns,
                                 std::chrono::duration<Rep, Period> timeout) noexcept {
  auto span = static_cast<time_ns>(saturated_ns(timeout));
  if (span == static_cast<time_ns>(duration::max().count()) || span > never_ns - now_ns)
    return never_ns;
  return now_ns + span;
}

/// What is left until `deadline_ns`, 0 when it has passed; `duration::max()` when it is further
/// away.
constexpr duration time_left(time_ns now_ns, time_ns deadline_ns) noexcept {
  constexpr auto max = static_cast<time_ns>(duration::max().count());
  time_ns left = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
  return duration(static_cast<std::int64_t>(left < max && deadline_ns != never_ns ? left : max));
}

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
