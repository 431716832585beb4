// SPDX-License-Identifier: Apache-2.0
#pragma once

// Everything a program needs: includes only.

#include <beamlet/base/codec.hpp>
#include <beamlet/base/error.hpp>
#include <beamlet/base/log.hpp>
#include <beamlet/base/result.hpp>
#include <beamlet/compute/device.hpp>
#include <beamlet/compute/ops.hpp>
#include <beamlet/runtime/actor.hpp>
#include <beamlet/runtime/array.hpp>
#include <beamlet/runtime/buffer.hpp>
#include <beamlet/runtime/child.hpp>
#include <beamlet/runtime/dlpack.hpp>
#include <beamlet/runtime/options.hpp>
#include <beamlet/runtime/progress.hpp>
#include <beamlet/runtime/ref.hpp>
#include <beamlet/runtime/remote.hpp>
#include <beamlet/runtime/runtime.hpp>
#include <beamlet/runtime/scope.hpp>
#include <beamlet/runtime/task.hpp>
#include <beamlet/runtime/tensor.hpp>
#include <beamlet/runtime/this_task.hpp>
#include <beamlet/sched/async.hpp>
#include <beamlet/version.hpp>
