// SPDX-License-Identifier: Apache-2.0
#include "node/spill_files.hpp"

#include <algorithm>
#include <utility>

#include "beamlet/base/panic.hpp"
#include "sched/no_throw.hpp"
#include "store/spill_record.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
using ports::file_operation;

constexpr std::size_t spill_jobs_max = 8;             // enough to keep a disk busy
constexpr std::size_t spill_buffer_bytes = 1 << 20;   // small records go to disk together
constexpr std::size_t spill_large_bytes = 256 << 10;  // from here on a copy costs more than a write

error spill_error(errc code, const char* what) {
  return error(code, error_layer::node, {.message = what, .type = {}, .function = {}, .cause = {}});
}

std::string spill_file_name(store::file_id file) { return "spill-" + std::to_string(file); }
}  // namespace

spill_files::spill_files(ports::port& port, spill_events& events, memory bytes,
                         spill_options options)
    : port_(port), events_(events), bytes_(std::move(bytes)), options_(std::move(options)) {
  last_ = std::make_unique<job>();
  active_.reserve(spill_jobs_max + 2);
  if (!sched::try_allocate([&] { pump(); })) give_up();
}

spill_files::~spill_files() { BEAMLET_ASSERT(!busy(), "a file request is in flight"); }

// -- jobs

void spill_files::add(job::step begin, job::step answer, store::file_id file,
                      std::vector<store::spill_entry> entries) {
  auto made = std::make_unique<job>();
  made->home = this;
  made->begin = begin;
  made->answer = answer;
  made->id = file;
  made->entries = std::move(entries);
  if (options_.folder.empty() || stopping_) {
    made->why = options_.folder.empty() ? errc::unsupported : errc::closed;
    if (answer != nullptr) (this->*answer)(*made);
    return;
  }
  waiting_.push_back(std::move(made));
  pump();
}

void spill_files::pump() {
  if (state_ == folder_state::opening) return;
  if (state_ == folder_state::closed) {
    if (stopping_ || options_.folder.empty() || (swept_ && waiting_.empty())) return;
    state_ = folder_state::opening;
    return run(&spill_files::begin_open, &spill_files::tell_open);
  }
  while (!waiting_.empty() && active_.size() < spill_jobs_max) {
    active_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    job& j = *active_.back();
    (this->*j.begin)(j);
  }
  if (stopping_ && active_.empty()) run(&spill_files::begin_cleanup, nullptr);
}

void spill_files::run(job::step begin, job::step answer) {
  job& j = *active_.emplace_back(std::make_unique<job>());
  j.home = this;
  j.answer = answer;
  (this->*begin)(j);
}

void spill_files::fail_waiting(const error& why) {
  for (auto& each : std::exchange(waiting_, {})) {
    each->why = why;
    if (each->answer != nullptr) (this->*each->answer)(*each);
  }
}

void spill_files::ask(job& j, file_operation what, int file, job::step next) {
  j.next = next;
  j.request.operation = what;
  j.request.file = file;
  j.request.user = &j;
  j.request.done = &spill_files::on_done;
  port_.start(j.request);
}

void spill_files::on_done(ports::file_request& request) {
  job& j = *static_cast<job*>(request.user);
  spill_files& home = *j.home;
  if (home.failed_) {
    if (request.opened != ports::no_folder) j.file = request.opened;
    home.let_go(j);
  } else if (!sched::try_allocate([&] { (home.*j.next)(j); })) {
    home.give_up();
  }
}

/// Notes why, and goes to the end of the job.
bool spill_files::has_failed(job& j) {
  if (j.request.why.code() != errc::ok) j.why = j.request.why;
  else if (stopping_) j.why = errc::closed;
  else return false;
  close(j);
  return true;
}

void spill_files::close(job& j) {
  if (j.file == ports::no_folder) return finish(j);
  ask(j, file_operation::close, std::exchange(j.file, ports::no_folder), &spill_files::finish);
}

void spill_files::finish(job& j) {
  auto at = std::find_if(active_.begin(), active_.end(),
                         [&](const std::unique_ptr<job>& each) { return each.get() == &j; });
  std::unique_ptr<job> ended = std::move(*at);
  active_.erase(at);
  if (ended->answer != nullptr) (this->*ended->answer)(*ended);
  pump();
}

// -- folders

void spill_files::begin_open(job& j) {
  j.request.name = options_.folder;
  ask(j, file_operation::open_folder, ports::no_folder, &spill_files::on_base_open);
}

void spill_files::on_base_open(job& j) {
  j.file = j.request.opened;
  if (has_failed(j)) return;
  base_ = std::exchange(j.file, ports::no_folder);
  j.request.name = options_.name;
  ask(j, file_operation::open_folder, base_, &spill_files::on_own_open);
}

