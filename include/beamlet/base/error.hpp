// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/config.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// Every error code of every layer. The numbers are wire format: never reused, never renumbered.
#define BEAMLET_ERROR_CODES(X)                                                \
  X(ok, 0, "no error")                                                        \
  X(unknown, 1, "unknown error")                                              \
  X(invalid_argument, 2, "invalid argument")                                  \
  X(unsupported, 3, "not supported")                                          \
  X(no_memory, 4, "out of memory")                                            \
  X(timeout, 5, "timed out")                                                  \
  X(deadline, 6, "deadline passed before the task was started")               \
  X(cancelled, 7, "cancelled")                                                \
  X(stopped, 8, "the runtime has stopped")                                    \
  X(queue_full, 9, "queue is full")                                           \
  X(dropped, 10, "dropped by the queue's policy")                             \
  X(infeasible, 11, "asks for more resources than there are")                 \
  X(would_deadlock, 12, "would wait for itself")                              \
  X(would_block, 13, "would block the event loop")                            \
  X(too_deep, 14, "nested too deeply for the stack")                          \
  X(user_exception, 15, "the function threw")                                 \
  X(user_error, 16, "the function returned an error")                         \
  X(not_registered, 17, "function is not registered")                         \
  X(not_found, 18, "not found")                                               \
  X(already_exists, 19, "already exists")                                     \
  X(actor_died, 20, "the actor has ended")                                    \
  X(end_of_stream, 21, "the stream has ended")                                \
  X(malformed, 22, "malformed data")                                          \
  X(too_large, 23, "larger than the limit")                                   \
  X(too_small, 24, "smaller than needed")                                     \
  X(io, 25, "input or output failed")                                         \
  X(closed, 26, "closed")                                                     \
  X(permission, 27, "permission denied")                                      \
  X(busy, 28, "busy")                                                         \
  X(worker_died, 29, "the worker process died")                               \
  X(agent_lost, 30, "the agent is gone")                                      \
  X(object_lost, 31, "the object is lost")                                    \
  X(peer_lost, 32, "the peer is gone")                                        \
  X(forked, 33, "this process is a fork of the one that started the runtime") \
  X(invalid_ref, 34, "the ref is empty")                                      \
  X(exhausted, 35, "a system resource is exhausted")                          \
  X(connection_refused, 36, "connection refused")                             \
  X(device_lost, 37, "the device is lost")

enum class errc : std::uint16_t {
#define BEAMLET_X(name, number, text) name = number,
  BEAMLET_ERROR_CODES(BEAMLET_X)
#undef BEAMLET_X
};

/// The layer that reported an error. Wire format, as the codes.
enum class error_layer : std::uint16_t {
  user = 0,
  base,
  wire,
  cluster,
  ports,
  store,
  sched,
  compute,
  node,
  runtime,
  data,
  infer,
  serve,
  train,
};

/// The sentence of a code, "unknown error" for a number from a newer version. Static lifetime.
std::string_view to_string(errc code) noexcept;
std::string_view to_string(error_layer layer) noexcept;

/// What an error knows beyond its code. Bounded: longer texts are cut
/// (`limits::error_text_bytes_max`).
struct error_detail {
  std::string message;   ///< one sentence that names the thing and, where there is one, the remedy
  std::string type;      ///< the type of the exception that a user function threw, demangled
  std::string function;  ///< the name of the function or task that failed first
  std::string cause;     ///< the first cause, when this error was passed on by a dependency
};

/// A code, the layer and the system's own number, plus a counted pointer to the detail (null where
/// the code says it all). 16 bytes on 64-bit machines; copying a plain one copies two words.
///
/// Thread: a value type; copies may be used on any thread.
class [[nodiscard]] error {
 public:
  error() noexcept = default;
  error(errc code, error_layer layer = error_layer::user,
        std::int32_t system = 0) noexcept  // NOLINT: converts
      : code_(code), layer_(layer), system_(system) {}
  /// Allocates the detail; when that fails the error keeps its code and has no detail.
  error(errc code, error_layer layer, error_detail detail, std::int32_t system = 0) noexcept;
  error(const error& other) noexcept;
  error(error&& other) noexcept
      : code_(other.code_),
        layer_(other.layer_),
        system_(other.system_),
        detail_(std::exchange(other.detail_, nullptr)) {}
  error& operator=(error other) noexcept {
    swap(other);
    return *this;
  }
  ~error() {
    if (detail_ != nullptr) release();
  }

  errc code() const noexcept { return code_; }
  error_layer layer() const noexcept { return layer_; }
  /// The system's or driver's own number (errno, a negative libuv code), 0 where there is none.
  std::int32_t system() const noexcept { return system_; }
  /// Null where the code says it all. Valid as long as this error or a copy of it lives.
  const error_detail* detail() const noexcept;
  /// The detail's message, else the code's sentence.
  std::string_view message() const noexcept;
  std::string_view type() const noexcept;
  std::string_view function() const noexcept;
  std::string_view cause() const noexcept;
  /// One line for people: function, code, message, type, first cause.
  std::string describe() const;

  /// Two errors are equal when code, layer and system number are.
  friend bool operator==(const error& a, const error& b) noexcept {
    return a.code_ == b.code_ && a.layer_ == b.layer_ && a.system_ == b.system_;
  }
  friend bool operator==(const error& a, errc code) noexcept { return a.code_ == code; }

 private:
  struct counted_detail;
  void release() noexcept;
  void swap(error& other) noexcept {
    std::swap(code_, other.code_);
    std::swap(layer_, other.layer_);
    std::swap(system_, other.system_);
    std::swap(detail_, other.detail_);
  }

  errc code_ = errc::ok;
  error_layer layer_ = error_layer::user;
  std::int32_t system_ = 0;
  counted_detail* detail_ = nullptr;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
