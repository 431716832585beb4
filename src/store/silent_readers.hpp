// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "beamlet/base/id.hpp"
#include "store/actions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

/// Who reads objects without asking for a pin: a driver may let sessions do so with what is in
/// memory. It is asked in the middle of the store's calls, and must not call back.
class silent_readers {
 public:
  /// From now on nobody begins to read the object so. Names who is reading it, once for each time
  /// and only now: each of these is a pin from now on, to be given back as any other.
  virtual void stop(const object_id& id, std::vector<session_id>& reading) = 0;

 protected:
  ~silent_readers() = default;
};

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
