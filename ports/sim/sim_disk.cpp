// SPDX-License-Identifier: Apache-2.0
#include "ports/sim/sim_disk.hpp"

#include <algorithm>
#include <set>

#include "ports/port_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

constexpr std::size_t sim_sector_bytes = 512;  // written whole or not at all

error disk_error(errc code, const file_request& request, const char* what) {
  return port_error(code, "'" + request.name + "' " + what);
}

bool names_one_file(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

void put_bytes(std::vector<std::byte>& file, std::uint64_t offset,
               std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  auto begin = static_cast<std::size_t>(offset);
  if (file.size() < begin + bytes.size()) file.resize(begin + bytes.size());
  std::copy(bytes.begin(), bytes.end(), file.begin() + static_cast<std::ptrdiff_t>(begin));
}

void flip_bit(std::span<std::byte> bytes, base::rng& random) {
  std::uint32_t bit = random.below(static_cast<std::uint32_t>(bytes.size() * 8));
  bytes[bit / 8] ^= std::byte{1} << (bit % 8);
}

}  // namespace

std::uint64_t sim_disk::latency_ns() {
  auto range = static_cast<std::uint32_t>(faults_.latency_ns_max - faults_.latency_ns_min);
  return faults_.latency_ns_min + random_.below(range + 1);
}

void sim_disk::perform(file_request& request) {
  request.why = fault(request);
  if (request.why.code() == errc::ok) request.why = operate(request);
}

error sim_disk::fault(const file_request& request) {
  auto operation = request.operation;
  if (operation == file_operation::close) return {};
  bool grows = operation == file_operation::write || operation == file_operation::create;
  bool changes_names = operation == file_operation::remove || operation == file_operation::rename;
  if (faults_.read_only && (grows || changes_names))
    return disk_error(errc::permission, request, "is on a file system that is read-only");
  if (faults_.fails_at != 0 && --faults_.fails_at == 0)
    return disk_error(faults_.fails_with, request, "failed, as was asked for");
  if (chance(faults_.io_error)) return disk_error(errc::io, request, "failed");
  if (grows && chance(faults_.no_space)) {
    return disk_error(errc::exhausted, request, "finds the disk full");
  }
  return {};
}

error sim_disk::operate(file_request& request) {
  auto operation = request.operation;
  auto found = opened_.find(request.file);
  if (operation == file_operation::open_folder && request.file == no_folder) {
    return open_folder(request);
  }
  if (found == opened_.end()) {
    return disk_error(errc::invalid_argument, request, "is not of an open file");
  }
  node_pointer held = found->second;
  bool is_folder = held->is == node::kind::folder;
  bool wants_file = operation == file_operation::write || operation == file_operation::read;
  if (operation != file_operation::close && operation != file_operation::sync &&
      is_folder == wants_file) {
    return disk_error(errc::invalid_argument, request, "takes a folder for a file");
  }
  bool named = operation == file_operation::open_folder || operation == file_operation::create ||
               operation == file_operation::open || operation == file_operation::remove ||
               operation == file_operation::rename;
  if (named && !names_one_file(request.name)) {
    return disk_error(errc::invalid_argument, request, "is not the name of a file");
  }
  switch (operation) {
    case file_operation::open_folder: return open_folder(request);
    case file_operation::create: return create(request, *held);
    case file_operation::open: return open(request, *held);
    case file_operation::close: opened_.erase(found); return {};
    case file_operation::write: return write_bytes(request, *held);
    case file_operation::read: return read_bytes(request, *held);
    case file_operation::sync:
      held->synced_bytes = held->bytes;
      held->unsynced.clear();
      held->synced_entries = held->entries;
      return {};
    case file_operation::remove: return remove(request, *held);
    case file_operation::rename: return rename(request, *held);
    case file_operation::list:
      request.entries.clear();
      for (auto& [name, each] : held->entries) {
        request.entries.push_back({name, each->bytes.size(), each->is == node::kind::folder});
      }
      return {};
    case file_operation::free_space:
      request.count = faults_.capacity_bytes - std::min(faults_.capacity_bytes, used_bytes());
      return {};
  }
  return errc::invalid_argument;
}

error sim_disk::open_folder(file_request& request) {
  bool is_root = request.file == no_folder;
  auto& place = is_root ? roots_ : opened_[request.file]->entries;
  node_pointer& folder = place[request.name];
  if (folder == nullptr) {
    folder = std::make_shared<node>();
    folder->is = node::kind::folder;
  }
  if (folder->is != node::kind::folder) {
    return disk_error(errc::permission, request, "is a link or a file");
  }
  request.opened = hand_out(folder);
  return {};
}

error sim_disk::create(file_request& request, node& folder) {
  node_pointer& file = folder.entries[request.name];
  if (file != nullptr) return disk_error(errc::already_exists, request, "is there already");
  file = std::make_shared<node>();
  request.opened = hand_out(file);
  return {};
}

error sim_disk::open(file_request& request, node& folder) {
  auto found = folder.entries.find(request.name);
  if (found == folder.entries.end()) return disk_error(errc::not_found, request, "is not there");
  if (found->second->is != node::kind::file) {
    return disk_error(errc::permission, request, "is no plain file");
  }
  request.count = found->second->bytes.size();
  request.opened = hand_out(found->second);
  return {};
}

