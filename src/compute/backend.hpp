// SPDX-License-Identifier: Apache-2.0
#pragma once

// The contract of a backend: devices, their memory, kernels and a queue. The ops of the library
// become launches of kernels (plan.hpp), so a backend knows buffers, bytes and groups, and no op,
// no tensor and no type of number. tests/conformance/compute/backend_test.cpp holds every backend
// to it.
//
// Every call that can fail returns a `result`; none throws, aborts, prints, or waits without a time
// limit. The driver's own number is in `error::system()`. What is lost stays lost: after
// `errc::device_lost` every call of that device says so again.
//
// Thread: one thread uses a device, and what was made of it, at a time.
// Lifetime: buffers, kernels and queues go before their device; a queue waits for its work first
// (not for longer than `queue_end_ns_max`, after which it leaks what the device may still touch).

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "beamlet/base/result.hpp"
#include "beamlet/base/time.hpp"
#include "beamlet/compute/device.hpp"
#include "compute/cpu/isa.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Grows when a backend built against an older contract could not be used any more.
inline constexpr std::uint32_t backend_api_version = 1;

inline constexpr base::time_ns queue_end_ns_max = 5'000'000'000;

// -- kernels

/// Numbers that are compiled into a kernel: `CONSTANT(i, ...)` of the dialect. The first two are
/// the group's size.
struct kernel_constants {
  static constexpr std::size_t count_max = 12;
  std::array<std::uint32_t, count_max> values{};
  friend bool operator==(const kernel_constants&, const kernel_constants&) = default;
};

/// One launch as a kernel of the cpu backend sees it.
struct cpu_call {
  isa set;
  const kernel_constants* constants;
  std::byte* const* buffers;  ///< where each binding begins
  const std::byte* parameters;

  template <class T>
  const T& parameters_as() const noexcept {
    return *reinterpret_cast<const T*>(parameters);
  }
  template <class T>
  T* buffer(std::size_t index) const noexcept {
    return reinterpret_cast<T*>(buffers[index]);
  }
};

/// A kernel's code for the backends that load a driver. Views of constants, or of what a user's
/// kernel keeps.
struct kernel_code {
  std::string_view opencl_prologue, opencl;  ///< a program's text in two parts; empty: none
  std::string_view opencl_options;           ///< of the compiler, as -DT=f32
  std::span<const std::uint32_t> spirv;      ///< Vulkan's, its entry point is "main"; empty: none
};

/// A kernel in every language it was written in. Those of the library are constants; what a user
/// brings is made at run time.
struct kernel_source {
  /// Runs the groups from `first` to `last` - 1; other threads may run others meanwhile. `groups`
  /// of a launch are multiplied for it: group g is (g % x, g / x % y, g / x / y).
  using cpu_function = void (*)(const cpu_call& call, std::uint64_t first, std::uint64_t last);

  std::string_view name;              ///< also the entry point's in OpenCL C
  std::uint32_t buffers = 0;          ///< bindings 0, 1, ...
  std::uint32_t parameter_bytes = 0;  ///< a struct of 4-byte members
  std::uint32_t constants = 2;        ///< how many of `kernel_constants` it reads
  cpu_function cpu = nullptr;
  const kernel_code* code = nullptr;
  bool storage_16bit = false, storage_8bit = false;  ///< what it needs of the device
};

/// Where a kernel's machine code comes from: `kept` is what an earlier run compiled, as far as the
/// driver tells.
enum class kernel_origin : std::uint8_t { built_in, compiled, kept };

/// A kernel that a device can launch.
class kernel {
 public:
  virtual ~kernel() = default;
  /// What it was compiled from. Lives as long as the program, or its maker sees to that.
  const kernel_source& source() const noexcept { return *source_; }
  const kernel_constants& constants() const noexcept { return constants_; }
  kernel_origin origin() const noexcept { return origin_; }

 protected:
  kernel(const kernel_source& source, const kernel_constants& constants,
         kernel_origin origin) noexcept
      : source_(&source), constants_(constants), origin_(origin) {}
  void set_origin(kernel_origin origin) noexcept { origin_ = origin; }

 private:
  const kernel_source* source_;
  kernel_constants constants_;
  kernel_origin origin_;
};

// -- memory

/// `device`: where kernels reach it fastest. `host`: where the program can map it, for what goes in
/// and out. On unified memory both are the same.
enum class memory_place : std::uint8_t { device, host };
enum class memory_access : std::uint8_t { read, write, read_write };

class device_buffer {
 public:
  virtual ~device_buffer() = default;
  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Whether map() works.
  bool is_mappable() const noexcept { return mappable_; }
  /// Whether it is memory of the program, given to device::import(), that the device works in.
  bool is_imported() const noexcept { return imported_; }

  /// Lets the program see the bytes (`read`), or write all of them (`write`). Until unmap() no
  /// queue may use the buffer. Its address is a multiple of 64 (of a simulator's buffers: of 16).
  ///
  /// REQUIRES: no work that uses it is unfinished, and it is not mapped.
  /// Blocks: as long as the driver copies; no longer than `timeout_ns`.
  /// Errors: unsupported (not mappable), timeout (may be called again, alike), device_lost,
  /// no_memory.
  virtual result<std::byte*> map(memory_access access, base::time_ns timeout_ns) = 0;
  /// What was written is seen by all work submitted after this.
  virtual result<void> unmap() = 0;

