// SPDX-License-Identifier: Apache-2.0
#include "ports/console.hpp"

#include <unistd.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

bool is_terminal(std::FILE* file) { return isatty(fileno(file)) == 1; }

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
