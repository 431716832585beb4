// SPDX-License-Identifier: Apache-2.0
#include "compute/blob_cache.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include "beamlet/version.hpp"
#include "ports/files.hpp"
#include "store/crc32c.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

using ports::file_operation;
using ports::file_request;

// What a file begins with. In this machine's byte order: another one's has another magic.
struct blob_header {
  std::uint64_t magic = 0x31626f6c42746c42;  // "BltBlob1"
  std::array<std::uint64_t, 2> key{};
  std::uint64_t bytes = 0;
  std::uint32_t unused = 0;
  std::uint32_t checksum = 0;  // of all before it, then of the bytes
};
static_assert(sizeof(blob_header) == 40);

std::uint32_t checksum_of(const blob_header& header, std::span<const std::byte> bytes) noexcept {
  const auto head = std::as_bytes(std::span(&header, 1));
  return store::crc32c(bytes, store::crc32c(head.first(offsetof(blob_header, checksum))));
}

// While a blob is written its file has another name.
std::string unfinished(std::string name) { return std::move(name) + ".new"; }

errc do_with_file(file_request& request, file_operation operation, int file,
                  std::string name = {}) {
  request.operation = operation;
  request.file = file;
  request.name = std::move(name);
  ports::perform(request);
  return request.why.code();
}

// A new file with these bytes, one after the other.
errc write_new_file(int folder, const std::string& name,
                    std::initializer_list<std::span<const std::byte>> parts) {
  file_request create, write;
  if (errc why = do_with_file(create, file_operation::create, folder, name); why != errc::ok)
    return why;
  const ports::descriptor file(create.opened);
  for (std::span<const std::byte> part : parts) {
    write.from = part;
    if (errc why = do_with_file(write, file_operation::write, file.number()); why != errc::ok)
      return why;
    write.offset += part.size();
  }
  return errc::ok;
}

void remove_file(int folder, std::string name) {
  file_request request;
  do_with_file(request, file_operation::remove, folder, std::move(name));
}

bool is_name_of_blob(std::string_view name) {
  if (name.ends_with(".new")) name.remove_suffix(4);
  return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

// Other files than blobs may lie there; they are not looked at.
void keep_within(std::uint64_t bytes_max, int folder) {
  file_request list;
  do_with_file(list, file_operation::list, folder);
  std::uint64_t bytes = 0;
  for (const auto& each : list.entries)
    if (is_name_of_blob(each.name)) bytes += each.bytes;
  if (bytes <= bytes_max) return;
  for (const auto& each : list.entries)
    if (is_name_of_blob(each.name)) remove_file(folder, each.name);
}

// All of a file; nothing where there is none, or more than a blob can be.
std::optional<std::vector<std::byte>> read_whole_file(int folder, std::string name) {
  file_request open, read;
  if (do_with_file(open, file_operation::open, folder, std::move(name)) != errc::ok) return {};
  const ports::descriptor file(open.opened);
  std::vector<std::byte> bytes;
  if (open.count > sizeof(blob_header) + blob_cache::blob_bytes_max) return bytes;
  bytes.resize(static_cast<std::size_t>(open.count));
  read.into = bytes;
  if (do_with_file(read, file_operation::read, file.number()) != errc::ok) return {};
  bytes.resize(static_cast<std::size_t>(read.count));
  return bytes;
}

}  // namespace

// -- keys

blob_key::blob_key() noexcept : words_{0x243f6a8885a308d3, 0x13198a2e03707344} {
  add(BEAMLET_VERSION_MAJOR).add(BEAMLET_VERSION_MINOR).add(BEAMLET_VERSION_PATCH);
}

blob_key& blob_key::add(std::uint64_t number) noexcept {
  // Two lanes that multiply by different odd numbers, and carry high bits down to low ones.
  constexpr std::uint64_t factors[] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f};
  for (std::size_t i = 0; i < 2; ++i) {
    std::uint64_t& word = words_[i];
    word = (word ^ number) * factors[i];
    word = (word ^ word >> 29) * factors[1 - i];
    word ^= word >> 32;
  }
  return *this;
}

blob_key& blob_key::add(std::span<const std::byte> bytes) noexcept {
  add(bytes.size());
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t count = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), count);
    add(word);
    bytes = bytes.subspan(count);
  }
  return *this;
}

blob_key& blob_key::add(std::string_view text) noexcept {
  return add(std::as_bytes(std::span(text.data(), text.size())));
}

std::string blob_key::name() const {
  std::string text;
  for (std::uint64_t word : words_)
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
  return text;
}

// -- the folder

result<blob_cache> blob_cache::open(const std::string& path) {
  file_request open, probe;
  if (do_with_file(open, file_operation::open_folder, ports::no_folder, path) != errc::ok)
    return open.why;
  blob_cache made;
  made.folder_ = ports::descriptor(open.opened);
  // A folder may be there and refuse files: on a disk that is full, or was mounted read-only.
  const std::string name = unfinished("probe");
  remove_file(open.opened, name);
  if (do_with_file(probe, file_operation::create, open.opened, name) == errc::ok) {
    const ports::descriptor file(probe.opened);
    remove_file(open.opened, name);
  } else if (probe.why.code() != errc::already_exists) {  // by another process, now
    return probe.why;
  }
  keep_within(folder_bytes_max, open.opened);
  return made;
}

std::optional<std::vector<std::byte>> blob_cache::find(const blob_key& key) const {
  if (!is_open()) return {};
  auto bytes = read_whole_file(folder_.number(), key.name());
  if (!bytes.has_value()) return {};
  blob_header header;
  if (bytes->size() >= sizeof header) {
    std::memcpy(&header, bytes->data(), sizeof header);
    const auto blob = std::span(*bytes).subspan(sizeof header);
    if (header.magic == blob_header().magic && header.key == key.words() &&
        header.bytes == blob.size() && header.checksum == checksum_of(header, blob)) {
      bytes->erase(bytes->begin(), bytes->begin() + sizeof header);
      return bytes;
    }
  }
  remove(key);
  return {};
}

void blob_cache::store(const blob_key& key, std::span<const std::byte> blob) const {
  if (!is_open() || blob.size() > blob_bytes_max) return;
  blob_header header;
  header.key = key.words();
  header.bytes = blob.size();
  header.checksum = checksum_of(header, blob);
  file_request rename;
  rename.new_name = key.name();
  const std::string name = unfinished(key.name());
  const errc why =
      write_new_file(folder_.number(), name, {std::as_bytes(std::span(&header, 1)), blob});
  if (why == errc::ok &&
      do_with_file(rename, file_operation::rename, folder_.number(), name) == errc::ok)
    return;
  // Not whole, or left behind by a process that was killed, or another one is writing it this
  // moment: the checksum tells, whichever of them comes to have the name.
  remove_file(folder_.number(), name);
}

void blob_cache::remove(const blob_key& key) const {
  if (is_open()) remove_file(folder_.number(), key.name());
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
