// SPDX-License-Identifier: Apache-2.0
// A status as lines for people, or as JSON for programs.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "cli/commands.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {
namespace {

constexpr const char* state_names[] = {"pending", "inline", "memory", "disk", "failed", "actor"};

const char* name_of(wire::object_state state) {
  auto index = static_cast<std::size_t>(state);
  return index < std::size(state_names) ? state_names[index] : "unknown";
}

std::string one_decimal(double value, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %s", value, unit);
  return text;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return one_decimal(value, units[unit]);
}

std::string time_text(std::uint64_t ns) {
  std::uint64_t seconds = ns / 1'000'000'000;
  if (seconds < 60) return one_decimal(static_cast<double>(ns) / 1e9, "s");
  std::uint64_t minutes = seconds / 60, hours = minutes / 60;
  if (hours == 0) return std::to_string(minutes) + " min " + std::to_string(seconds % 60) + " s";
  if (hours < 48) return std::to_string(hours) + " h " + std::to_string(minutes % 60) + " min";
  return std::to_string(hours / 24) + " d " + std::to_string(hours % 24) + " h";
}

// What another process calls itself must not steer the terminal.
std::string plain_text(const std::string& text) {
  std::string made;
  for (char c : text) made.push_back(c >= ' ' && c < '\x7f' ? c : '?');
  return made;
}

using row = std::vector<std::string>;

// Columns as wide as their widest entry, the last one as it is.
std::string table_text(const std::vector<row>& rows) {
  std::vector<std::size_t> widths;
  for (const row& each : rows) {
    widths.resize(std::max(widths.size(), each.size()));
    for (std::size_t i = 0; i < each.size(); ++i) widths[i] = std::max(widths[i], each[i].size());
  }
  std::string text;
  for (const row& each : rows) {
    std::string line;
    for (std::size_t i = 0; i < each.size(); ++i) {
      line += "  " + each[i];
      if (i + 1 < each.size()) line.append(widths[i] - each[i].size(), ' ');
    }
    text += line + '\n';
  }
  return text;
}

const char* kind_of(const wire::session_status& each) {
  if (each.ended) return "ended";
  return each.pool != 0 ? "worker" : "program";
}

std::string id_text(const object_id& id) {
  return std::to_string(id.session) + '.' + std::to_string(id.sequence);
}

std::vector<row> session_rows(const wire::status& all) {
  std::vector<row> rows = {{"session", "process", "kind", "since", "holds", "pins", "pinned",
                            "leased", "runs", "waits for", "queued", "program"}};
  for (const wire::session_status& each : all.sessions) {
    rows.push_back({std::to_string(each.session), std::to_string(each.process), kind_of(each),
                    time_text(each.age_ns), std::to_string(each.held), std::to_string(each.pins),
                    size_text(each.pinned), size_text(each.leased), std::to_string(each.running),
                    std::to_string(each.waiting), std::to_string(each.requests),
                    plain_text(each.program)});
  }
  return rows;
}

// Amounts are in 1/10 000.
std::string amount_text(std::int64_t amount) {
  char text[64];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(amount) / amount_per_unit);
  return text;
}

std::vector<row> resource_rows(const wire::status& all) {
  std::vector<row> rows = {{"resource", "of", "free", "borrowed by programs"}};
  for (const wire::resource_status& each : all.resources)
    rows.push_back({plain_text(each.name), amount_text(each.total), amount_text(each.available),
                    amount_text(each.borrowed)});
  return rows;
}

std::vector<row> object_rows(const wire::status& all) {
  std::vector<row> rows = {{"object", "size", "age", "where", "holders", "pinned by session"}};
  for (const wire::object_status& each : all.listed) {
    std::string pins;
    for (const wire::pin_status& pin : each.pins) {
      pins += (pins.empty() ? "" : ", ") + std::to_string(pin.session);
      if (pin.pins != 1) pins += " (" + std::to_string(pin.pins) + " times)";
    }
    rows.push_back({id_text(each.id), size_text(each.size), time_text(each.age_ns),
                    name_of(each.state), std::to_string(each.holders), pins.empty() ? "-" : pins});
  }
  return rows;
}

// One JSON object, member by member.
class json_object {
 public:
  json_object& add(std::string_view name, std::uint64_t value) {
    return raw(name, std::to_string(value));
  }
  json_object& add(std::string_view name, const std::string& text) {
    std::string quoted;
    base::append_json_string(quoted, text);
    return raw(name, quoted);
  }
  json_object& raw(std::string_view name, std::string_view value) {
    text_.append(text_.empty() ? "" : ", ").append("\"").append(name).append("\": ").append(value);
    return *this;
  }
  std::string text() const { return '{' + text_ + '}'; }

