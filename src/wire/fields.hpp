// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tables of session.fbs as lists of the fields in messages.hpp. A field's place in its list is
// its id on the wire: new ones go to the end, old ones stay. Encoding, decoding and the test that
// compares with session.fbs all follow these lists.

#include <cstdint>
#include <string>

#include "wire/layout.hpp"
#include "wire/limits.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {

/// An error as it travels.
struct error_image {
  std::uint16_t code = 0, layer = 0;
  std::int32_t system = 0;
  std::string message, type, function, cause;
};

// BEAMLET_TABLE(hello, BEAMLET_FIELD(version), ...): in the order of the wire.
#define BEAMLET_TABLE(name, ...)                             \
  template <>                                                \
  struct table<name> {                                       \
    using self = name;                                       \
    static constexpr auto fields = make_fields(__VA_ARGS__); \
  }
#define BEAMLET_FIELD(member, ...) \
  make_field<&self::member>(&self::member, #member __VA_OPT__(, ) __VA_ARGS__)

BEAMLET_TABLE(error_image, BEAMLET_FIELD(code), BEAMLET_FIELD(layer), BEAMLET_FIELD(system),
              BEAMLET_FIELD(message, beamlet::limits::error_text_bytes_max),
              BEAMLET_FIELD(type, beamlet::limits::error_text_bytes_max),
              BEAMLET_FIELD(function, beamlet::limits::error_text_bytes_max),
              BEAMLET_FIELD(cause, beamlet::limits::error_text_bytes_max));
BEAMLET_TABLE(value, make_body<0>("inline_value", limits::inline_bytes_max),
              make_body<1>("stored", 0), make_body<2>("failed", 0),
              BEAMLET_FIELD(contained, limits::ids_max));
BEAMLET_TABLE(argument, BEAMLET_FIELD(object), BEAMLET_FIELD(by_ref),
              BEAMLET_FIELD(inline_value, limits::inline_bytes_max),
              BEAMLET_FIELD(contained, limits::ids_max));
BEAMLET_TABLE(need, BEAMLET_FIELD(resource, beamlet::limits::resource_name_bytes_max),
              BEAMLET_FIELD(amount));
BEAMLET_TABLE(call_options, BEAMLET_FIELD(name, limits::name_bytes_max),
              BEAMLET_FIELD(needs, beamlet::limits::resources_max), BEAMLET_FIELD(urgency),
              BEAMLET_FIELD(deadline_ns), BEAMLET_FIELD(retries), BEAMLET_FIELD(retry_errors),
              BEAMLET_FIELD(where, isolation::process),
              BEAMLET_FIELD(environment, limits::environment_max, limits::environment_bytes_max),
              BEAMLET_FIELD(memory_max), BEAMLET_FIELD(cpu_ms_max), BEAMLET_FIELD(calls_max),
              BEAMLET_FIELD(restarts), BEAMLET_FIELD(detached), BEAMLET_FIELD(concurrency),
              BEAMLET_FIELD(traced), BEAMLET_FIELD(repeated));
BEAMLET_TABLE(call, BEAMLET_FIELD(task), BEAMLET_FIELD(actor),
              BEAMLET_FIELD(kind, call_kind::actor_call),
              BEAMLET_FIELD(function, limits::function_bytes_max), BEAMLET_FIELD(caller),
              BEAMLET_FIELD(sequence), BEAMLET_FIELD(attempt),
              BEAMLET_FIELD(arguments, limits::arguments_max),
              BEAMLET_FIELD(results, limits::arguments_max), BEAMLET_FIELD(options),
              BEAMLET_FIELD(parent));
BEAMLET_TABLE(run, BEAMLET_FIELD(start_ns), BEAMLET_FIELD(duration_ns), BEAMLET_FIELD(function),
              BEAMLET_FIELD(thread));
BEAMLET_TABLE(trace, BEAMLET_FIELD(process),
              BEAMLET_FIELD(names, limits::trace_runs_max, limits::status_name_bytes_max),
              BEAMLET_FIELD(runs, limits::trace_runs_max));
BEAMLET_TABLE(object_here, BEAMLET_FIELD(id), BEAMLET_FIELD(what));

BEAMLET_TABLE(pin_status, BEAMLET_FIELD(session), BEAMLET_FIELD(pins));
BEAMLET_TABLE(object_status, BEAMLET_FIELD(id), BEAMLET_FIELD(state, object_state::actor),
              BEAMLET_FIELD(size), BEAMLET_FIELD(age_ns), BEAMLET_FIELD(holders),
              BEAMLET_FIELD(pins, limits::status_pins_max));
BEAMLET_TABLE(session_status, BEAMLET_FIELD(session), BEAMLET_FIELD(process), BEAMLET_FIELD(pool),
              BEAMLET_FIELD(program, limits::status_name_bytes_max), BEAMLET_FIELD(age_ns),
              BEAMLET_FIELD(ended), BEAMLET_FIELD(held), BEAMLET_FIELD(pins), BEAMLET_FIELD(pinned),
              BEAMLET_FIELD(leases), BEAMLET_FIELD(leased), BEAMLET_FIELD(requests),
              BEAMLET_FIELD(running), BEAMLET_FIELD(waiting));
BEAMLET_TABLE(resource_status, BEAMLET_FIELD(name, beamlet::limits::resource_name_bytes_max),
              BEAMLET_FIELD(total), BEAMLET_FIELD(available), BEAMLET_FIELD(borrowed));
BEAMLET_TABLE(store_status, BEAMLET_FIELD(memory), BEAMLET_FIELD(memory_max), BEAMLET_FIELD(files),
              BEAMLET_FIELD(free), BEAMLET_FIELD(quarantined), BEAMLET_FIELD(leased),
              BEAMLET_FIELD(published), BEAMLET_FIELD(pinned), BEAMLET_FIELD(evictable),
              BEAMLET_FIELD(spilled), BEAMLET_FIELD(spill_files), BEAMLET_FIELD(spill_max),
              BEAMLET_FIELD(requests));

// -- session to agent

BEAMLET_TABLE(hello, BEAMLET_FIELD(version), BEAMLET_FIELD(functions_hash),
              BEAMLET_FIELD(program, limits::name_bytes_max), BEAMLET_FIELD(worker),
              BEAMLET_FIELD(slots), BEAMLET_FIELD(has_entry));
BEAMLET_TABLE(publish, BEAMLET_FIELD(id));
BEAMLET_TABLE(fulfil, BEAMLET_FIELD(id), BEAMLET_FIELD(made));
BEAMLET_TABLE(hold, BEAMLET_FIELD(id));
BEAMLET_TABLE(release, BEAMLET_FIELD(id), BEAMLET_FIELD(mentions));
BEAMLET_TABLE(require, BEAMLET_FIELD(ticket), BEAMLET_FIELD(objects, limits::ids_max),
              BEAMLET_FIELD(urgency), BEAMLET_FIELD(deadline_ns));
BEAMLET_TABLE(abandon, BEAMLET_FIELD(ticket));
BEAMLET_TABLE(unpin, BEAMLET_FIELD(objects, limits::ids_max));
BEAMLET_TABLE(submit, BEAMLET_FIELD(what));
BEAMLET_TABLE(cancel, BEAMLET_FIELD(task), BEAMLET_FIELD(force), BEAMLET_FIELD(recursive));
BEAMLET_TABLE(lease, BEAMLET_FIELD(ticket), BEAMLET_FIELD(size), BEAMLET_FIELD(deadline_ns),
              BEAMLET_FIELD(whole));
BEAMLET_TABLE(unlease, BEAMLET_FIELD(where));
BEAMLET_TABLE(done, BEAMLET_FIELD(task), BEAMLET_FIELD(attempt),
              BEAMLET_FIELD(results, limits::arguments_max), BEAMLET_FIELD(ran, 1));
BEAMLET_TABLE(end_actor, BEAMLET_FIELD(actor), BEAMLET_FIELD(kill));
BEAMLET_TABLE(name_actor, BEAMLET_FIELD(ticket), BEAMLET_FIELD(space, limits::name_bytes_max),
              BEAMLET_FIELD(name, limits::name_bytes_max), BEAMLET_FIELD(actor),
              BEAMLET_FIELD(create));
BEAMLET_TABLE(mapped, BEAMLET_FIELD(segment));
BEAMLET_TABLE(unmapped, BEAMLET_FIELD(segment));
BEAMLET_TABLE(bye, BEAMLET_FIELD(ran, 1));
BEAMLET_TABLE(look, BEAMLET_FIELD(ticket), BEAMLET_FIELD(objects_max));
BEAMLET_TABLE(collect, BEAMLET_FIELD(ticket));
BEAMLET_TABLE(lend_cpu, BEAMLET_FIELD(task), BEAMLET_FIELD(attempt), BEAMLET_FIELD(lent));
BEAMLET_TABLE(borrow, BEAMLET_FIELD(ticket), BEAMLET_FIELD(needs, beamlet::limits::resources_max),
              BEAMLET_FIELD(at_once));
BEAMLET_TABLE(repay, BEAMLET_FIELD(needs, beamlet::limits::resources_max));

// -- agent to session

BEAMLET_TABLE(welcome, BEAMLET_FIELD(node), BEAMLET_FIELD(boot), BEAMLET_FIELD(session),
              BEAMLET_FIELD(inline_max), BEAMLET_FIELD(whole_from),
              BEAMLET_FIELD(resources, beamlet::limits::resources_max));
BEAMLET_TABLE(refused, BEAMLET_FIELD(ticket), BEAMLET_FIELD(why), BEAMLET_FIELD(fatal));
BEAMLET_TABLE(sealed, BEAMLET_FIELD(id), BEAMLET_FIELD(why), BEAMLET_FIELD(has_value),
              BEAMLET_FIELD(what));
BEAMLET_TABLE(here, BEAMLET_FIELD(ticket), BEAMLET_FIELD(objects, limits::ids_max));
BEAMLET_TABLE(leased, BEAMLET_FIELD(ticket), BEAMLET_FIELD(where));
BEAMLET_TABLE(new_segment, BEAMLET_FIELD(segment), BEAMLET_FIELD(size), BEAMLET_FIELD(writable),
              BEAMLET_FIELD(whole));
BEAMLET_TABLE(segment_gone, BEAMLET_FIELD(segment));
BEAMLET_TABLE(returned, BEAMLET_FIELD(where));
BEAMLET_TABLE(execute, BEAMLET_FIELD(what), BEAMLET_FIELD(objects, limits::arguments_max));
BEAMLET_TABLE(abort_call, BEAMLET_FIELD(task), BEAMLET_FIELD(attempt));
BEAMLET_TABLE(pressure, BEAMLET_FIELD(size));
BEAMLET_TABLE(named, BEAMLET_FIELD(ticket), BEAMLET_FIELD(actor), BEAMLET_FIELD(why));
BEAMLET_TABLE(actor_ended, BEAMLET_FIELD(actor), BEAMLET_FIELD(why));
BEAMLET_TABLE(drain);
BEAMLET_TABLE(status, BEAMLET_FIELD(ticket), BEAMLET_FIELD(process),
              BEAMLET_FIELD(version, limits::status_name_bytes_max), BEAMLET_FIELD(up_ns),
              BEAMLET_FIELD(objects_store), BEAMLET_FIELD(objects), BEAMLET_FIELD(calls),
              BEAMLET_FIELD(actors), BEAMLET_FIELD(names), BEAMLET_FIELD(waits),
              BEAMLET_FIELD(lineage), BEAMLET_FIELD(programs), BEAMLET_FIELD(workers),
              BEAMLET_FIELD(sessions, limits::status_sessions_max),
              BEAMLET_FIELD(listed, limits::status_objects_max),
              BEAMLET_FIELD(log, limits::name_bytes_max),
              BEAMLET_FIELD(resources, beamlet::limits::resources_max));
BEAMLET_TABLE(traced, BEAMLET_FIELD(ticket), BEAMLET_FIELD(ran, limits::traces_max));
BEAMLET_TABLE(lent, BEAMLET_FIELD(ticket), BEAMLET_FIELD(needs, beamlet::limits::resources_max));
BEAMLET_TABLE(recall, BEAMLET_FIELD(needs, beamlet::limits::resources_max));

#undef BEAMLET_FIELD
#undef BEAMLET_TABLE

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
