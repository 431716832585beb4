// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <uv.h>

#include "ports/files.hpp"
#include "ports/port.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// An error of `what` with libuv's negative number.
error uv_failure(const char* what, int code);

/// port::watch_descriptor() on a loop; `count` is that of the watches that live.
result<std::unique_ptr<watch>> make_uv_watch(uv_loop_t* loop, int descriptor,
                                             void (*callback)(void* user, unsigned events),
                                             void* user, unsigned& count);

/// port::start() on a loop; the request joins `in_flight` until it is done.
void start_uv_request(uv_loop_t* loop, file_request& request, file_request::link& in_flight);
void cancel_uv_request(file_request& request);
/// Cancels all and empties the list, which may be gone when they are done.
void cancel_uv_requests(file_request::link& in_flight);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
