# SPDX-License-Identifier: Apache-2.0
# Static programs for 32-bit ARM Linux with Debian's cross compiler, tested under qemu-user: ./dev cross armhf
set(beamlet_triplet arm-linux-gnueabihf)
set(beamlet_processor arm)
set(beamlet_emulator qemu-arm-static)
# g++ would note at every call that it passes such arguments otherwise than g++ 6 did.
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain_debian.cmake)