 protected:
  device_buffer(std::uint64_t bytes, bool mappable, bool imported) noexcept
      : bytes_(bytes), mappable_(mappable), imported_(imported) {}

 private:
  std::uint64_t bytes_;
  bool mappable_, imported_;
};

// -- work

/// A part of a buffer, from a multiple of device_limits::binding_alignment on.
struct binding {
  device_buffer* memory = nullptr;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  ///< to be seen from there; not 0
};

struct kernel_launch {
  std::span<const binding> bindings;      ///< as many as the kernel has buffers
  std::span<const std::byte> parameters;  ///< aligned as their struct, where a function reads it
  std::array<std::uint32_t, 3> groups{1, 1, 1};  ///< none is 0
};

/// When the device itself worked on what a ticket stands for, in its own nanoseconds, which have
/// no common beginning with the program's. Both 0: not known.
struct device_span {
  std::uint64_t begin_ns = 0, end_ns = 0;
};

/// Work in order: a launch sees everything that those before it wrote.
class device_queue {
 public:
  virtual ~device_queue() = default;

  /// Records; nothing runs before submit() (but it may). What it names must live until wait() has
  /// seen its ticket.
  /// Errors: invalid_argument, device_lost, no_memory.
  virtual result<void> launch(const kernel& what, const kernel_launch& how) = 0;
  virtual result<void> copy(const binding& from, const binding& to) = 0;

  /// Hands over what was recorded since the last time. Tickets count up from 1.
  /// Blocks: no.   Errors: device_lost, no_memory.
  virtual result<std::uint64_t> submit() = 0;

  /// Waits for a ticket, and for all before it.
  /// Errors: timeout (the work goes on), device_lost, no_memory (of a driver that allocates when
  /// work runs).
  virtual result<void> wait(std::uint64_t ticket, base::time_ns timeout_ns) = 0;

  /// Of a ticket that was waited for, if it is one of the last 16.
  virtual device_span span_of(std::uint64_t ticket) const noexcept {
    (void)ticket;
    return {};
  }
};

class device {
 public:
  virtual ~device() = default;
  virtual const device_info& info() const noexcept = 0;

  /// Makes what the driver needs before anything else: a context. Once.
  /// Blocks: the driver's time, up to seconds.   Errors: device_lost, no_memory, unsupported.
  virtual result<void> open() = 0;

  // All below: after open().

  /// Not cleared.   Errors: no_memory, too_large (device_limits::buffer_bytes_max).
  virtual result<std::unique_ptr<device_buffer>> allocate(std::uint64_t bytes,
                                                          memory_place place) = 0;

  /// The program's own memory as a buffer, without a copy. Memory that may only be read is given
  /// with `access` read. It must live, and its pages stay, until the buffer has gone.
  ///
  /// REQUIRES: `memory` begins and ends at multiples of device_limits::import_alignment.
  /// Errors: unsupported (this device, or this kind of memory), no_memory.
  virtual result<std::unique_ptr<device_buffer>> import(std::span<std::byte> memory,
                                                        memory_access access) {
    (void)memory, (void)access;
    return errc::unsupported;
  }

  /// Errors: unsupported (not in this device's language, or it needs a feature that the device does
  /// not have), invalid_argument (it does not compile: with the compiler's own words), no_memory.
  /// Blocks: as long as the driver's compiler takes.
  virtual result<std::unique_ptr<kernel>> compile(const kernel_source& source,
                                                  const kernel_constants& constants) = 0;

  virtual result<std::unique_ptr<device_queue>> make_queue() = 0;
};

// -- backends

/// What the program says to all backends before they look for devices.
struct backend_options {
  /// Runs `piece(0)` to `piece(count - 1)`, on any threads, and returns when all have run. Empty:
  /// the cpu backend works on the calling thread.
  std::function<void(std::size_t count, const std::function<void(std::size_t)>& piece)> parallel;
  std::uint32_t threads = 1;  ///< that `parallel` uses
  /// A folder for what drivers keep between runs; empty: theirs, or none. It is made if its parent
  /// is there; one that cannot be written to costs the cache only.
  std::string cache_folder;
};

struct backend {
  const char* name;
  std::uint32_t api_version;
  /// Loads the driver, which stays loaded, and lists what it has.
  /// REQUIRES: where a cache_folder is given, no other thread reads or changes the environment
  /// during the first call: drivers are told of it there.
  /// Blocks: the driver's time, 20 to 200 ms and more.
  /// Errors: not_found (no driver, or none with a device: with what was looked for, and why there
  /// is none), unsupported.
  result<std::vector<std::unique_ptr<device>>> (*devices)(const backend_options& options);
};

/// Those of this build, the most preferred first (backends.def).
std::span<const backend> backends() noexcept;
/// Null: there is none of that name.
const backend* find_backend(std::string_view name) noexcept;

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