 private:
  std::string text_;
};

template <class T, class Fn>
std::string json_list(const std::vector<T>& all, Fn&& one) {
  std::string text;
  for (const T& each : all) text += (text.empty() ? "" : ", ") + one(each);
  return '[' + text + ']';
}

std::string json_of(const wire::session_status& each) {
  return json_object()
      .add("session", each.session)
      .add("process", each.process)
      .add("kind", std::string(kind_of(each)))
      .add("program", each.program)
      .add("age_ns", each.age_ns)
      .add("held", each.held)
      .add("pins", each.pins)
      .add("pinned_bytes", each.pinned)
      .add("leases", each.leases)
      .add("leased_bytes", each.leased)
      .add("requests", each.requests)
      .add("running", each.running)
      .add("waiting", each.waiting)
      .text();
}

std::string json_of(const wire::object_status& each) {
  auto pins = json_list(each.pins, [](const wire::pin_status& pin) {
    return json_object().add("session", pin.session).add("pins", pin.pins).text();
  });
  return json_object()
      .add("object", id_text(each.id))
      .add("state", std::string(name_of(each.state)))
      .add("bytes", each.size)
      .add("age_ns", each.age_ns)
      .add("holders", each.holders)
      .raw("pins", pins)
      .text();
}

std::string json_of(const wire::resource_status& each) {
  return json_object()
      .add("resource", each.name)
      .raw("total", amount_text(each.total))
      .raw("free", amount_text(each.available))
      .raw("borrowed", amount_text(each.borrowed))
      .text();
}

std::string json_of(const wire::store_status& s) {
  return json_object()
      .add("memory", s.memory)
      .add("memory_max", s.memory_max)
      .add("files", s.files)
      .add("free", s.free)
      .add("quarantined", s.quarantined)
      .add("leased", s.leased)
      .add("published", s.published)
      .add("pinned", s.pinned)
      .add("evictable", s.evictable)
      .add("spilled", s.spilled)
      .add("spill_files", s.spill_files)
      .add("spill_max", s.spill_max)
      .add("requests", s.requests)
      .text();
}

}  // namespace

std::string status_text(const std::string& box, const wire::status& all) {
  const wire::store_status& s = all.objects_store;
  std::string text = "box " + box + ": agent " + std::to_string(all.process) + ", beamlet " +
                     plain_text(all.version) + ", up " + time_text(all.up_ns) + '\n';
  if (!all.log.empty()) text += "log: " + plain_text(all.log) + '\n';
  text += "memory: " + size_text(s.memory) + " of " + size_text(s.memory_max) + " in segments; " +
          size_text(s.published) + " are objects, " + size_text(s.pinned) + " pinned, " +
          size_text(s.leased) + " leased, " + size_text(s.quarantined) + " quarantined\n";
  text += "disk: " + size_text(s.spilled) + " of objects in " + size_text(s.spill_files) + " of " +
          size_text(s.spill_max) + "; " + size_text(s.files) + " in place of memory\n";
  text += "there are " + std::to_string(all.objects) + " objects, " + std::to_string(all.calls) +
          " calls, " + std::to_string(all.actors) + " actors, " + std::to_string(all.names) +
          " names; " + std::to_string(s.requests) + " requests for memory wait\n";
  text += '\n' + std::to_string(all.programs) + " programs, " + std::to_string(all.workers) +
          " worker processes\n" + table_text(session_rows(all));
  if (!all.resources.empty()) text += '\n' + table_text(resource_rows(all));
  if (all.listed.empty()) return text;
  text += "\nobjects, the largest " + std::to_string(all.listed.size()) + " of " +
          std::to_string(all.objects) + '\n' + table_text(object_rows(all));
  return text;
}

std::string status_json(const std::string& box, const wire::status& all) {
  auto one_session = [](const wire::session_status& each) { return json_of(each); };
  auto one_resource = [](const wire::resource_status& each) { return json_of(each); };
  auto one_object = [](const wire::object_status& each) { return json_of(each); };
  return json_object()
             .add("box", box)
             .add("agent", all.process)
             .add("version", all.version)
             .add("up_ns", all.up_ns)
             .add("log", all.log)
             .raw("store", json_of(all.objects_store))
             .add("objects", all.objects)
             .add("calls", all.calls)
             .add("actors", all.actors)
             .add("names", all.names)
             .add("waits", all.waits)
             .add("lineage", all.lineage)
             .add("programs", all.programs)
             .add("workers", all.workers)
             .raw("sessions", json_list(all.sessions, one_session))
             .raw("resources", json_list(all.resources, one_resource))
             .raw("largest", json_list(all.listed, one_object))
             .text() +
         '\n';
}

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet
