// SPDX-License-Identifier: Apache-2.0
#pragma once

// What drivers make of kernels, kept on disk between runs. A file is named after what its bytes
// were made from, so nothing in it is ever out of date; it is checked whole before a driver sees a
// byte of it, because drivers crash on damaged ones. Losing the cache costs time and nothing else.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "beamlet/base/result.hpp"
#include "ports/descriptor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// What bytes were made from, in 128 bits: the version of Beamlet and everything that was added, in
/// order. Texts are told apart from their concatenations. Not for what an attacker chooses.
class blob_key {
 public:
  blob_key() noexcept;
  blob_key& add(std::string_view text) noexcept;
  blob_key& add(std::span<const std::byte> bytes) noexcept;
  blob_key& add(std::uint64_t number) noexcept;

  /// 32 digits and small letters.
  std::string name() const;
  const std::array<std::uint64_t, 2>& words() const noexcept { return words_; }

 private:
  std::array<std::uint64_t, 2> words_;
};

/// A folder of such files.
///
/// Thread: any, several at a time; several processes may share the folder.
/// Blocks: as long as the disk takes.
class blob_cache {
 public:
  static constexpr std::size_t blob_bytes_max = 64 << 20;
  /// A folder with more than this is emptied when it is opened: what other versions and drivers
  /// left there is not told from what is still used.
  static constexpr std::uint64_t folder_bytes_max = 512 << 20;

  /// Keeps and finds nothing.
  blob_cache() noexcept = default;

  /// Uses the folder `path`, and makes it if its parent is there. A file can be written there now.
  /// Errors: permission (not this user's, or others may write to it; read-only), not_found (its
  /// parent), exhausted, io.
  static result<blob_cache> open(const std::string& path);

  bool is_open() const noexcept { return bool{folder_}; }

  /// Exactly the bytes that were stored, or nothing. A file that is not whole is removed.
  std::optional<std::vector<std::byte>> find(const blob_key& key) const;

  /// Keeps `blob`, in the place of what is there. What cannot be written is left out: it is made
  /// again the next time.
  void store(const blob_key& key, std::span<const std::byte> blob) const;
  void remove(const blob_key& key) const;

 private:
  ports::descriptor folder_;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