void spill_files::on_own_open(job& j) {
  own_ = j.request.opened;
  if (own_ == ports::no_folder) j.file = std::exchange(base_, ports::no_folder);
  if (j.request.why.code() != errc::ok) j.why = j.request.why;
  close(j);
}

void spill_files::tell_open(job& j) {
  state_ = own_ != ports::no_folder ? folder_state::open : folder_state::closed;
  bool first = !std::exchange(swept_, true);
  // Those who wait learn why; the next one tries again.
  if (state_ == folder_state::closed) fail_waiting(j.why);
  else if (first && options_.is_dead) add(&spill_files::begin_sweep, nullptr, 0, {});
}

void spill_files::begin_sweep(job& j) {
  ask(j, file_operation::list, base_, &spill_files::on_base_listed);
}

void spill_files::on_base_listed(job& j) {
  if (has_failed(j)) return;
  for (const ports::file_entry& each : j.request.entries)
    if (each.folder && each.name != options_.name && options_.is_dead(each.name))
      j.folders.push_back(each.name);
  next_folder(j);
}

void spill_files::next_folder(job& j) {
  if (j.folders.empty() || stopping_) return finish(j);
  j.request.name = j.folders.back();
  ask(j, file_operation::open_folder, base_, &spill_files::on_folder_open);
}

void spill_files::on_folder_open(job& j) {
  j.file = j.request.opened;
  if (j.request.why.code() == errc::ok)
    return ask(j, file_operation::list, j.file, &spill_files::on_folder_listed);
  j.folders.pop_back();
  next_folder(j);
}

void spill_files::on_folder_listed(job& j) {
  for (ports::file_entry& each : j.request.entries) j.names.push_back(std::move(each.name));
  remove_next(j);
}

// What cannot be removed is left for the next sweep.
void spill_files::remove_next(job& j) {
  if (j.names.empty())
    return ask(j, file_operation::close, std::exchange(j.file, ports::no_folder),
               &spill_files::on_folder_closed);
  j.request.name = std::move(j.names.back());
  j.names.pop_back();
  ask(j, file_operation::remove, j.file, &spill_files::remove_next);
}

void spill_files::on_folder_closed(job& j) {
  j.request.name = std::move(j.folders.back());
  j.folders.pop_back();
  ask(j, file_operation::remove, base_, &spill_files::on_folder_removed);
}

void spill_files::on_folder_removed(job& j) {
  if (state_ == folder_state::open) return next_folder(j);
  j.file = std::exchange(base_, ports::no_folder);  // it was our own: the last
  close(j);
}

// -- the end

void spill_files::stop() {
  if (std::exchange(stopping_, true) || failed_) return;
  auto waits = [](const auto& each) { return each->request.of_port.request != nullptr; };
  const bool whole = std::all_of(active_.begin(), active_.end(), waits);
  auto end = [&] {
    fail_waiting(errc::closed);
    pump();
  };
  if (!whole || !sched::try_allocate(end)) give_up();
}

/// Works from any state, and needs no memory.
void spill_files::give_up() {
  failed_ = true;
  waiting_.clear();
  active_.push_back(std::move(last_));
  active_.back()->home = this;
  for (std::size_t i = active_.size(); i-- > 0;) {
    job& j = *active_[i];
    if (j.request.of_port.request != nullptr) continue;
    // A step may have stopped before it took what its request had opened.
    const int opened = j.request.opened;
    if (opened != ports::no_folder && opened != own_ && opened != base_) j.file = opened;
    let_go(j);
  }
}

void spill_files::let_go(job& j) {
  int open = std::exchange(j.file, ports::no_folder);
  for (int* folder : {&own_, &base_})  // others may be at work in them: the last one closes
    if (open == ports::no_folder && active_.size() == 1)
      open = std::exchange(*folder, ports::no_folder);
  if (open != ports::no_folder) return ask(j, file_operation::close, open, nullptr);
  std::erase_if(active_, [&](const auto& each) { return each.get() == &j; });
}

void spill_files::begin_cleanup(job& j) {
  state_ = folder_state::closed;
  for (store::file_id id : std::exchange(files_, {})) j.names.push_back(spill_file_name(id));
  j.folders.push_back(options_.name);
  j.file = std::exchange(own_, ports::no_folder);
  remove_next(j);
}

// -- writing

void spill_files::write(store::write_spill what) {
  add(&spill_files::begin_write, &spill_files::tell_written, what.file, std::move(what.entries));
}

void spill_files::begin_write(job& j) {
  files_.insert(j.id);
  j.request.name = spill_file_name(j.id);
  ask(j, file_operation::create, own_, &spill_files::on_created);
}

