// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every macro that a user may set, and every environment variable that Beamlet reads.
//
// BEAMLET_IMPLEMENTATION   macro, single header only: define it in exactly one .cpp
// BEAMLET_INTERNALS        macro, single header only: shows the internal headers (tests)
// BEAMLET_OPENCL, BEAMLET_VULKAN
//                          macros, where the library is compiled: 0 leaves that backend out.
//                          Without them it is in where its headers are (CL/cl.h, vulkan/vulkan.h)
// BEAMLET_LOG              environment: from which level on messages reach the log sink:
//                          trace debug info warning error off
// BEAMLET_DEVICE           environment: which device computes: cpu, opencl, opencl:1, vulkan, or a
//                          part of its name; without it the one that is expected to be done first
// BEAMLET_ALLOW_SOFTWARE   environment: 1 lets drivers that compute on the processor be chosen
// BEAMLET_RUNTIME_DIR      environment: the folder in which named boxes are found; without it
//                          $XDG_RUNTIME_DIR/beamlet, else /tmp/beamlet-USER
// VK_DRIVER_FILES, VK_ICD_FILENAMES
//                          environment of Vulkan's own loader: where one is set, drivers that the
//                          loader does not show are not looked for

#include <beamlet/version.hpp>

#if defined(__cpp_exceptions)
#define BEAMLET_HAS_EXCEPTIONS 1
#else
#define BEAMLET_HAS_EXCEPTIONS 0
#endif

#if defined(__cpp_rtti) || defined(__GXX_RTTI)
#define BEAMLET_HAS_RTTI 1
#else
#define BEAMLET_HAS_RTTI 0
#endif

#if defined(__SANITIZE_THREAD__)
#define BEAMLET_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BEAMLET_THREAD_SANITIZER 1
#endif
#endif
#ifndef BEAMLET_THREAD_SANITIZER
#define BEAMLET_THREAD_SANITIZER 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define BEAMLET_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BEAMLET_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef BEAMLET_ADDRESS_SANITIZER
#define BEAMLET_ADDRESS_SANITIZER 0
#endif

// Memory and thread sanitizers see more in malloc's blocks than in a pool's.
#if BEAMLET_ADDRESS_SANITIZER || BEAMLET_THREAD_SANITIZER
#define BEAMLET_MEMORY_IS_WATCHED 1
#else
#define BEAMLET_MEMORY_IS_WATCHED 0
#endif

// What instruction sets a source may hold variants for; which of them run is found out at run time.
#if defined(__x86_64__)
#define BEAMLET_X86_64 1
#else
#define BEAMLET_X86_64 0
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#define BEAMLET_NEON 1
#else
#define BEAMLET_NEON 0
#endif

// Backends that this compilation of the library has. Both load their drivers at run time.
#ifndef BEAMLET_OPENCL
#if __has_include(<CL/cl.h>) && __has_include(<CL/cl_icd.h>)
#define BEAMLET_OPENCL 1
#else
#define BEAMLET_OPENCL 0
#endif
#endif
#ifndef BEAMLET_VULKAN
#if __has_include(<vulkan/vulkan.h>)
#define BEAMLET_VULKAN 1
#else
#define BEAMLET_VULKAN 0
#endif
#endif
