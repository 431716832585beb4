// SPDX-License-Identifier: Apache-2.0
#include "beamlet/base/dtype.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {

std::string dtype::name() const {
  switch (kind) {
    case number_kind::signed_integer: return "i" + std::to_string(bits);
    case number_kind::unsigned_integer: return "u" + std::to_string(bits);
    case number_kind::floating: return "f" + std::to_string(bits);
    case number_kind::brain_floating: return "bf" + std::to_string(bits);
    case number_kind::boolean: return "bool";
  }
  return "unknown";
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
