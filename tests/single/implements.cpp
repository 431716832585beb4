// SPDX-License-Identifier: Apache-2.0
// The unit that implements. It has included the header before, as happens through other headers.
#include <beamlet/beamlet.hpp>

#define BEAMLET_IMPLEMENTATION
#include <beamlet/beamlet.hpp>

beamlet::error make_error() {
  beamlet::error_detail detail;
  detail.message = "from the other unit";
  return beamlet::error(beamlet::errc::timeout, beamlet::error_layer::base, std::move(detail));
}
