// SPDX-License-Identifier: Apache-2.0
// An error as the value could not be told from a failure.
#include <beamlet/beamlet.hpp>

#ifdef BEAMLET_MUST_NOT_COMPILE
beamlet::errc reset() { return beamlet::errc::io; }
#else
beamlet::result<void> reset() { return beamlet::errc::io; }
#endif
auto call(const beamlet::runtime& rt) { return rt.task(reset).remote(); }
