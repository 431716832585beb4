# SPDX-License-Identifier: Apache-2.0
# What the cross targets share. BEAMLET_SYSROOT holds unpacked Debian packages of the target; nothing
# of the build machine is found in their place.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${beamlet_processor})
set(CMAKE_CXX_COMPILER ${beamlet_triplet}-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR ${beamlet_emulator})
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
set(CMAKE_LIBRARY_ARCHITECTURE ${beamlet_triplet})

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BEAMLET_SYSROOT)
set(CMAKE_FIND_ROOT_PATH ${BEAMLET_SYSROOT} /usr/${beamlet_triplet})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${BEAMLET_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${BEAMLET_SYSROOT}/usr/lib/${beamlet_triplet}/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")
