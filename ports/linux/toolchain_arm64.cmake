# SPDX-License-Identifier: Apache-2.0
# Static programs for arm64 Linux with Debian's cross compiler, tested under qemu-user: ./dev cross arm64
set(beamlet_triplet aarch64-linux-gnu)
set(beamlet_processor aarch64)
set(beamlet_emulator qemu-aarch64-static)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain_debian.cmake)