void spill_files::on_created(job& j) {
  j.file = j.request.opened;
  if (!has_failed(j)) write_next(j);
}

// Records up to a large one, or until there is enough.
void spill_files::fill_buffer(job& j) {
  while (j.index < j.entries.size() && j.buffer.size() < spill_buffer_bytes && j.large.empty()) {
    const store::spill_entry& entry = j.entries[j.index];
    if (j.position + j.buffer.size() != entry.offset) {
      if (!j.buffer.empty()) return;
      j.position = entry.offset;
    }
    std::span<const std::byte> payload = bytes_(entry.where);
    BEAMLET_ASSERT(payload.size() == entry.where.size, "what is spilled is in memory");
    std::size_t at = j.buffer.size();
    j.buffer.resize(at + store::spill_head_bytes);
    if (payload.size() < spill_large_bytes) {
      // Its writer may scribble: the checksum must be that of what goes to disk.
      j.buffer.insert(j.buffer.end(), payload.begin(), payload.end());
      payload = std::span(j.buffer).subspan(at + store::spill_head_bytes);
    } else {
      j.large = payload;
    }
    auto head = store::make_spill_head(entry.id, payload);
    std::copy(head.begin(), head.end(), j.buffer.begin() + static_cast<std::ptrdiff_t>(at));
    if (j.large.empty())
      j.buffer.resize(at + static_cast<std::size_t>(store::spill_record_bytes(payload.size())));
    ++j.index;
  }
}

// First what is in the buffer, then the large payload that its last head announced.
void spill_files::write_next(job& j) {
  if (j.buffer.empty()) fill_buffer(j);
  std::span<const std::byte> from = j.buffer.empty() ? j.large : std::span(j.buffer);
  if (from.empty()) return close(j);
  j.request.from = from;
  j.request.offset = j.position;
  ask(j, file_operation::write, j.file, &spill_files::on_written);
}

void spill_files::on_written(job& j) {
  if (has_failed(j)) return;
  std::size_t bytes = j.request.from.size();
  j.position += bytes;
  if (!j.buffer.empty()) {
    j.buffer.clear();
  } else {
    j.large = {};
    j.buffer.resize((64 - bytes % 64) % 64);  // zeros up to the next record
  }
  write_next(j);
}

void spill_files::tell_written(job& j) { events_.on_spill_written(j.id, j.why); }

// -- reading

void spill_files::read(store::read_spill what) {
  add(&spill_files::begin_read, &spill_files::tell_restored, what.file, {what.entry});
}

void spill_files::begin_read(job& j) {
  j.request.name = spill_file_name(j.id);
  ask(j, file_operation::open, own_, &spill_files::on_opened);
}

void spill_files::on_opened(job& j) {
  j.file = j.request.opened;
  if (errc why = j.request.why.code(); why == errc::not_found || why == errc::permission)
    j.request.why = spill_error(errc::malformed, "a spill file is gone, or something in its place");
  if (has_failed(j)) return;
  j.buffer.resize(store::spill_head_bytes);
  j.request.into = j.buffer;
  j.request.offset = j.entries.front().offset;
  ask(j, file_operation::read, j.file, &spill_files::on_head);
}

// A head that is cut short is found with the payload, which is empty then.
void spill_files::on_head(job& j) {
  if (has_failed(j)) return;
  j.buffer.resize(static_cast<std::size_t>(j.request.count));
  j.request.into = bytes_(j.entries.front().where);
  j.request.offset = j.entries.front().offset + store::spill_head_bytes;
  ask(j, file_operation::read, j.file, &spill_files::on_payload);
}

void spill_files::on_payload(job& j) {
  if (has_failed(j)) return;
  auto payload = j.request.into.first(static_cast<std::size_t>(j.request.count));
  auto good = store::check_spill_record(j.entries.front().id, j.buffer, payload);
  if (!good.has_value()) j.why = good.error();
  else if (payload.size() != j.request.into.size())
    j.why = spill_error(errc::malformed, "a spill record is cut short");
  close(j);
}

void spill_files::tell_restored(job& j) { events_.on_restored(j.entries.front().id, j.why); }

// -- removing

void spill_files::remove(store::file_id file) {
  if (files_.contains(file) && !stopping_) add(&spill_files::begin_remove, nullptr, file, {});
}

void spill_files::begin_remove(job& j) {
  j.request.name = spill_file_name(j.id);
  ask(j, file_operation::remove, own_, &spill_files::on_removed);
}

void spill_files::on_removed(job& j) {
  errc how = j.request.why.code();
  if (how == errc::ok || how == errc::not_found) files_.erase(j.id);
  finish(j);
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
