// SPDX-License-Identifier: Apache-2.0
#include "node/box_status.hpp"

#include <optional>
#include <utility>
#include <variant>

#include "node/agent_thread.hpp"
#include "node/box.hpp"
#include "node/link_error.hpp"
#include "ports/uv/uv_port.hpp"
#include "wire/encoding.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace {

// A session that has one question.
struct status_viewer final : agent_messages {
  std::optional<wire::status> answer;
  error failed;

  void on_message(wire::to_session message, ports::descriptor) override {
    if (auto* status = std::get_if<wire::status>(&message)) answer = std::move(*status);
    if (auto* refused = std::get_if<wire::refused>(&message)) failed = std::move(refused->why);
  }
  void on_lost(const error& why) override {
    if (failed.code() == errc::ok) failed = why;
  }
};

}  // namespace

result<wire::status> ask_status(const std::string& folder, const std::string& name,
                                std::uint32_t objects_max, base::time_ns timeout_ns) {
  BEAMLET_TRY_VOID(check_box_name(name));
  BEAMLET_TRY(auto clock, ports::make_uv_port());
  status_viewer viewer;
  BEAMLET_TRY(auto link, connect_to_box(folder + "/" + name, viewer));
  wire::hello hello;
  hello.version = wire::format_version;
  hello.program = "beamlet status";
  BEAMLET_TRY_VOID(link->send(std::move(hello)));
  BEAMLET_TRY_VOID(link->send(wire::look{.ticket = 1, .objects_max = objects_max}));
  const base::time_ns until_ns = clock->now_ns() + timeout_ns;
  while (!viewer.answer && viewer.failed.code() == errc::ok) {
    const base::time_ns now_ns = clock->now_ns();
    if (now_ns >= until_ns) return link_error(errc::timeout, "the agent did not answer in time");
    link->pump(until_ns - now_ns);
  }
  if (!viewer.answer) return viewer.failed;
  (void)link->send(wire::bye{});
  return *std::move(viewer.answer);
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
