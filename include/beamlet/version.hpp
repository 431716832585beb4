// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one place that holds the version; CMake reads these three lines.
#define BEAMLET_VERSION_MAJOR 0
#define BEAMLET_VERSION_MINOR 1
#define BEAMLET_VERSION_PATCH 0

// Every symbol lives in an inline namespace named after the ABI, so that two incompatible copies of
// Beamlet in one program fail to link or live side by side instead of mixing their structs.
// Raised whenever the layout of a public type changes.
#define BEAMLET_ABI v0