error sim_disk::write_bytes(file_request& request, node& file) {
  auto bytes = request.from;
  error why;
  std::uint64_t end = request.offset + bytes.size();
  std::uint64_t growth = end - std::min<std::uint64_t>(end, file.bytes.size());
  std::uint64_t room = faults_.capacity_bytes - std::min(faults_.capacity_bytes, used_bytes());
  if (growth > room) {
    bytes = bytes.first(bytes.size() - std::min<std::size_t>(bytes.size(), growth - room));
    why = disk_error(errc::exhausted, request, "finds the disk full");
  } else if (!bytes.empty() && chance(faults_.torn_write)) {
    bytes = bytes.first(random_.below(static_cast<std::uint32_t>(bytes.size())));
    why = disk_error(errc::io, request, "was written in part");
  }
  put_bytes(file.bytes, request.offset, bytes);
  file.unsynced.push_back({request.offset, {bytes.begin(), bytes.end()}});
  request.count = bytes.size();
  return why;
}

error sim_disk::read_bytes(file_request& request, node& file) {
  auto offset = std::min<std::uint64_t>(request.offset, file.bytes.size());
  auto bytes = std::span(file.bytes).subspan(static_cast<std::size_t>(offset));
  bytes = bytes.first(std::min(bytes.size(), request.into.size()));
  std::copy(bytes.begin(), bytes.end(), request.into.begin());
  request.count = bytes.size();
  if (!bytes.empty() && chance(faults_.flipped_bit)) {
    flip_bit(request.into.first(bytes.size()), random_);
  }
  return {};
}

error sim_disk::remove(file_request& request, node& folder) {
  auto found = folder.entries.find(request.name);
  if (found == folder.entries.end()) return disk_error(errc::not_found, request, "is not there");
  if (!found->second->entries.empty()) return disk_error(errc::io, request, "is not empty");
  folder.entries.erase(found);
  return {};
}

error sim_disk::rename(file_request& request, node& folder) {
  if (!names_one_file(request.new_name))
    return disk_error(errc::invalid_argument, request, "cannot be named so");
  auto found = folder.entries.find(request.name);
  if (found == folder.entries.end()) return disk_error(errc::not_found, request, "is not there");
  node_pointer renamed = std::move(found->second);
  folder.entries.erase(found);
  folder.entries[request.new_name] = std::move(renamed);
  return {};
}

int sim_disk::hand_out(node_pointer opened) {
  opened_[next_opened_] = std::move(opened);
  return next_opened_++;
}

std::uint64_t sim_disk::used_bytes() const {
  // Open files take their space also when they have no name any more.
  std::set<const node*> seen;
  std::uint64_t used = 0;
  std::vector<const node*> left;
  for (auto& [path, folder] : roots_) left.push_back(folder.get());
  for (auto& [number, each] : opened_) left.push_back(each.get());
  while (!left.empty()) {
    const node* each = left.back();
    left.pop_back();
    if (!seen.insert(each).second) continue;
    used += each->bytes.size();
    for (auto& [name, entry] : each->entries) left.push_back(entry.get());
  }
  return used;
}

sim_disk::node* sim_disk::find(const std::string& path) {
  if (auto root = roots_.find(path); root != roots_.end()) return root->second.get();
  const std::size_t cut = path.rfind('/');
  node* folder = cut == path.npos || cut == 0 ? nullptr : find(path.substr(0, cut));
  if (folder == nullptr) return nullptr;
  auto found = folder->entries.find(path.substr(cut + 1));
  return found == folder->entries.end() ? nullptr : found->second.get();
}

bool sim_disk::damage(const std::string& folder, const std::string& name) {
  node* file = find(folder + '/' + name);
  if (file == nullptr || file->bytes.empty()) return false;
  flip_bit(file->bytes, random_);
  file->synced_bytes = file->bytes;
  file->unsynced.clear();
  return true;
}

bool sim_disk::replace_by_link(const std::string& folder, const std::string& name) {
  if (find(folder + '/' + name) == nullptr) return false;
  auto link = std::make_shared<node>();
  link->is = node::kind::link;
  node& holder = *find(folder);
  holder.entries[name] = holder.synced_entries[name] = link;
  return true;
}

void sim_disk::cut_power() {
  opened_.clear();
  for (auto& [path, folder] : roots_) cut_power(*folder);
}

// Each write, and each name made or removed since the last sync, reached the platter or did not, in
// any order; a write also in part.
void sim_disk::cut_power(node& each) {
  for (write& one : each.unsynced) {
    std::size_t sectors = one.bytes.size() / sim_sector_bytes;
    switch (random_.below(3)) {
      case 0: continue;
      case 1:
        one.bytes.resize(sim_sector_bytes * random_.below(static_cast<std::uint32_t>(sectors) + 1));
        break;
      default: break;
    }
    put_bytes(each.synced_bytes, one.offset, one.bytes);
  }
  each.unsynced.clear();
  each.bytes = each.synced_bytes;
  auto now = std::move(each.entries);
  std::set<std::string> names;
  for (auto& [name, entry] : now) names.insert(name);
  for (auto& [name, entry] : each.synced_entries) names.insert(name);
  for (const std::string& name : names) {
    auto& from = random_.below(2) == 0 ? now : each.synced_entries;
    if (auto found = from.find(name); found != from.end()) each.entries[name] = found->second;
  }
  each.synced_entries = each.entries;
  for (auto& [name, entry] : each.entries) cut_power(*entry);
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
