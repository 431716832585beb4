// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory that several processes map. It is backed by real pages from the start, so that a lack of
// memory is an error of create_shared_memory() and never a SIGBUS later, and it cannot be resized.
// Its life: create, one writer maps it, seal_against_writers(); from then on the descriptor may go
// to anybody, who can map it for reading only. Or: create, write, unmap or make_read_only(),
// seal_content(): then not even the writer can change it.
//
// A plain file may stand in where memory is short or cannot be sealed. There the promises of the
// seals are kept among programs that keep to these functions only.

#include <beamlet/base/result.hpp>
#include <beamlet/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "ports/descriptor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// A segment: what its maker holds. Its memory lives as long as a descriptor or a mapping of it.
struct shared_memory {
  descriptor writer;      ///< may be mapped writable until seal_against_writers()
  descriptor reader;      ///< what readers are given; none where that is `writer` too
  std::size_t bytes = 0;  ///< as asked for; the system rounds up to whole pages
  bool sealable = false;  ///< false: a plain file

  int for_readers() const noexcept { return reader ? reader.number() : writer.number(); }
};

/// Zeroed memory that can be sealed; its size cannot change any more. `name` is for people
/// (/proc/<pid>/maps).
///
/// Thread: any.   Blocks: for as long as the system takes to find the pages, about 0.5 s per GiB.
/// Errors: invalid_argument (0 bytes), too_large (RLIMIT_FSIZE, or more than can be mapped),
/// exhausted (descriptors), no_memory, unsupported (no such memory here: use a file). Nothing is
/// left behind. Beyond a container's limit the system may prefer to end a process: bound what you
/// ask for.
result<shared_memory> create_shared_memory(std::size_t bytes, const char* name);

/// The same in an unlinked file in `folder`: gone with its last descriptor and mapping, whatever
/// happens to the process.
///
/// Thread: any.   Blocks: as create_shared_memory(), or while the file is written with zeros.
/// Errors: also not_found, permission (the folder), exhausted (no space: names the folder), io.
result<shared_memory> create_shared_file(std::size_t bytes, const std::string& folder);

/// From now on nobody can map it writable, write to it or add seals; mappings there are stay as
/// they are.
///
/// Errors: unsupported (a plain file; a kernel below 5.1).
result<void> seal_against_writers(int memory);

/// How long seal_content() naps in all until writable mappings have gone.
inline constexpr base::time_ns seal_wait_ns_max = 32'000'000;

/// From now on nobody can change a byte. Proof that no process maps it writable.
///
/// Blocks: where somebody maps it writable, for seal_wait_ns_max at most: a fork may have the
/// mapping until its exec. Each try takes what the system does to look at every page, and its own
/// wait for pages that are in use.
///
/// Errors: busy (a writable mapping lives), unsupported, permission (sealed otherwise before).
result<void> seal_content(int memory);

/// A part of this process's address space, unmapped with this object. A fork has no such pages: to
/// touch them there is a fault, to destroy the object does nothing.
class mapped_memory {
 public:
  mapped_memory() noexcept = default;
  mapped_memory(mapped_memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        generation_(other.generation_) {}
  mapped_memory& operator=(mapped_memory&& other) noexcept;
  ~mapped_memory() { unmap(); }

  /// Page-aligned; null when there is none. Never to be written where it was mapped for reading.
  std::byte* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }
  /// The same bytes at the same addresses, for reading only from now on: this mapping no longer
  /// hinders seal_content(), and whoever still writes through it faults. `memory` is what it maps.
  ///
  /// REQUIRES: a mapping.   Blocks: no.   Cost: as map_shared_memory().
  /// Errors: no_memory; then there may be no such mapping any more.
  result<void> make_read_only(int memory);
  void unmap() noexcept;

 private:
  friend result<mapped_memory> map_shared_memory(int, const struct memory_claim&);

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint32_t generation_ = 0;
};

/// What a received descriptor is said to be; checked before it is mapped.
struct memory_claim {
  std::size_t bytes = 0;
  bool writable = false;  ///< to be mapped writable; otherwise it must be sealed against writers
  bool file = false;      ///< a plain file, which has no seals that could be checked
};

/// Maps all of it. The descriptor may be closed then.
///
/// Thread: any.   Blocks: no.   Cost: a few system calls; each page costs a fault when first
/// touched. Errors: malformed (it is not what `claim` says; nothing was mapped), permission (it was
/// sealed against writers), no_memory (address space, or too many mappings: vm.max_map_count).
result<mapped_memory> map_shared_memory(int memory, const memory_claim& claim);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
